//! Inspecting and changing runs.

use std::sync::Arc;

use super::bench::{Bench, LEASE, at, entry, event, ok, subscription};
use crate::{
    error::Result,
    store::{
        CommitOutcome, Entry, Note, Purged, Register, Rerun, RunFilter, RunStatus, StepState,
        Timestamp, Transition,
    },
};

pub(super) fn complete() -> Transition {
    Transition::complete(ok("1"))
}

pub(super) fn fail() -> Transition {
    Transition::fail(4, ok("\"why\""))
}

pub(super) async fn run_record_tracks_the_run(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut delayed = event("e", "f");
    delayed.due_at = at(100);
    let run = Arc::clone(&store.publish_all(vec![delayed], at(1)).await?[0].runs[0].run_id);
    let pending = store.record(&run).await?;
    assert_eq!(
        (pending.status, pending.due_at),
        (RunStatus::Pending, Some(at(100)))
    );
    assert_eq!(
        (pending.created_at, pending.started_at, pending.finished_at),
        (at(1), None, None)
    );
    assert_eq!((pending.failed_attempts, pending.result), (0, None));
    let lease = store.take_one(worker, &["f"], at(101)).await?.lease;
    let running = store.record(&run).await?;
    assert_eq!(
        (running.status, running.due_at, running.started_at),
        (RunStatus::Running, None, Some(at(101)))
    );
    store
        .must_write(lease, Vec::new(), Some(complete()), at(102))
        .await?;
    let completed = store.record(&run).await?;
    assert_eq!(
        (completed.status, completed.due_at),
        (RunStatus::Completed, None)
    );
    assert_eq!(
        (completed.started_at, completed.finished_at),
        (Some(at(101)), Some(at(102)))
    );
    Ok(())
}

pub(super) async fn cancel_ends_the_lease(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    let lease = store.take_one(worker, &["f"], at(0)).await?.lease;
    assert!(other.cancel(&run, at(5)).await?);
    let late = store
        .write(lease, vec![entry(0, "late", "1")], Some(complete()), at(6))
        .await?;
    assert_eq!(late, CommitOutcome::LeaseLost);
    let record = store.record(&run).await?;
    assert_eq!(
        (record.status, record.finished_at),
        (RunStatus::Cancelled, Some(at(5)))
    );
    assert!(
        store
            .take(worker, &["f"], at(29_999))
            .await?
            .runs
            .is_empty()
    );
    // The end of the worker does not bring it back either.
    store.deregister(worker, at(7)).await?;
    assert_eq!(store.record(&run).await?.status, RunStatus::Cancelled);
    Ok(())
}

pub(super) async fn cancel_leaves_finished_runs_alone(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut sleeping = event("e-1", "f");
    sleeping.due_at = at(1_000);
    let sleeping = Arc::clone(&store.publish_all(vec![sleeping], at(0)).await?[0].runs[0].run_id);
    assert!(
        store.cancel(&sleeping, at(1)).await?,
        "a waiting run is cancelled"
    );
    assert!(!store.cancel(&sleeping, at(2)).await?, "once");
    assert!(store.take(worker, &["f"], at(2_000)).await?.runs.is_empty());
    assert_eq!(store.record(&sleeping).await?.finished_at, Some(at(1)));
    let done = store.start("e-2", "f").await?;
    let lease = store.take_one(worker, &["f"], at(2_000)).await?.lease;
    store
        .must_write(lease, Vec::new(), Some(complete()), at(2_001))
        .await?;
    assert!(!store.cancel(&done, at(2_002)).await?);
    assert_eq!(store.record(&done).await?.status, RunStatus::Completed);
    Ok(())
}

fn from(run: &str, seq: u32, now: Timestamp) -> Rerun {
    Rerun::new(run, now).with_from(seq)
}

