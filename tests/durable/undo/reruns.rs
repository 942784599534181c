//! A rerun of a run that was undone does anew what was undone.

use super::*;

everywhere! {
    what_was_undone_is_done_anew
    what_could_not_be_undone_stays
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
    run.assert_steps(&["mail", "flight", "hotel", "car"]);
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
