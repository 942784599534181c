//! What presets do to a step, before and after the harness is built.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use belts::{Error, ErrorKind, Event, scope, sleep, step, testing::Harness};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, Event)]
struct Bought {}

#[belts::function(id = "buy", on = Bought)]
async fn buy(_: Bought) -> belts::Result<String> {
    let paid = step!(
        "charge",
        "p-real".to_owned(),
        retries = 3,
        backoff = "1s..1s",
        timeout = "30s"
    )
    .await;
    match paid {
        Ok(payment) => Ok(payment),
        Err(error) => step!("refuse", format!("refused: {}", error.report())).await,
    }
}

#[derive(Clone, Serialize, Deserialize, Event)]
struct PackedUp {
    parcels: Vec<String>,
}

#[belts::function(id = "pack", on = PackedUp)]
async fn pack(packed: PackedUp) -> belts::Result<String> {
    let mut labels = String::new();
    for parcel in &packed.parcels {
        labels += &scope!("parcel-{parcel}", label(parcel)).await?;
    }
    sleep!("dry", "1h").await?;
    step!("thank", ()).await?;
    Ok(labels)
}

#[belts::steps]
async fn label(parcel: &str) -> belts::Result<String> {
    step!("label", format!("<{parcel}>")).await
}

#[tokio::test]
async fn a_preset_result_takes_the_place_of_the_expression() {
    let harness = Harness::builder().preset("charge", Ok("p-1"));
    let harness = harness.build().await.unwrap();
    let run = harness.run(buy, Bought {}).await.unwrap();
    assert_eq!(run.output().unwrap(), "p-1");
    assert_eq!((run.evaluations("charge"), run.attempts("charge")), (0, 1));
}

#[tokio::test]
async fn a_preset_error_uses_up_the_retries_of_the_step() {
    let harness = Harness::builder().preset_error("charge", "card declined");
    let harness = harness.build().await.unwrap();
    let run = harness.run(buy, Bought {}).await.unwrap();
    let output = run.output().unwrap();
    assert!(output.ends_with("card declined"), "{output}");
    assert_eq!(run.attempts("charge"), 4);
}

#[tokio::test]
async fn a_preset_terminal_error_is_not_retried() {
    let harness = Harness::builder().preset::<()>("charge", Err(belts::terminal("no card")));
    let harness = harness.build().await.unwrap();
    let run = harness.run(buy, Bought {}).await.unwrap();
    assert_eq!(run.attempts("charge"), 1);
}

#[tokio::test]
async fn a_step_that_fails_twice_is_evaluated_the_third_time() {
    let harness = Harness::builder().fail_times("charge", 2);
    let harness = harness.build().await.unwrap();
    let run = harness.run(buy, Bought {}).await.unwrap();
    assert_eq!(run.output().unwrap(), "p-real");
    assert_eq!((run.evaluations("charge"), run.attempts("charge")), (1, 3));
}

#[tokio::test]
async fn each_attempt_has_its_own_preset_and_the_last_one_stays() {
    let harness = Harness::new().await.unwrap();
    let results = [Err(Error::from_any("no connection")), Ok("p-2")];
    harness.preset_attempts("charge", results).unwrap();
    let run = harness.run(buy, Bought {}).await.unwrap();
    assert_eq!(run.output().unwrap(), "p-2");
    assert_eq!(run.attempts("charge"), 2);

    let results = [
        Error::from_any("no connection"),
        Error::from_any("no money"),
    ];
    let results = results.map(Err::<(), _>);
    harness.preset_attempts("charge", results).unwrap();
    let run = harness.run(buy, Bought {}).await.unwrap();
    assert_eq!(run.attempts("charge"), 4);
    assert!(run.output().unwrap().ends_with("no money"));
}

#[tokio::test]
async fn attempts_without_a_result_are_a_wrong_preset() {
    let builder = Harness::builder().preset_attempts::<()>("charge", []);
    assert_eq!(
        builder.build().await.unwrap_err().to_string(),
        "`preset_attempts` needs at least one result"
    );
}