pub(super) async fn rerun_keeps_recorded_steps(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    let first = store.take_one(worker, &["f"], at(3)).await?.lease;
    let failed = Entry {
        state: StepState::Failed,
        ..entry(1, "bad", "0")
    };
    let waiting = Entry {
        state: StepState::Waiting,
        due_at: Some(at(50)),
        ..entry(2, "waits", "0")
    };
    let entries = vec![entry(0, "good", "1"), failed, waiting.clone()];
    store
        .must_write(first, entries, Some(fail()), at(4))
        .await?;
    assert!(store.rerun(Rerun::new(&*run, at(10))).await?);
    let record = store.record(&run).await?;
    assert!(!record.status.is_finished());
    assert_eq!(
        (record.due_at, record.finished_at, record.result),
        (Some(at(10)), None, None)
    );
    let again = store.take_one(worker, &["f"], at(10)).await?;
    assert_eq!(
        again.journal,
        [entry(0, "good", "1"), waiting],
        "the failed entry is dropped, the others stay"
    );
    assert_eq!((again.failed_attempts, again.started_at), (0, at(3)));
    assert!(again.lease.token > first.token);
    store
        .must_write(again.lease, Vec::new(), Some(complete()), at(11))
        .await?;
    assert_eq!(store.record(&run).await?.status, RunStatus::Completed);
    Ok(())
}

pub(super) async fn rerun_from_drops_later_entries(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let (run, other) = (
        store.start("e", "f").await?,
        store.start("other", "f").await?,
    );
    let entries = || {
        let failed = Entry {
            state: StepState::Failed,
            ..entry(1, "bad", "0")
        };
        // There may be gaps.
        let ends = [entry(4, "c", "4"), entry(5, "d", "5")];
        [
            vec![entry(0, "a", "1"), failed, entry(2, "b", "3")],
            ends.into(),
        ]
        .concat()
    };
    for claimed in store.take(worker, &["f"], at(3)).await?.runs {
        assert!(
            !store.rerun(from(&claimed.run_id, 0, at(3))).await?,
            "it is running"
        );
        store
            .must_write(claimed.lease, entries(), Some(fail()), at(4))
            .await?;
    }
    assert!(store.rerun(from(&run, 4, at(10))).await?);
    assert!(
        !store.rerun(from(&run, 0, at(11))).await?,
        "it is due already"
    );
    let again = store.take_one(worker, &["f"], at(11)).await?;
    assert_eq!((&again.run_id, again.failed_attempts), (&run, 0));
    assert_eq!(
        again.journal,
        [entry(0, "a", "1"), entry(2, "b", "3")],
        "what failed earlier is dropped too"
    );
    store
        .must_write(
            again.lease,
            vec![entry(3, "c", "new")],
            Some(fail()),
            at(12),
        )
        .await?;
    assert!(
        store.rerun(from(&run, 0, at(13))).await?,
        "everything may go"
    );
    assert!(store.journal(&run).await?.is_empty());
    assert_eq!(store.journal(&other).await?, entries(), "of no other run");
    Ok(())
}

pub(super) async fn rerun_leaves_other_runs_alone(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    assert!(
        !store.rerun(Rerun::new(&*run, at(1))).await?,
        "it is pending"
    );
    let lease = store.take_one(worker, &["f"], at(1)).await?.lease;
    assert!(
        !store.rerun(Rerun::new(&*run, at(2))).await?,
        "it is running"
    );
    store.must_write(lease, Vec::new(), None, at(2)).await?;
    assert!(store.cancel(&run, at(3)).await?);
    assert!(
        store.rerun(Rerun::new(&*run, at(4))).await?,
        "it was cancelled"
    );
    let lease = store.take_one(worker, &["f"], at(4)).await?.lease;
    store
        .must_write(lease, Vec::new(), Some(complete()), at(5))
        .await?;
    assert!(
        !store.rerun(Rerun::new(&*run, at(6))).await?,
        "it is completed"
    );
    Ok(())
}

