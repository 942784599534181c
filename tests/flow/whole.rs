//! Whoever calls the code of a function with a `batch` again gives it all its events: to undo a run, and to check new code over it.

use std::time::Duration;

use belts::{
    Event, sleep, step,
    store::RunStatus,
    testing::{Harness, SqliteFile},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Parcel {
    order: String,
    n: u32,
}

fn parcel(order: &str, n: u32) -> Parcel {
    let order = order.to_owned();
    Parcel { order, n }
}

#[belts::function(id = "ships", on = Parcel, retries = 0, batch(size = 2, within = "5s", key = |e| &e.order))]
async fn ships(parcels: Vec<Parcel>) -> belts::Result<usize> {
    for parcel in &parcels {
        let n = parcel.n;
        step!("reserve-{n}", n, undo = move |_: u32| async {}).await?;
    }
    if parcels.iter().any(|parcel| parcel.n == 0) {
        return Err(belts::terminal("none"));
    }
    sleep!("pause", "1d").await?;
    Ok(parcels.len())
}

/// A run that was undone was called with its first event alone, and had nothing to undo of the others.
#[tokio::test]
async fn an_undo_has_all_events_of_a_batch() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .build()
        .await?;
    for n in [1, 0] {
        harness.publish(parcel("a", n)).await?;
    }
    harness.settle().await?;
    let runs = harness.runs_of(ships).await?;
    assert_eq!(runs.len(), 1);
    runs[0].assert_failed().assert_steps(&[
        "reserve-1",
        "reserve-0",
        "undo:reserve-0",
        "undo:reserve-1",
    ]);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_batch_is_undone_with_all_its_events() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .build()
        .await?;
    for n in [1, 2] {
        harness.publish(parcel("a", n)).await?;
    }
    harness.travel(Duration::from_secs(5)).await?;
    let id = harness.runs_of(ships).await?[0].run_id().to_owned();
    harness.worker().runs().cancel(&id).await?;
    harness.settle().await?;
    let runs = harness.runs_of(ships).await?;
    assert_eq!(runs[0].status(), Some(RunStatus::Cancelled));
    let undone: Vec<_> = runs[0]
        .steps()
        .into_iter()
        .filter(|path| path.starts_with("undo:"))
        .map(str::to_owned)
        .collect();
    assert_eq!(undone, ["undo:reserve-2", "undo:reserve-1"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_and_a_replay_have_all_events_of_a_batch() -> belts::Result<()> {
    let harness = Harness::builder()
        .store(SqliteFile::temporary())
        .build()
        .await?;
    for n in [1, 2] {
        harness.publish(parcel("a", n)).await?;
    }
    harness.travel(Duration::from_secs(5)).await?;
    let id = harness.runs_of(ships).await?[0].run_id().to_owned();
    let report = harness.worker().check().await?;
    let checked = report.functions().iter();
    let of_ships: Vec<_> = checked.filter(|it| it.function_id() == "ships").collect();
    assert_eq!(of_ships[0].runs(), 1);
    assert!(
        report.is_ok() && of_ships[0].ignored().is_empty(),
        "{report}"
    );
    let json = harness.worker().runs().export(&id).await?;
    let replayed = harness.replay(&json, ships).await?;
    assert_eq!(replayed.assert_fits().ignored().count(), 0);
    Ok(())
}