#[tokio::test]
async fn a_preset_timeout_takes_no_time_and_is_retried() {
    let harness = Harness::builder().preset_timeout("charge");
    let harness = harness.build().await.unwrap();
    let start = harness.now();
    let run = harness.run(buy, Bought {}).await.unwrap();
    assert!(run.output().unwrap().contains("timed out"));
    // Only the three pauses before the retries.
    assert_eq!(harness.now().since(start), Duration::from_secs(3));
}

#[tokio::test]
async fn a_hanging_step_runs_into_its_own_time_limit() {
    let harness = Harness::builder().preset_hang("charge");
    let harness = harness.build().await.unwrap();
    let start = harness.now();
    let run = harness.run(buy, Bought {}).await.unwrap();
    let output = run.output().unwrap();
    assert!(output.contains("timed out after 30s"), "{output}");
    assert_eq!(run.attempts("charge"), 4);
    assert_eq!(
        harness.now().since(start),
        Duration::from_secs(4 * 30 + 3),
        "four limits and three pauses"
    );
}

#[tokio::test]
async fn a_cleared_preset_leaves_the_expression() {
    let harness = Harness::new().await.unwrap();
    harness.preset_timeout("charge");
    harness.preset_hang("charge");
    harness.fail_times("charge", 9);
    harness.clear_preset("charge");
    let run = harness.run(buy, Bought {}).await.unwrap();
    assert_eq!(run.output().unwrap(), "p-real");
}

#[tokio::test]
async fn a_preset_of_another_type_is_an_error_that_names_the_step() {
    let harness = Harness::builder().preset("charge", Ok(7));
    let harness = harness.build().await.unwrap();
    let run = harness.run(buy, Bought {}).await.unwrap();
    let output = run.output().unwrap();
    assert!(
        output.contains("the preset of the step `charge` is not"),
        "{output}"
    );
}

/// What the end of a harness panics with, if it does.
fn complaint(harness: Harness) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(harness))).err()?;
    Some(*panic.downcast::<String>().unwrap())
}

/// A misspelt path was ignored, and the test went on with the real payment.
#[tokio::test]
async fn a_preset_for_a_step_that_no_function_has_is_an_error_at_once() {
    let nowhere = "no function of this harness has a step `chrage`; the closest is `charge`";
    let builder = Harness::builder().preset("chrage", Ok("p-1"));
    let error = builder.build().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::Config, nowhere.to_owned())
    );
    let builder = Harness::builder().fail_times("chrage", 2);
    assert_eq!(builder.build().await.unwrap_err().to_string(), nowhere);

    let harness = Harness::new().await.unwrap();
    let results = [
        harness.preset("chrage", Ok(1)),
        harness.preset_if_reached("chrage", Ok(1)),
        harness.preset_attempts("chrage", [Ok(1)]),
    ];
    for result in results {
        assert_eq!(result.unwrap_err().to_string(), nowhere);
    }
    let calls: [fn(&Harness); 4] = [
        |harness| harness.preset_error("chrage", "no money"),
        |harness| harness.preset_timeout("chrage"),
        |harness| harness.preset_hang("chrage"),
        |harness| harness.fail_times("chrage", 1),
    ];
    for call in calls {
        let panic = catch_unwind(AssertUnwindSafe(|| call(&harness))).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), nowhere);
    }
    assert_eq!(complaint(harness), None, "nothing was preset");
}

