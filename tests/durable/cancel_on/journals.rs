//! What the journal keeps of `cancel_on`, and programs that have it beside programs that do not.

use belts::{
    Worker,
    store::{SharedStore, StepKind},
};

use super::*;
use crate::gated::harness_of;

/// A version of a function without the option, and two with it.
#[belts::function(id = "z-cxl-old", on = Begun)]
async fn without(begun: Begun) -> belts::Result<()> {
    step!("one", effect(format!("{} one", begun.customer))).await?;
    sleep!("pause", "48h").await?;
    step!("two", effect(format!("{} two", begun.customer))).await
}

mod newer {
    use super::*;

    #[belts::function(id = "z-cxl-old", on = Begun, cancel_on = Left)]
    pub(super) async fn with(begun: Begun) -> belts::Result<()> {
        step!("one", effect(format!("{} one", begun.customer))).await?;
        sleep!("pause", "48h").await?;
        step!("two", effect(format!("{} two", begun.customer))).await
    }

    #[belts::function(id = "z-cxl-old", on = Begun, cancel_on = Died)]
    pub(super) async fn with_another(begun: Begun) -> belts::Result<()> {
        step!("one", effect(format!("{} one", begun.customer))).await?;
        sleep!("pause", "48h").await?;
        step!("two", effect(format!("{} two", begun.customer))).await
    }
}

#[belts::function(id = "z-cxl-few", on = Begun, cancel_on = Left, max_steps = 1)]
async fn few(begun: Begun) -> belts::Result<usize> {
    step!("only", begun.customer.len()).await
}

/// The event of which the runs know by their own types.
#[belts::function(id = "z-cxl-newest", on = Begun, cancel_on = Begun)]
async fn newest(begun: Begun) -> belts::Result<()> {
    sleep!("pause", "48h").await?;
    step!("act", effect(format!("{} acts", begun.customer))).await
}

everywhere! {
    a_run_that_began_without_the_option_has_it_under_a_new_program
    a_program_without_the_option_passes_the_event_over
    a_program_with_another_event_listens_for_that
}

/// A journal of one program, gone on with by another.
async fn gone_on<M, N>(
    place: &impl Reopen,
    name: &str,
    before: impl belts::Function<M, Event = Begun>,
    after: impl belts::Function<N>,
) -> Harness {
    let store: SharedStore = place.open().await.unwrap();
    let first = Harness::builder()
        .store(SharedStore::clone(&store))
        .function(before);
    let first = first.build().await.unwrap();
    first.publish(begun(name)).await.unwrap();
    first.travel(DAY).await.unwrap();
    let now = first.now();
    drop(first);
    let second = Harness::builder().store(store).function(after);
    let second = second.build().await.unwrap();
    second.travel_to(now).await.unwrap();
    second
}

async fn a_run_that_began_without_the_option_has_it_under_a_new_program(
    place: impl Reopen,
    at: &str,
) {
    let name = format!("{at} newer");
    let harness = gone_on(&place, &name, without, newer::with).await;
    // Nobody listens yet, but the run looks back to its start.
    harness.publish(left(&name)).await.unwrap();
    harness.travel(DAY * 3).await.unwrap();
    let run = only(harness.runs_of(newer::with).await);
    assert_cancelled(&run, "z-cancel-left");
    run.assert_steps(&["one", "pause"]);
}

async fn a_program_without_the_option_passes_the_event_over(place: impl Reopen, at: &str) {
    let name = format!("{at} older");
    let harness = gone_on(&place, &name, newer::with, without).await;
    harness.publish(left(&name)).await.unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(without).await);
    run.assert_completed()
        .assert_steps(&["one", "pause", "two"]);
    assert_eq!(effects(&format!("{name} one")), 1);
}

async fn a_program_with_another_event_listens_for_that(place: impl Reopen, at: &str) {
    let name = format!("{at} another");
    let harness = gone_on(&place, &name, newer::with, newer::with_another).await;
    harness.publish(left(&name)).await.unwrap();
    harness.travel(Duration::from_secs(3600)).await.unwrap();
    let run = only(harness.runs_of(newer::with_another).await);
    assert_eq!(run.status(), Some(RunStatus::Suspended), "{run:?}");
    let customer = name.clone();
    harness.publish(Died { customer }).await.unwrap();
    harness.travel(DAY * 3).await.unwrap();
    assert_cancelled(
        &only(harness.runs_of(newer::with_another).await),
        "z-cancel-died",
    );
}

#[tokio::test]
async fn the_wait_is_no_step() {
    let harness = harness_of(few).await;
    let run = harness
        .run(few, begun("few"))
        .run_id("z-few")
        .await
        .unwrap();
    assert_eq!(run.output().unwrap(), 3);
    run.assert_steps(&["only"]);
    let kinds: Vec<StepKind> = run.journal().iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [StepKind::Wait, StepKind::Step]);
    let runs = harness.worker().runs();
    let from = runs.rerun_from("z-few", "~cancel_on").await.unwrap_err();
    assert_eq!(from.kind(), ErrorKind::UnknownRun);
}

#[tokio::test]
async fn a_function_without_the_option_records_nothing_for_it() {
    let harness = harness_of(without).await;
    let run = harness.run(without, begun("without")).await.unwrap();
    let paths: Vec<&str> = run.journal().iter().map(|entry| &*entry.path).collect();
    assert_eq!(paths, ["one", "pause", "two"]);
}

#[tokio::test]
async fn the_next_event_of_the_type_that_starts_a_function_may_cancel_its_runs() {
    let harness = harness_of(newest).await;
    for _ in 0..3 {
        harness.publish(begun("newest")).await.unwrap();
        harness.travel(DAY).await.unwrap();
    }
    harness.settle().await.unwrap();
    let runs = harness.runs_of(newest).await.unwrap();
    let statuses: Vec<_> = runs.iter().filter_map(TestRun::status).collect();
    let (cancelled, completed) = (RunStatus::Cancelled, RunStatus::Completed);
    assert_eq!(statuses, [cancelled, cancelled, completed]);
    assert_eq!(effects("newest acts"), 1);
}

/// A store that keeps no waits is an error at the start.
#[tokio::test]
async fn the_option_needs_a_store_that_keeps_waits() {
    let store: SharedStore = std::sync::Arc::new(Memory::new());
    let store = belts_suite::Hooked::that_can(store, belts::store::Capabilities::NONE);
    let built = Worker::builder()
        .shared_store(store)
        .function(few)
        .build()
        .await;
    let text = built.unwrap_err().to_string();
    assert!(
        text.contains("`cancel_on`") && text.contains("`z-cxl-few`"),
        "{text}"
    );
}
