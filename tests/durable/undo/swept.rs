//! Every write of a run that is undone crashed, on every store.

use std::future::IntoFuture;

use belts::{
    call,
    testing::{Case, sweep},
};
use tokio::{runtime::Handle, task::block_in_place};

use super::*;

/// A server takes a while to open a store.
const LIMIT: Duration = Duration::from_secs(300);

#[belts::function(id = "z-undo-swept-child", on = Named)]
async fn child(event: Named) -> belts::Result<String> {
    step!("pick", event.name.clone(), undo = |_: String| async {}).await
}

#[belts::function(id = "z-undo-swept", on = Named, retries = 1)]
async fn swept(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("flight", name.clone(), undo = |_: String| async {}).await?;
    let (hotel, boat) = tokio::join!(
        step!("hotel", name.len(), undo = |_: usize| async {}),
        step!(
            "boat",
            name.len(),
            undo = |_: usize| async { Err::<(), _>("it has sailed") },
            retries = 0
        ),
    );
    call!("guide", child(named(name)), undo = |_: String| async {}).await?;
    sleep!("night", "24h").await?;
    assert_eq!(hotel?, boat?);
    step!("car", async {
        Err::<(), _>(belts::terminal("no car is left"))
    })
    .await
}

/// The run has ended as it does without a crash, and so has what undoes it.
fn check(case: &Case<'_, ()>) {
    assert_eq!(
        case.run.status(),
        Some(RunStatus::Failed),
        "{:?}",
        case.crash
    );
    let undos: Vec<_> = case
        .run
        .journal()
        .iter()
        .filter(|entry| entry.kind == StepKind::Undo)
        .collect();
    let of: Vec<_> = undos.iter().map(|undo| (&*undo.path, undo.state)).collect();
    let expected = [
        ("undo:guide", StepState::Completed),
        ("undo:boat", StepState::Failed),
        ("undo:hotel", StepState::Completed),
        ("undo:flight", StepState::Completed),
    ];
    assert_eq!(of, expected, "{:?}", case.crash);
    let child = case
        .run
        .journal()
        .iter()
        .find(|entry| &*entry.path == "guide")
        .unwrap();
    let Some(belts::store::Wait::Event {
        key: Some(child), ..
    }) = &child.wait
    else {
        panic!("a call waits for its child");
    };
    let record = block_in_place(|| Handle::current().block_on(case.harness.store().run(child)));
    assert_eq!(record.unwrap().status, RunStatus::Completed);
}

async fn swept_on<P: Reopen>(place: impl Fn() -> P + Send + Sync + 'static) {
    let sweep = sweep(place).function(swept).event(named("lisbon"));
    let sweep = sweep
        .harness(|harness| harness.function(child).function(swept))
        .check(check);
    let report = within_time(LIMIT, "the sweep", sweep.into_future())
        .await
        .unwrap();
    assert!(report.writes >= 15, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_memory() {
    swept_on(Memory::new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    swept_on(SqliteFile::temporary).await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    swept_on(InSchema::new).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread")]
async fn on_redis() {
    swept_on(UnderPrefix::new).await;
}
