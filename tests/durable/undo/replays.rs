//! How the function is replayed: whatever it did side by side is found, and nothing of it is done again.

use belts::{race, scope, wait};

use super::*;

everywhere! {
    steps_beside_the_one_that_failed_are_undone
    losers_of_a_race_are_undone
    loops_and_helpers_are_undone_under_their_keys
    a_replay_begins_no_step
    what_the_code_no_longer_reaches_is_told
    steps_behind_something_else_are_reached_before_the_failure
    what_may_have_happened_is_told
    what_may_have_happened_is_told_whatever_crashes
}

#[belts::function(id = "z-undo-beside", on = Named)]
async fn beside(event: Named) -> belts::Result<()> {
    let name = &event.name;
    // In a replay it comes first, and ends the others.
    tokio::try_join!(
        step!("car", async {
            crate::gated::gate(name).await;
            Err::<(), _>(belts::terminal("no car is left"))
        }),
        async {
            step!("flight", reserve(name, "flight"), undo = release).await?;
            step!("hotel", reserve(name, "hotel"), undo = release).await?;
            step!("boat", reserve(name, "boat"), undo = release).await?;
            step!("last", crate::gated::open(name)).await
        },
    )?;
    Ok(())
}

async fn steps_beside_the_one_that_failed_are_undone(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(beside);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} beside");
    let run = harness.run(beside, named(&name)).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    assert_done(
        &name,
        &["flight", "hotel", "boat", "-boat", "-hotel", "-flight"],
    );
}

#[belts::function(id = "z-undo-raced", on = Named)]
async fn raced(event: Named) -> belts::Result<()> {
    let name = &event.name;
    let first = race!("first", {
        boat = async {
            step!("ticket", reserve(name, "ticket"), undo = release).await?;
            step!("cabin", reserve(name, "cabin"), undo = release).await?;
            wait!("sails", Named).await
        } => { boat?; "boat" },
        train = async {
            sleep!("night", "10h").await?;
            step!("seat", reserve(name, "seat"), undo = release).await
        } => { train?; "train" }
    })
    .await?;
    assert_eq!(first, "train");
    sleep!("journey", "10h").await?;
    Err(belts::terminal("it rains"))
}

async fn losers_of_a_race_are_undone(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(raced);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} raced");
    let run = raced(named(&name)).run_id(&*name).via(&harness.worker());
    run.start().await.unwrap();
    harness.travel(DAY).await.unwrap();
    let record = harness.store().run(&name).await.unwrap();
    assert_eq!(record.status, RunStatus::Failed);
    assert_done(
        &name,
        &["ticket", "cabin", "seat", "-seat", "-cabin", "-ticket"],
    );
    let undone = harness.store().journal(&name).await.unwrap();
    let undone: Vec<_> = undone
        .iter()
        .filter(|entry| entry.kind == StepKind::Undo)
        .map(|entry| &*entry.path)
        .collect();
    assert_eq!(
        undone,
        [
            "first/train/undo:seat",
            "first/boat/undo:cabin",
            "first/boat/undo:ticket"
        ]
    );
}

#[belts::steps]
async fn parcel(name: &str, n: usize) -> belts::Result<()> {
    let what = format!("label-{n}");
    step!("label", reserve(name, &what), undo = release).await?;
    Ok(())
}

#[belts::function(id = "z-undo-looped", on = Named)]
async fn looped(event: Named) -> belts::Result<()> {
    let name = &event.name;
    for n in 0..3 {
        let what = format!("ship-{n}");
        step!("ship-{n}", reserve(name, &what), undo = release).await?;
        scope!("parcel-{n}", parcel(name, n)).await?;
    }
    Err(belts::terminal("it rains"))
}

async fn loops_and_helpers_are_undone_under_their_keys(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(looped);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} looped");
    let run = harness.run(looped, named(&name)).await.unwrap();
    let undone = [
        "-label-2", "-ship-2", "-label-1", "-ship-1", "-label-0", "-ship-0",
    ];
    assert_eq!(done_for(&name)[6..], undone);
    let steps = run.steps();
    assert_eq!(steps[6..8], ["parcel-2/undo:label", "undo:ship-2"]);
}

#[belts::function(id = "z-undo-half", on = Named)]
async fn half(event: Named, cx: belts::Context) -> belts::Result<()> {
    let name = &event.name;
    step!("flight", reserve(name, "flight"), undo = release).await?;
    cx.set_status("flying").await?;
    sleep!("stay", "1h").await?;
    cx.set_status("landed").await?;
    step!("hotel", reserve(name, "hotel"), undo = release).await?;
    sleep!("nights", "240h").await
}

async fn a_replay_begins_no_step(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(half);
    let harness = harness.build().await.unwrap();
    let name = &format!("{at} half");
    let run = half(named(name)).run_id(&**name).via(&harness.worker());
    run.start().await.unwrap();
    harness.travel(Duration::from_secs(60)).await.unwrap();
    assert!(harness.worker().runs().cancel(name).await.unwrap());
    // The sleep would be over by now.
    harness.travel(DAY).await.unwrap();
    let record = harness.store().run(name).await.unwrap();
    assert_eq!(record.status, RunStatus::Cancelled);
    assert_done(name, &["flight", "-flight"]);
    let status = harness.store().status_value::<String>(name).await.unwrap();
    assert_eq!(status.as_deref(), Some("flying"));
}

