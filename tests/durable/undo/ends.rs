//! Whatever ends a run that has something to undo, and who hears of it when.

use belts::{ErrorKind, Failed, store::Rerun};

use super::*;

everywhere! {
    a_run_out_of_time_is_undone
    an_event_that_cancels_has_the_run_undone
    failure_handlers_start_once_it_is_undone
    a_run_without_undos_ends_at_once
    a_worker_that_dies_again_and_again_gives_one_undo_up
    a_cancel_at_any_point_undoes_what_is_recorded_by_then
}

#[belts::function(id = "z-undo-limited", on = Named, finish_within = "1h")]
async fn limited(event: Named) -> belts::Result<()> {
    step!("flight", reserve(&event.name, "flight"), undo = release).await?;
    sleep!("stay", "336h").await
}

async fn a_run_out_of_time_is_undone(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(limited);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} limited");
    let run = harness.run(limited, named(&name)).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Cancelled));
    assert_done(&name, &["flight", "-flight"]);
    let error = run.output().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(
        error.to_string().contains("had not finished within 1h"),
        "{error}"
    );
    let record = run.record().unwrap();
    let limit = record.finish_by.unwrap().since(record.created_at);
    assert_eq!(limit, Duration::from_secs(3600));
    // It has its time anew.
    let store = harness.store().shared();
    let again = Rerun::new(run.run_id(), harness.now());
    assert!(store.rerun(again).await.unwrap());
    let record = harness.store().run(run.run_id()).await.unwrap();
    let limit = record.finish_by.unwrap().since(harness.now());
    assert_eq!(limit, Duration::from_secs(3600));
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-undo-booked", key = name)]
struct Booked {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-undo-withdrawn", key = name)]
struct Withdrawn {
    name: String,
}

#[belts::function(id = "z-undo-withdrawable", on = Booked, cancel_on = Withdrawn)]
async fn withdrawable(event: Booked) -> belts::Result<()> {
    step!("flight", reserve(&event.name, "flight"), undo = release).await?;
    sleep!("stay", "336h").await
}

async fn an_event_that_cancels_has_the_run_undone(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(withdrawable);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} withdrawn");
    harness
        .publish(Booked { name: name.clone() })
        .await
        .unwrap();
    harness.travel(DAY).await.unwrap();
    harness
        .publish(Withdrawn { name: name.clone() })
        .await
        .unwrap();
    harness.travel(DAY).await.unwrap();
    let run = only(harness.runs_of(withdrawable).await);
    assert_eq!(run.status(), Some(RunStatus::Cancelled));
    assert!(
        run.output()
            .unwrap_err()
            .to_string()
            .starts_with("cancelled by event `z-undo-withdrawn`")
    );
    assert_done(&name, &["flight", "-flight"]);
}

#[belts::function(id = "z-undo-handler", on_failure = trip)]
async fn handler(failed: Failed<Named>) -> belts::Result<()> {
    assert_eq!(failed.step.as_deref(), Some("car"));
    step!("note", done(&failed.event.name, "failed")).await
}

async fn failure_handlers_start_once_it_is_undone(place: impl Reopen, at: &str) {
    let harness = Harness::builder()
        .store(place)
        .function(trip)
        .function(handler);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} handled");
    harness.publish(named(&name)).await.unwrap();
    harness.settle().await.unwrap();
    let all = ["flight", "mail", "hotel", "-hotel", "-flight", "failed"];
    assert_done(&name, &all);
    let run = only(harness.runs_of(handler).await);
    assert_eq!(run.status(), Some(RunStatus::Completed));
}

#[belts::function(id = "z-undo-plain", on = Named)]
async fn plain(event: Named) -> belts::Result<()> {
    step!(
        "late",
        reserve(&event.name, "late"),
        undo = release,
        retries = 0
    )
    .await?;
    sleep!("stay", "336h").await
}

async fn a_run_without_undos_ends_at_once(place: impl Reopen, at: &str) {
    let builder = Harness::builder().store(place).function(plain);
    let harness = builder.preset_error("late", "no").build().await.unwrap();
    let name = format!("{at} plain");
    // A step that has failed has nothing to undo.
    let run = harness.run(plain, named(&name)).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    run.assert_steps(&["late"]);
    harness.clear_preset("late");
    let run = plain(named(&name))
        .run_id(&*name)
        .delay(DAY)
        .via(&harness.worker());
    run.start().await.unwrap();
    assert!(harness.worker().runs().cancel(&name).await.unwrap());
    let record = harness.store().run(&name).await.unwrap();
    assert_eq!(record.status, RunStatus::Cancelled);
    assert_done(&name, &[]);
}

