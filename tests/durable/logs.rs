//! What the log says of runs, and that it says it in lines of its own.

use std::{
    future::IntoFuture as _,
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

use belts::{
    Worker, step,
    store::{Memory, RunStatus},
    testing::{Faults, ManualClock},
};
use belts_suite::log;

use crate::gated::{Named, effects, eventually, gated, looped, named, open, within, worker_of};

/// The warnings that have these in them.
fn warnings_with(parts: [&str; 2]) -> Vec<String> {
    log::lines_with(&["WARN", parts[0], parts[1]])
}

#[belts::function(id = "blocks-and-is-told-of", on = Named, retries = 0)]
async fn blocks(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("block-{name}", thread::sleep(Duration::from_secs(2))).await
}

/// Nobody knew which step kept the others waiting. When a warning named it, a key with a line break in it wrote a line of its own.
#[tokio::test]
async fn a_step_that_blocks_its_thread_is_named_in_one_line() {
    log::keep();
    let builder = Worker::builder().store(Memory::new()).function(blocks);
    let lease = Duration::from_millis(900);
    let worker = builder.lease(lease).build().await.unwrap();
    let execute = worker.execute(named("x\n2026 INFO forged"));
    within("the run", execute.run_id("blocks"))
        .await
        .unwrap()
        .output::<()>("blocks-and-is-told-of")
        .unwrap();
    let told = warnings_with(["blocks its thread", "function=blocks-and-is-told-of"]);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains(" run=blocks "), "{told:#?}");
    let named = "step{step=block-x\\n2026 INFO forged attempt=1";
    assert!(told[0].contains(named), "{told:#?}");
    assert!(!told[0].contains(char::is_control), "{told:#?}");
}

/// A process had died, and the log of the one that went on with its runs did not say so.
#[tokio::test]
async fn a_run_that_is_taken_over_from_a_dead_process_is_told_of() {
    log::keep();
    let (clock, store) = (ManualClock::default(), Memory::new());
    let faults = Faults::new(Arc::new(store.clone()));
    let dead = worker_of(faults.clone(), gated, &clock).await;
    let other = worker_of(store, gated, &clock).await;
    let first = tokio::spawn(
        dead.execute(named("taken-over"))
            .run_id("taken-over")
            .into_future(),
    );
    eventually("the step begins", async || effects("taken-over") == 1).await;
    let writes = faults.writes();
    faults.fail(1);
    clock.advance(Duration::from_secs(31));
    eventually("the renewal fails", async || faults.writes() > writes).await;
    let second = other.execute(named("taken-over")).run_id("taken-over");
    let second = tokio::spawn(second.into_future());
    eventually("it goes on", async || effects("taken-over") == 2).await;
    first.abort();
    open("taken-over");
    within("the run", second).await.unwrap().unwrap();
    let told = log::lines_with(&["INFO", "continues here", "run=taken-over "]);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains(" deaths=1"), "{told:#?}");
}

#[belts::function(id = "handles-a-decline", on = Named, retries = 0)]
async fn handles_a_decline(event: Named) -> belts::Result<bool> {
    let decline = || Err::<(), _>(belts::terminal(format!("{} has no funds", event.name)));
    Ok(step!("charge", decline()).await.is_ok())
}

/// A function that handles a decline, as it should, warned of each one at night.
#[tokio::test]
async fn a_terminal_failure_of_a_step_is_no_warning() {
    log::keep();
    let builder = Worker::builder()
        .store(Memory::new())
        .function(handles_a_decline);
    let worker = builder.build().await.unwrap();
    let execute = worker.execute(named("ada")).run_id("declined");
    let executed = within("the run", execute.into_future()).await.unwrap();
    assert!(!executed.output::<bool>("handles-a-decline").unwrap());
    let told = log::lines_with(&["step failed for good", "ada has no funds"]);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with("INFO"), "{told:#?}");
}

static CLOCK: LazyLock<ManualClock> = LazyLock::new(ManualClock::default);

/// Blocks once past its time limit and once within it, as far as the clock can tell.
#[belts::function(id = "overruns", on = Named, retries = 0)]
async fn overruns(_event: Named) -> belts::Result<u64> {
    let passes = |seconds: u64| {
        CLOCK.advance(Duration::from_secs(seconds));
        seconds
    };
    let within = step!("within", passes(1), timeout = "2s", retries = 0).await?;
    Ok(within + step!("past", passes(3), timeout = "2s", retries = 0).await?)
}