/// Steps of other functions in the program are none of a harness that was given its functions by hand.
#[tokio::test]
async fn only_the_functions_of_the_harness_count() {
    let builder = Harness::builder()
        .function(pack)
        .preset("charge", Ok("p-1"));
    let error = builder.build().await.unwrap_err().to_string();
    assert!(
        error.starts_with("no function of this harness has a step `charge`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_preset_for_a_step_with_a_capture_or_in_a_scope_is_known() {
    let packed = PackedUp {
        parcels: vec!["a".to_owned(), "b/2".to_owned()],
    };
    let builder = Harness::builder().preset("parcel-b~12/label", Ok("[2]"));
    let harness = builder.build().await.unwrap();
    let run = harness.run(pack, packed).await.unwrap();
    assert_eq!(run.output().unwrap(), "<a>[2]");

    let wrong = |path: &str| harness.preset(path, Ok("")).unwrap_err().to_string();
    assert_eq!(
        wrong("parcl-a/label"),
        "no function of this harness has a step `parcl-a/label`; the closest are those of the scope `parcel-{parcel}`, such as \
         `parcel-{parcel}/label`"
    );
    assert_eq!(
        wrong("parcel-a"),
        "`parcel-a` is a scope; preset a step in it, as in `parcel-a/label`"
    );
    assert_eq!(
        wrong("dry"),
        "`dry` is a sleep, but a preset replaces a step's expression; a sleep ends when the clock reaches its time"
    );
}

#[tokio::test]
async fn a_preset_that_no_run_has_reached_fails_the_test() {
    let harness = Harness::builder().preset("thank", Ok(()));
    let harness = harness.fail_times("refuse", 2).build().await.unwrap();
    let run = harness.run(buy, Bought {}).await.unwrap();
    assert_eq!(run.output().unwrap(), "p-real");
    assert_eq!(
        complaint(harness).unwrap(),
        "no run has reached the preset for `refuse`, `thank`; reached were: `charge`. Correct the path, or use \
         `preset_if_reached` if a run need not reach the step"
    );
}

#[tokio::test]
async fn a_preset_behind_a_failure_is_told_with_it() {
    let harness = Harness::new().await.unwrap();
    let gone = Err::<(), _>(belts::terminal("no card"));
    harness.preset("charge", gone).unwrap();
    harness.preset_error("refuse", "no paper");
    harness.preset("thank", Ok(())).unwrap();
    let run = harness.run(buy, Bought {}).run_id("r-1").await.unwrap();
    run.assert_failed();
    let complaint = complaint(harness).unwrap();
    let failure = "\n  run `r-1` of `buy` failed: ";
    assert!(
        complaint.contains(failure) && complaint.contains("no paper"),
        "{complaint}"
    );
}

#[tokio::test]
async fn a_preset_that_need_not_be_reached_or_is_taken_back_is_no_complaint() {
    let harness = Harness::builder().preset_if_reached("refuse", Ok("no"));
    let harness = harness.preset_timeout("thank").build().await.unwrap();
    harness.clear_preset("thank");
    harness.fail_times("thank", 1);
    harness.fail_times("thank", 0);
    harness.preset_if_reached("thank", Ok(())).unwrap();
    let run = harness.run(buy, Bought {}).await.unwrap();
    assert_eq!(run.output().unwrap(), "p-real");
    assert_eq!(complaint(harness), None);
}

#[tokio::test]
async fn a_test_that_ends_with_an_error_shows_that_one() {
    let harness = Harness::builder().preset("refuse", Ok("no"));
    let harness = harness.build().await.unwrap();
    let stopped = harness.run(buy, Bought {}).until("nowhere").await;
    assert!(stopped.is_err());
    assert_eq!(complaint(harness), None);
}

/// The later of the two took the place of the earlier one.
#[tokio::test]
async fn a_step_fails_first_and_then_comes_to_its_preset() {
    let first = Harness::builder()
        .preset("charge", Ok("p-1"))
        .fail_times("charge", 2);
    let last = Harness::builder()
        .fail_times("charge", 2)
        .preset("charge", Ok("p-1"));
    for builder in [first, last] {
        let harness = builder.build().await.unwrap();
        let run = harness.run(buy, Bought {}).await.unwrap();
        assert_eq!(run.output().unwrap(), "p-1");
        assert_eq!((run.evaluations("charge"), run.attempts("charge")), (0, 3));
    }
    let results = [Err(Error::from_any("no connection")), Ok("p-2")];
    let builder = Harness::builder().preset_attempts("charge", results);
    let harness = builder.fail_times("charge", 1).build().await.unwrap();
    let run = harness.run(buy, Bought {}).await.unwrap();
    assert_eq!(
        (run.output().unwrap().as_str(), run.attempts("charge")),
        ("p-2", 3)
    );
}