pub(super) async fn purge_keeps_unfinished_runs(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store
        .subscribe(vec![subscription("f", &["t"]), subscription("g", &["t"])])
        .await?;
    store
        .publish_all(vec![event("both", "t"), event("one", "t")], at(0))
        .await?;
    let runs = store.take(worker, &["f", "g"], at(0)).await?.runs;
    assert_eq!(runs.len(), 4);
    let of = |event: &str, function: &str| {
        let found = runs
            .iter()
            .find(|run| &*run.event_id == event && &*run.function_id == function);
        found.expect("each event started each function")
    };
    let ends = [("both", "f", 10), ("both", "g", 20), ("one", "f", 10)];
    for (event, function, end) in ends {
        let transition = if function == "f" { complete() } else { fail() };
        store
            .must_write(
                of(event, function).lease,
                vec![entry(0, "a", "1")],
                Some(transition),
                at(end),
            )
            .await?;
    }
    // Before 20: the two that finished at 10. One event still has a run that finished later, the other one that is running.
    assert_eq!(store.purge(at(20), 100).await?.runs, 2);
    assert!(store.run(&of("both", "f").run_id).await?.is_none());
    assert!(store.journal(&of("both", "f").run_id).await?.is_empty());
    assert!(store.run(&of("both", "g").run_id).await?.is_some());
    let running = of("one", "g");
    store
        .must_write(running.lease, vec![entry(0, "a", "1")], None, at(21))
        .await?;
    for event_id in ["both", "one"] {
        let again = store
            .publish_all(vec![event(event_id, "t")], at(22))
            .await?;
        assert!(again[0].duplicate, "the event is needed");
        assert_eq!(again[0].runs.len(), 1);
    }
    assert_eq!(store.purge(at(1_000), 100).await?.runs, 1);
    assert_eq!(
        store.record(&running.run_id).await?.status,
        RunStatus::Running,
        "what runs is never purged"
    );
    assert!(
        !store.publish_all(vec![event("both", "t")], at(23)).await?[0].duplicate,
        "the event is gone with its runs"
    );
    Ok(())
}

pub(super) async fn purge_is_bounded(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    for number in 0..5 {
        let run = store.start(&format!("e-{number}"), "f").await?;
        let lease = store.take_one(worker, &["f"], at(0)).await?.lease;
        assert!(lease.token >= 0, "{run}");
        store
            .must_write(lease, Vec::new(), Some(complete()), at(10 - number))
            .await?;
    }
    assert_eq!(store.purge(at(6), 100).await?.runs, 0);
    assert_eq!(store.purge(at(100), 2).await?.runs, 2);
    let left = store.list(RunFilter::default()).await?.runs;
    let ends: Vec<_> = left.iter().filter_map(|run| run.finished_at).collect();
    assert_eq!(
        ends,
        [at(8), at(9), at(10)],
        "the longest finished went first"
    );
    assert_eq!(store.purge(at(100), 2).await?.runs, 2);
    assert_eq!(store.purge(at(100), 2).await?.runs, 1);
    assert_eq!(store.purge(at(100), 2).await?.runs, 0);
    Ok(())
}

pub(super) async fn unknown_run_is_no_error(bench: Bench) -> Result<()> {
    let store = &bench.store;
    assert!(store.run("nobody").await?.is_none());
    assert!(store.journal("nobody").await?.is_empty());
    assert!(!store.cancel("nobody", at(0)).await?);
    assert!(!store.rerun(Rerun::new("nobody", at(0))).await?);
    assert_eq!(store.purge(at(0), 10).await?.runs, 0);
    Ok(())
}

pub(super) async fn purge_reports_whether_anything_is_left(bench: Bench) -> Result<()> {
    let store = &bench.store;
    // Nobody subscribes to these.
    let events = (0..5)
        .map(|number| event(&format!("e-{number}"), "nobody"))
        .collect();
    store.publish_all(events, at(0)).await?;
    let worker = store.worker(&["f"]).await?;
    store.start("run", "f").await?;
    let run = store.take_one(worker, &["f"], at(0)).await?;
    let output = Some(Transition::complete(ok("1")));
    store
        .must_write(run.lease, Vec::new(), output, at(1))
        .await?;
    assert_eq!(store.purge(at(0), 10).await?, Purged::default());
    let (mut runs, mut events, mut turns) = (0, 0, 0);
    loop {
        let purged = store.purge(at(10), 2).await?;
        assert!(purged.runs <= 2 && purged.events <= 2);
        runs += purged.runs;
        events += purged.events;
        turns += 1;
        if !purged.more {
            break;
        }
        assert!(turns < 10, "it comes to an end");
    }
    assert_eq!((runs, events), (1, 5));
    let again = store
        .publish_all(vec![event("e-0", "nobody")], at(11))
        .await?;
    assert!(!again[0].duplicate, "it was forgotten");
    Ok(())
}