/// The limit was looked at only beside the expression: one that blocked for however long was recorded as a success.
#[tokio::test]
async fn a_step_that_blocks_past_its_time_limit_has_timed_out() {
    log::keep();
    let builder = Worker::builder().store(Memory::new()).function(overruns);
    let worker = builder.clock(CLOCK.clone()).build().await.unwrap();
    let call = overruns(named("overruns")).run_id("overruns").via(&worker);
    let error = within("the run", call.into_future()).await.unwrap_err();
    let report = error.report();
    assert!(report.contains("step `past` failed"), "{report}");
    assert!(
        report.contains("timed out after 2s; it blocked its thread"),
        "{report}"
    );
    let told = warnings_with(["blocked its thread past its timeout", "function=overruns"]);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("step{step=past "), "{told:#?}");
    assert!(told[0].contains(" timeout=2s"), "{told:#?}");
}

mod old {
    use belts::{Event, step};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "misread-and-told-of")]
    pub(super) struct Count {
        pub(super) many: String,
    }

    #[belts::function(id = "misreads-and-tells", on = Count)]
    pub(super) async fn count(count: Count) -> belts::Result<usize> {
        step!("count", count.many.len()).await
    }
}

mod new {
    use belts::{Event, step};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "misread-and-told-of")]
    pub(super) struct Count {
        pub(super) many: u32,
    }

    #[belts::function(id = "misreads-and-tells", on = Count)]
    pub(super) async fn count(count: Count) -> belts::Result<u32> {
        step!("count", count.many).await
    }
}

/// What it could not read is another word for each event, and yet it is one thing to tell: what is told of is remembered for ever.
#[tokio::test]
async fn that_a_version_cannot_read_a_kind_of_event_is_told_once() {
    log::keep();
    let store = Memory::new();
    let builder = Worker::builder().store(store.clone()).function(old::count);
    let old = builder.build().await.unwrap();
    let builder = Worker::builder().store(store.clone()).function(new::count);
    let new = builder.build().await.unwrap();
    for many in ["one", "two", "three"] {
        let many = many.to_owned();
        let published = old::publish_count(old::Count { many });
        published.via(&old).await.unwrap();
    }
    let running = looped(&new);
    eventually("all are misread", async || {
        let runs = new.runs().list().await.unwrap().runs;
        runs.iter().all(|run| run.status == RunStatus::Suspended)
    })
    .await;
    let told = warnings_with(["cannot decode the run's event", "misreads-and-tells"]);
    assert_eq!(told.len(), 1, "{told:#?}");
    new.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

mod unheard {
    use belts::Event;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "heard-by-nobody")]
    pub(super) struct Unheard {}

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "heard-by-nobody-either")]
    pub(super) struct UnheardToo {}
}

/// Such an event vanished with `Ok` and without a word.
#[tokio::test]
async fn that_nobody_subscribes_to_an_event_is_told_once_for_each_type() {
    log::keep();
    let builder = Worker::builder().store(Memory::new()).function(blocks);
    let worker = builder.build().await.unwrap();
    for _ in 0..3 {
        let published = unheard::publish_unheard(unheard::Unheard {});
        published.via(&worker).await.unwrap();
    }
    let told = warnings_with(["no function subscribes", "event_type=heard-by-nobody "]);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(!told[0].contains("only publishes"), "{told:#?}");

    let builder = Worker::builder().store(Memory::new()).publish_only();
    let front = builder.build().await.unwrap();
    for _ in 0..2 {
        let published = unheard::publish_unheard_too(unheard::UnheardToo {});
        published.via(&front).await.unwrap();
    }
    let told = warnings_with(["no function subscribes", "heard-by-nobody-either"]);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("only publishes"), "{told:#?}");
}

/// A loop said nothing of what it drives, and whose functions were missing showed when nothing happened.
#[tokio::test]
async fn a_loop_says_at_its_start_which_functions_it_drives() {
    log::keep();
    let builder = Worker::builder().store(Memory::new());
    let worker = builder.function(says_so).build().await.unwrap();
    let running = looped(&worker);
    eventually("it says so", async || {
        let told = [
            "INFO",
            "found a function",
            "function=is-told-of-at-the-start",
        ];
        !log::lines_with(&told).is_empty()
    })
    .await;
    let told = log::lines_with(&["INFO", "belts drives runs", "functions=1"]);
    assert!(!told.is_empty());
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[belts::function(id = "is-told-of-at-the-start", on = Named, retries = 0)]
async fn says_so(_event: Named) -> belts::Result<()> {
    Ok(())
}
