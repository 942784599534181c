//! The driver and step futures on other tasks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Wake, Waker},
};

use super::{tickets::Ticket, *};
use crate::{
    clock::Timestamp,
    store::{ClaimedRun, Entry, Lease, Memory, StepKind, StepState, WorkerId},
    worker::{Worker, tests::DEF},
};

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn live() -> Arc<LiveRun> {
    let function = &DEF;
    let builder = Worker::builder().store(Memory::new()).define(function);
    let worker = builder.build().await.expect("a worker");
    let lease = Lease::new(1, WorkerId(1), 1);
    let mut claimed = ClaimedRun {
        lease,
        run_id: "run".into(),
        function_id: "by-hand".into(),
        event_id: "event".into(),
        event_type: "ping".into(),
        payload: Arc::from(*b"{}"),
        failed_attempts: 0,
        retries: None,
        traceparent: None,
        started_at: Timestamp::from_millis(0),
        crashes: 0,
        parent: None,
        generation: 0,
        routing: crate::store::Routing::Not,
        undoing: None,
        journal: Vec::new(),
        arrivals: Vec::new(),
    };
    let shared = worker.shared();
    let function = &shared.registry.functions()[0];
    Arc::new(LiveRun::new(
        &mut claimed,
        shared.host.lease.life(),
        None,
        Arc::clone(&function.metrics),
        Arc::clone(&shared.host),
    ))
}

/// A step on another task parked between the driver's look and its wait. Nothing woke the driver any more, and the run kept
/// its place in memory until its sleep was over.
#[tokio::test]
async fn a_driver_does_not_wait_for_a_run_that_has_become_idle_meanwhile() {
    let run = live().await;
    let driver = Waker::from(Arc::new(Woken::default()));
    assert!(matches!(run.look(false, false), Found::Nothing));
    let parked = run.park(Timestamp::from_millis(i64::MAX), Place::Anywhere);
    assert!(!run.wait_for_steps(&driver, false, false), "it looks again");
    assert!(matches!(run.look(false, false), Found::Idle(_)));
    assert!(run.wait_for_steps(&driver, false, true), "the run stays");
    drop(parked);
    assert!(run.wait_for_steps(&driver, false, false));
}

/// The driver of a run that stays beside a long sleep hears of what steps do meanwhile.
#[tokio::test]
async fn the_driver_of_a_run_that_stays_is_woken_by_its_steps() {
    let run = live().await;
    let woken = Arc::new(Woken::default());
    let driver = Waker::from(Arc::clone(&woken));
    let times = || woken.0.load(Ordering::SeqCst);
    let _parked = run.park(Timestamp::from_millis(i64::MAX), Place::Anywhere);
    assert!(run.wait_for_steps(&driver, false, true));
    drop(run.activate());
    assert_eq!(times(), 1, "a step was under way");
    assert!(run.wait_for_steps(&driver, false, true));
    let _second = run.park(Timestamp::from_millis(1), Place::Anywhere);
    assert_eq!(times(), 2, "a step parked");
    assert!(run.wait_for_steps(&driver, false, true));
    run.lose_lease();
    assert_eq!(times(), 3, "the run is no longer ours");
    assert!(!run.wait_for_steps(&driver, false, true));
}

/// A status took the place of the one before it in the same write, and so was durable before a step that it came after.
#[tokio::test]
async fn a_status_is_written_behind_what_was_left_before_it() {
    let run = live().await;
    let leave = |seq, kind, state| {
        let entry = Entry::new(seq, "it", kind, state, Timestamp::from_millis(0));
        drop(left(&run, entry, kind == StepKind::Step));
    };
    let done = StepState::Completed;
    for (seq, kind) in [
        (0, StepKind::Status),
        (1, StepKind::Step),
        (2, StepKind::Sleep),
        (0, StepKind::Status),
    ] {
        leave(seq, kind, done);
    }
    let outbox = run.take_outbox();
    let seqs: Vec<_> = outbox.entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [1, 2, 0]);
    assert_eq!(outbox.awaited(), 1);
}

/// A status was moved behind what was left after it, and then the end of a race took the place for which a step waited: of two
/// tickets with one place only the last one's waker was kept, and the step's branch waited for ever.
#[tokio::test]
async fn two_tickets_of_one_place_are_both_redeemed() {
    struct Told(AtomicBool);
    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let run = live().await;
    let entry = |seq, kind, state| Entry::new(seq, "it", kind, state, Timestamp::from_millis(0));
    let told = [(); 2].map(|()| Arc::new(Told(AtomicBool::new(false))));
    let wakers = [
        Waker::from(Arc::clone(&told[0])),
        Waker::from(Arc::clone(&told[1])),
    ];
    let (done, waits) = (StepState::Completed, StepState::Waiting);
    drop(left(&run, entry(0, StepKind::Status, done), false));
    let mut step = Box::pin(left(&run, entry(1, StepKind::Step, done), true));
    assert!(
        step.as_mut()
            .poll(&mut Context::from_waker(&wakers[0]))
            .is_pending()
    );
    drop(left(&run, entry(2, StepKind::Race, waits), false));
    drop(left(&run, entry(0, StepKind::Status, done), false));
    let mut race = Box::pin(left(&run, entry(2, StepKind::Race, done), true));
    assert!(
        race.as_mut()
            .poll(&mut Context::from_waker(&wakers[1]))
            .is_pending()
    );
    let outbox = run.take_outbox();
    run.redeem(outbox.entries.len(), true);
    for told in &told {
        assert!(told.0.load(Ordering::Relaxed));
    }
}

fn left(run: &LiveRun, entry: Entry, awaited: bool) -> Ticket<'_> {
    let ticket = run.record_in(None, entry, awaited, false);
    ticket.expect("an entry outside of any race is left")
}
