//! Runs that others have called: what is undone of whom.

use belts::call;

use super::*;

everywhere! {
    the_output_of_a_call_is_undone
    a_child_is_undone_where_its_parent_is_cancelled
    a_parent_hears_of_its_child_once_that_is_undone
}

#[belts::function(id = "z-undo-child", on = Named)]
async fn child(event: Named) -> belts::Result<Reserved> {
    let name = &event.name;
    step!("guide", reserve(name, "guide")).await
}

#[belts::function(id = "z-undo-parent", on = Named)]
async fn parent(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("flight", reserve(name, "flight"), undo = release).await?;
    let guide = call!("tour", child(named(name)), undo = release).await?;
    assert_eq!(guide.what, "guide");
    Err(belts::terminal("it rains"))
}

async fn the_output_of_a_call_is_undone(place: impl Reopen, at: &str) {
    let harness = Harness::builder()
        .store(place)
        .function(parent)
        .function(child);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} called");
    let run = harness.run(parent, named(&name)).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    assert_done(&name, &["flight", "guide", "-guide", "-flight"]);
    run.assert_steps(&["flight", "tour", "undo:tour", "undo:flight"]);
    // It is done anew, by another child.
    harness.rerun(parent, run.run_id()).await.unwrap();
    let all = ["flight", "guide", "-guide", "-flight"];
    assert_done(&name, &[all, all].concat());
    assert_eq!(harness.runs_of(child).await.unwrap().len(), 2);
}

#[belts::function(id = "z-undo-above", on = Named)]
async fn above(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("plan", reserve(name, "plan"), undo = release).await?;
    call!("stay", stay(named(name))).await
}

async fn a_child_is_undone_where_its_parent_is_cancelled(place: impl Reopen, at: &str) {
    let harness = Harness::builder()
        .store(place)
        .function(above)
        .function(stay);
    let harness = harness.build().await.unwrap();
    let name = &format!("{at} above");
    let run = above(named(name)).run_id(&**name).via(&harness.worker());
    run.start().await.unwrap();
    harness.travel(DAY).await.unwrap();
    let below = only(harness.runs_of(stay).await);
    assert!(harness.worker().runs().cancel(name).await.unwrap());
    for run in [name, below.run_id()] {
        let record = harness.store().run(run).await.unwrap();
        assert_eq!(record.status, RunStatus::Undoing);
    }
    harness.travel(DAY).await.unwrap();
    for run in [name, below.run_id()] {
        let record = harness.store().run(run).await.unwrap();
        assert_eq!(record.status, RunStatus::Cancelled);
    }
    let mut all = done_for(name);
    all.sort();
    assert_eq!(
        all,
        ["-flight", "-hotel", "-plan", "flight", "hotel", "plan"]
    );
}

#[belts::function(id = "z-undo-over", on = Named)]
async fn over(event: Named) -> belts::Result<()> {
    let name = &event.name;
    let failed = call!("trip", trip(named(name))).await.unwrap_err();
    assert!(
        failed.report().contains("no car is left"),
        "{}",
        failed.report()
    );
    step!("note", done(name, "heard")).await
}

async fn a_parent_hears_of_its_child_once_that_is_undone(place: impl Reopen, at: &str) {
    let harness = Harness::builder()
        .store(place)
        .function(over)
        .function(trip);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} over");
    let run = harness.run(over, named(&name)).await.unwrap();
    run.assert_completed();
    assert_done(
        &name,
        &["flight", "mail", "hotel", "-hotel", "-flight", "heard"],
    );
}
