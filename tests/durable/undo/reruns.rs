//! A rerun of a run that was undone does anew what was undone.

use belts::{Context, Failed};

use super::*;
use crate::gated::effects;

everywhere! {
    what_was_undone_is_done_anew
    what_could_not_be_undone_stays
    what_stayed_is_undone_though_nothing_else_was_recorded
    what_is_done_anew_has_keys_of_its_own
}

async fn what_was_undone_is_done_anew(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(trip);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} again");
    let run = harness.run(trip, named(&name)).await.unwrap();
    harness.preset("car", Ok(())).unwrap();
    let run = harness.rerun(trip, run.run_id()).await.unwrap();
    run.assert_completed();
    assert_done(
        &name,
        &[
            "flight", "mail", "hotel", "-hotel", "-flight", "flight", "hotel",
        ],
    );
    run.assert_steps(&[
        "mail",
        "undo:hotel",
        "undo:flight",
        "flight",
        "hotel",
        "car",
    ]);
}

async fn what_could_not_be_undone_stays(place: impl Reopen, at: &str) {
    let builder = Harness::builder().store(place).function(trip);
    let harness = builder
        .preset_error("undo:hotel", "no answer")
        .build()
        .await
        .unwrap();
    let name = format!("{at} kept");
    let run = harness.run(trip, named(&name)).await.unwrap();
    assert_done(&name, &["flight", "mail", "hotel", "-flight"]);
    harness.clear_preset("undo:hotel");
    // The hotel is as it was, and is undone once more.
    let run = harness.rerun(trip, run.run_id()).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    assert_eq!(done_for(&name)[4..], ["flight", "-hotel", "-flight"]);
}

#[belts::function(id = "z-undo-paid", on = Named, retries = 0)]
async fn paid(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("charge", reserve(name, "charge"), undo = release).await?;
    step!("car", async {
        Err::<(), _>(belts::terminal("no car is left"))
    })
    .await
}

#[belts::function(id = "z-undo-paid-failed", on_failure = paid)]
async fn paid_failed(failed: Failed<Named>) -> belts::Result<()> {
    step!(
        "note",
        crate::gated::effect(format!("{} failed", failed.event.name))
    )
    .await
}

/// On Redis a mark said that something is to be undone. The end of undoing removed it, and a rerun that kept the charge did not set it
/// again: the charge was never undone, and no handler was started.
async fn what_stayed_is_undone_though_nothing_else_was_recorded(place: impl Reopen, at: &str) {
    let builder = Harness::builder().store(place).function(paid);
    let harness = builder
        .function(paid_failed)
        .preset_error("undo:charge", "no answer")
        .build()
        .await
        .unwrap();
    let name = format!("{at} kept alone");
    let run = harness.run(paid, named(&name)).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    assert_done(&name, &["charge"]);
    harness.settle().await.unwrap();
    assert_eq!(effects(&format!("{name} failed")), 1);
    harness.clear_preset("undo:charge");
    let run = harness.rerun(paid, run.run_id()).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    assert_done(&name, &["charge", "-charge"]);
    harness.settle().await.unwrap();
    assert_eq!(effects(&format!("{name} failed")), 2);
}

#[belts::function(id = "z-undo-keyed", on = Named, retries = 0)]
async fn keyed(event: Named, cx: Context) -> belts::Result<()> {
    let name = &event.name;
    let key = cx.clone();
    step!(
        "charge",
        reserve(name, &cx.idempotency_key("card")),
        undo = move |charge: Reserved| {
            done(&charge.name, format!("-{}", key.idempotency_key("card")));
            async {}
        }
    )
    .await?;
    step!("car", async {
        done(name, format!("car {}", cx.idempotency_key("car")));
        Err::<(), _>(belts::terminal("no car is left"))
    })
    .await
}

/// A charge that was refunded and made anew had the key of the first: the provider answered with the refunded charge, and the second
/// refund was taken for the first.
async fn what_is_done_anew_has_keys_of_its_own(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(keyed);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} keyed");
    let run = harness.run(keyed, named(&name)).await.unwrap();
    for _ in 0..2 {
        harness.rerun(keyed, run.run_id()).await.unwrap();
    }
    let done = done_for(&name);
    assert_eq!(done.len(), 9, "{done:?}");
    let at = |place: usize| &done[place];
    // What failed may have happened, so its key stays.
    assert_eq!((at(1), at(1)), (at(4), at(7)));
    let charges = [at(0), at(3), at(6)];
    let refunds = [at(2), at(5), at(8)];
    for keys in [charges, refunds] {
        assert!(
            keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2],
            "{keys:?}"
        );
    }
    let journal = harness.store().journal(run.run_id()).await.unwrap();
    let undos = journal.iter().filter(|entry| entry.kind == StepKind::Undo);
    let undos: Vec<_> = undos.map(|entry| &*entry.path).collect();
    assert_eq!(undos, ["undo:charge", "undo#2:charge", "undo#3:charge"]);
}