#[belts::function(id = "z-undo-deadly", on = Named)]
async fn deadly(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("flight", reserve(name, "flight"), undo = release).await?;
    step!(
        "hotel",
        reserve(name, "hotel"),
        undo = |hotel: Reserved| async move {
            // The process is gone, as far as the store can tell.
            crate::gated::effect(format!("{} dies", hotel.name));
            std::future::pending::<()>().await;
        }
    )
    .await?;
    Err(belts::terminal("it rains"))
}

async fn a_worker_that_dies_again_and_again_gives_one_undo_up(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(deadly);
    let harness = harness.build().await.unwrap();
    let name = format!("{at} deadly");
    let run = deadly(named(&name)).run_id(&*name).via(&harness.worker());
    run.start().await.unwrap();
    let dies = format!("{name} dies");
    for death in 1.. {
        let settled = harness.settle();
        let dead =
            crate::gated::eventually("the undo", async || crate::gated::effects(&dies) >= death);
        let over = tokio::select! {
            settled = settled => { settled.unwrap(); true }
            () = dead => false,
        };
        if over {
            break;
        }
        harness.restart().await.unwrap();
    }
    let record = harness.store().run(&name).await.unwrap();
    assert_eq!(record.status, RunStatus::Failed);
    assert_done(&name, &["flight", "hotel", "-flight"]);
    let error = harness
        .store()
        .step_error(&name, "undo:hotel")
        .await
        .unwrap();
    assert!(
        error.report().contains("could not be undone"),
        "{}",
        error.report()
    );
}

#[belts::function(id = "z-undo-stages", on = Named)]
async fn stages(event: Named) -> belts::Result<()> {
    let name = &event.name;
    for stage in ["one", "two", "three"] {
        step!("{stage}", reserve(name, stage), undo = release).await?;
        sleep!("after-{stage}", "1h").await?;
    }
    Ok(())
}

async fn a_cancel_at_any_point_undoes_what_is_recorded_by_then(place: impl Reopen, at: &str) {
    let harness = Harness::builder().store(place).function(stages);
    let harness = harness.build().await.unwrap();
    for hours in 0..=4 {
        let name = &format!("{at} stage {hours}");
        let run = stages(named(name)).run_id(&**name).via(&harness.worker());
        run.start().await.unwrap();
        if hours > 0 {
            let half = Duration::from_secs(3600 * hours - 1800);
            harness.travel(half).await.unwrap();
        }
        let cancelled = harness.worker().runs().cancel(name).await.unwrap();
        assert_eq!(cancelled, hours < 4, "{hours}");
        harness.travel(DAY).await.unwrap();
        let all = ["one", "two", "three"];
        let begun = &all[..usize::try_from(hours.min(3)).unwrap()];
        let mut expected: Vec<String> = begun.iter().map(ToString::to_string).collect();
        if cancelled {
            expected.extend(begun.iter().rev().map(|stage| format!("-{stage}")));
        }
        assert_eq!(done_for(name), expected, "{hours}");
        let status = harness.store().run(name).await.unwrap().status;
        assert_eq!(status == RunStatus::Completed, hours == 4, "{hours}");
    }
}

#[belts::function(id = "z-undo-driven", on = Named)]
async fn driven(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("flight", reserve(name, "flight"), undo = release).await?;
    step!(
        "hotel",
        async {
            done(name, "hotel");
            crate::gated::gate(name).await;
        },
        undo = |()| async {}
    )
    .await
}

/// Another process cancels it while a step of it runs.
#[tokio::test]
async fn a_run_that_another_worker_cancels_is_undone_once() {
    let (store, clock) = (Memory::new(), belts::testing::ManualClock::default());
    let [one, two] = [
        crate::gated::worker_of(store.clone(), driven, &clock).await,
        crate::gated::worker_of(store.clone(), driven, &clock).await,
    ];
    let name = "m driven";
    driven(named(name))
        .run_id(name)
        .via(&one)
        .start()
        .await
        .unwrap();
    let loops = [crate::gated::looped(&one), crate::gated::looped(&two)];
    crate::gated::eventually("the hotel", async || done_for(name).len() == 2).await;
    assert!(two.runs().cancel(name).await.unwrap());
    crate::gated::eventually("the end", async || {
        clock.advance(Duration::from_millis(500));
        let run = two.runs().get(name).await.unwrap();
        run.status == RunStatus::Cancelled
    })
    .await;
    crate::gated::open(name);
    assert_done(name, &["flight", "hotel", "-flight"]);
    let journal = two.runs().journal(name).await.unwrap();
    let paths: Vec<_> = journal.iter().map(|entry| &*entry.path).collect();
    assert_eq!(paths, ["flight", "undo:flight"]);
    for worker in [&one, &two] {
        worker.shutdown();
    }
    for end in loops {
        end.await.unwrap().unwrap();
    }
}