/// A deploy later.
mod later {
    use super::*;

    #[belts::function(id = "z-undo-stay", on = Named)]
    pub(super) async fn stay(event: Named) -> belts::Result<()> {
        let name = &event.name;
        // The flight is gone, and the hotel has no undo any more.
        step!("hotel", reserve(name, "hotel")).await?;
        step!("boat", reserve(name, "boat"), undo = release).await?;
        sleep!("stay", "336h").await
    }
}

async fn what_the_code_no_longer_reaches_is_told(place: impl Reopen, at: &str) {
    let place: std::sync::Arc<dyn Reopen> = std::sync::Arc::new(place);
    let name = &format!("{at} moved");
    let store = place.open().await.unwrap();
    {
        let harness = Harness::builder()
            .store(std::sync::Arc::clone(&store))
            .function(stay);
        let harness = harness.build().await.unwrap();
        let run = stay(named(name)).run_id(&**name).via(&harness.worker());
        run.start().await.unwrap();
        harness.travel(DAY).await.unwrap();
        assert!(harness.worker().runs().cancel(name).await.unwrap());
    }
    let harness = Harness::builder().store(store).function(later::stay);
    let harness = harness.build().await.unwrap();
    harness.travel(DAY * 30).await.unwrap();
    let record = harness.store().run(name).await.unwrap();
    assert_eq!(record.status, RunStatus::Cancelled);
    assert_done(name, &["flight", "hotel"]);
    for (path, why) in [
        (
            "undo:hotel",
            "could not be undone: the function no longer says how",
        ),
        (
            "undo:flight",
            "could not be undone: the function no longer reaches the step",
        ),
    ] {
        let error = harness.store().step_error(name, path).await.unwrap();
        assert!(error.report().contains(why), "{}", error.report());
    }
}

#[belts::function(id = "z-undo-behind", on = Named, retries = 0)]
async fn behind(event: Named) -> belts::Result<()> {
    let name = &event.name;
    tokio::try_join!(
        async {
            // As a pool of connections is waited for.
            belts_suite::a_moment().await;
            step!("flight", reserve(name, "flight"), undo = release).await?;
            step!("open", crate::gated::open(name)).await
        },
        step!("car", async {
            crate::gated::gate(name).await;
            Err::<(), _>(belts::terminal("no car is left"))
        }),
    )?;
    Ok(())
}

/// The failure came back at once, and ended the function before the other branch had come to its step, each time anew.
async fn steps_behind_something_else_are_reached_before_the_failure(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(behind);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} behind");
    let run = harness.run(behind, named(&name)).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    assert_done(&name, &["flight", "-flight"]);
    assert_eq!(run.attempts("undo:flight"), 1);
}

#[belts::function(id = "z-undo-unknown", on = Named, retries = 0)]
async fn unknown(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("flight", reserve(name, "flight"), undo = release).await?;
    step!(
        "charge",
        reserve(name, "charge"),
        unknown = "park",
        undo = release
    )
    .await?;
    Ok(())
}

/// A charge was made, its process died, and the run was cancelled before anybody had said what is so. Nothing told of the charge.
async fn what_may_have_happened_is_told(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(unknown);
    let harness = harness.build().await.unwrap();
    let name = &format!("{at} unknown");
    // The record of the charge, behind that of the flight and the mark that it is begun.
    harness.faults().crash(belts::testing::Crash::Before(4));
    let run = harness.run(unknown, named(name)).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Suspended));
    assert_done(name, &["flight", "charge"]);
    let runs = harness.worker().runs();
    assert!(runs.cancel(run.run_id()).await.unwrap());
    harness.settle().await.unwrap();
    assert_done(name, &["flight", "charge", "-flight"]);
    let record = harness.store().run(run.run_id()).await.unwrap();
    assert_eq!(record.status, RunStatus::Cancelled);
    let error = harness
        .store()
        .step_error(run.run_id(), "undo:charge")
        .await
        .unwrap();
    let report = error.report();
    assert!(
        report.contains("the outcome of the step `charge` is unknown"),
        "{report}"
    );
}

/// All was undone when a process died, and the next one had nothing left to undo.
async fn what_may_have_happened_is_told_whatever_crashes(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(unknown);
    let harness = harness.build().await.unwrap();
    for write in 1..=6 {
        let name = &format!("{at} unknown {write}");
        harness.faults().crash(belts::testing::Crash::Before(4));
        let run = harness.run(unknown, named(name)).await.unwrap();
        let runs = harness.worker().runs();
        assert!(runs.cancel(run.run_id()).await.unwrap());
        harness.faults().crash(belts::testing::Crash::Before(write));
        harness.settle().await.unwrap();
        let record = harness.store().run(run.run_id()).await.unwrap();
        assert_eq!(record.status, RunStatus::Cancelled, "{write}");
        let journal = harness.store().journal(run.run_id()).await.unwrap();
        let undos = journal.iter().filter(|entry| entry.kind == StepKind::Undo);
        let undos: Vec<_> = undos.map(|undo| (&*undo.path, undo.state)).collect();
        let expected = [
            ("undo:flight", StepState::Completed),
            ("undo:charge", StepState::Failed),
        ];
        assert_eq!(undos, expected, "{write}");
    }
}