pub(super) async fn functions_are_listed(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let old = store
        .subscribe(vec![
            subscription("kept", &["t"]),
            subscription("removed", &["t", "u"]),
        ])
        .await?;
    store
        .publish_all(
            vec![event("1", "t"), event("2", "t"), event("3", "u")],
            at(0),
        )
        .await?;
    store.subscribe(vec![subscription("kept", &["t"])]).await?;
    let told = async |most| -> Result<Vec<(String, usize, bool, usize)>> {
        let functions = store.functions(at(1), most).await?;
        Ok(functions
            .into_iter()
            .map(|one| {
                (
                    one.function_id.to_string(),
                    one.event_types.len(),
                    one.living,
                    one.unfinished,
                )
            })
            .collect())
    };
    let of = |id: &str, types, living, unfinished| (id.to_owned(), types, living, unfinished);
    assert_eq!(
        told(10).await?,
        [of("kept", 1, true, 2), of("removed", 2, true, 3)]
    );
    store.deregister(old, at(1)).await?;
    assert_eq!(
        told(10).await?,
        [of("kept", 1, true, 2), of("removed", 0, false, 3)]
    );
    assert_eq!(told(2).await?[1].3, 2, "counted up to a limit");
    Ok(())
}

pub(super) async fn forget_cancels_runs_and_removes_subscriptions(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.subscribe(vec![subscription("gone", &["t"])]).await?;
    let events = (0..5)
        .map(|number| event(&format!("e-{number}"), "t"))
        .collect();
    let published = store.publish_all(events, at(0)).await?;
    let living = store
        .forget("gone", at(1), 10)
        .await
        .expect_err("somebody has it");
    assert_eq!(living.kind(), crate::ErrorKind::Conflict);
    store.deregister(worker, at(1)).await?;
    let first = store.forget("gone", at(2), 3).await?;
    assert_eq!((first.runs, first.more), (3, true));
    let rest = store.forget("gone", at(2), 3).await?;
    assert_eq!((rest.runs, rest.more), (2, false));
    for event in &published {
        let run = store.record(&event.runs[0].run_id).await?;
        assert_eq!(run.status, RunStatus::Cancelled);
    }
    assert!(store.functions(at(3), 10).await?.is_empty());
    let later = store.publish_all(vec![event("later", "t")], at(3)).await?;
    assert!(later[0].runs.is_empty());
    assert_eq!(
        store.forget("never was", at(3), 3).await?,
        Purged::default()
    );
    Ok(())
}

pub(super) async fn session_of_a_forgotten_function_must_register_again(
    bench: Bench,
) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let both = || vec![subscription("beside", &["t"]), subscription("gone", &["t"])];
    let silent = store.subscribe(both()).await?;
    let runs = async |id: &str, now| -> Result<usize> {
        let published = other.publish_all(vec![event(id, "t")], now).await?;
        Ok(published[0].runs.len())
    };
    assert_eq!(runs("1", at(0)).await?, 2);
    let forgotten = other.forget("gone", at(30_001), 10).await?;
    assert_eq!((forgotten.runs, forgotten.more), (1, false));
    assert_eq!(
        runs("2", at(30_001)).await?,
        1,
        "what it wanted besides stands"
    );
    // It was only cut off. If its session stayed alive, nobody would know which functions it has.
    let renewed = store.renew(silent, at(30_002), LEASE).await;
    let error = renewed.expect_err("it has ended");
    assert_eq!(error.kind(), crate::ErrorKind::Busy);
    let request = Register::new(at(30_002), LEASE).with_subscriptions(both());
    let back = store.register(request).await?;
    assert_eq!(runs("3", at(30_002)).await?, 2);
    let functions = ["beside", "gone"];
    let claimed = store.take(back, &functions, at(30_002)).await?;
    assert_eq!(claimed.runs.len(), 4);
    Ok(())
}

pub(super) async fn notes_are_kept(bench: Bench) -> Result<()> {
    let store = &bench.store;
    store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    assert!(store.record(&run).await?.notes.is_empty());
    let by = "ada \u{1b}[31m\"quoted\"";
    let note = |number: i64| Note::new(at(number), by, format!("rerun {number}"));
    assert!(!store.note("no such run", note(0)).await?);
    for number in 0..53 {
        assert!(store.note(&run, note(number)).await?);
    }
    let kept = store.record(&run).await?.notes;
    assert_eq!(kept, (3..53).map(note).collect::<Vec<_>>());
    Ok(())
}
