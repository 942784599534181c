//! A store of somebody else's that panics: the worker says so and goes on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use belts::{
    Timestamp, Worker, step,
    store::{
        Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, DueSchedules, Entry, Expired,
        FunctionRecord, Lease, Memory, Note, Publish, PublishedEvent, Purged, Register, Release,
        Rerun, RunFilter, RunPage, RunRecord, RunStatus, ScheduleChange, ScheduleRow, Store,
        Subscription, WorkerId,
    },
    testing::ManualClock,
};

use crate::{
    crashes::{process_on, suspects_and_one},
    gated::{
        Named, effect, effects, eventually, looped, named, publish_named, runs_of, within,
        worker_of,
    },
};

/// A store of which some methods panic.
#[derive(Debug, Clone, Default)]
struct Falls {
    store: Memory,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    /// How often each method was called.
    calls: BTreeMap<&'static str, u32>,
    /// How many of the next calls of each panic.
    panics: BTreeMap<&'static str, u32>,
}

impl Falls {
    /// Has the next calls of a method panic.
    fn panic(&self, method: &'static str, times: u32) {
        let mut state = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.panics.insert(method, times);
    }

    fn calls(&self, method: &str) -> u32 {
        let state = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.calls.get(method).copied().unwrap_or(0)
    }

    /// Blocks the thread until a method was called so often; whether it was, within ten seconds.
    fn blocks_until(&self, method: &str, calls: u32) -> bool {
        let (state, called) = &*self.state;
        let too_few = |state: &mut State| state.calls.get(method).is_none_or(|made| *made < calls);
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = called.wait_timeout_while(state, Duration::from_secs(10), too_few);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn meets(&self, method: &'static str) {
        let (state, called) = &*self.state;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        *state.calls.entry(method).or_default() += 1;
        called.notify_all();
        let left = state.panics.entry(method).or_default();
        let panics = *left > 0;
        *left = left.saturating_sub(1);
        drop(state);
        assert!(!panics, "`{method}` of a store of one's own");
    }
}

macro_rules! falls {
    ($($method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Falls {
            fn capabilities(&self) -> Capabilities {
                self.store.capabilities()
            }

            $(async fn $method(&self, $($argument: $type),*) -> $answer {
                self.meets(stringify!($method));
                self.store.$method($($argument),*).await
            })*
        }
    };
}

falls! {
    register(request: Register) -> belts::Result<WorkerId>;
    deregister(worker: WorkerId, now: Timestamp) -> belts::Result<()>;
    publish(request: Publish) -> belts::Result<Vec<PublishedEvent>>;
    claim(request: Claim) -> belts::Result<Claimed>;
    commit(request: CommitBatch) -> belts::Result<Vec<CommitOutcome>>;
    renew(worker: WorkerId, now: Timestamp, lease: Duration) -> belts::Result<()>;
    revoked(leases: &[Lease]) -> belts::Result<Vec<Lease>>;
    release(request: Release) -> belts::Result<usize>;
    woken() -> ();
    subscriptions() -> belts::Result<Vec<Subscription>>;
    run(run: &str) -> belts::Result<Option<RunRecord>>;
    journal(run: &str) -> belts::Result<Vec<Entry>>;
    list(filter: RunFilter) -> belts::Result<RunPage>;
    backlog(functions: &[Arc<str>], now: Timestamp, most: usize) -> belts::Result<Vec<usize>>;
    cancel(run: &str, now: Timestamp) -> belts::Result<bool>;
    expire(now: Timestamp, most: usize) -> belts::Result<Expired>;
    rerun(request: Rerun) -> belts::Result<bool>;
    due_schedules(functions: &[Arc<str>], now: Timestamp, most: usize) -> belts::Result<DueSchedules>;
    change_schedules(changes: Vec<ScheduleChange>, now: Timestamp) -> belts::Result<Vec<bool>>;
    schedules(after: Option<&str>, most: usize) -> belts::Result<Vec<ScheduleRow>>;
    schedule(name: &str) -> belts::Result<Option<ScheduleRow>>;
    pause(function: &str, now: Timestamp) -> belts::Result<bool>;
    resume(function: &str, now: Timestamp) -> belts::Result<bool>;
    purge(before: Timestamp, limit: usize) -> belts::Result<Purged>;
    functions(now: Timestamp, most: usize) -> belts::Result<Vec<FunctionRecord>>;
    forget(function: &str, now: Timestamp, limit: usize) -> belts::Result<Purged>;
    note(run: &str, note: Note) -> belts::Result<bool>;
}

#[belts::function(id = "beside-falls", on = Named)]
async fn beside_falls(event: Named) -> belts::Result<()> {
    step!("work", effect(event.name.as_str())).await
}

/// A panic of `purge` or of `backlog` ended its task for good, without a word: nothing was purged until the process ended. One
/// of `woken` ended the worker, and one of `deregister` left those waiting who wait for its end.
#[tokio::test]
async fn panic_of_a_store_ends_no_task_of_a_worker() {
    let (clock, store) = (ManualClock::default(), Falls::default());
    for method in ["purge", "backlog", "woken", "renew"] {
        store.panic(method, 2);
    }
    let worker = worker_of(store.clone(), beside_falls, &clock).await;
    let running = looped(&worker);
    for method in ["purge", "backlog", "woken", "renew"] {
        eventually(method, async || {
            clock.advance(Duration::from_secs(1));
            store.calls(method) > 2
        })
        .await;
    }
    publish_named(named("beside falls"))
        .via(&worker)
        .await
        .unwrap();
    eventually("the run", async || {
        clock.advance(Duration::from_secs(1));
        let runs = runs_of(&store, "beside-falls").await;
        runs.iter().any(|run| run.status == RunStatus::Completed)
    })
    .await;
    assert_eq!(effects("beside falls"), 1);
    store.panic("deregister", 1);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
    assert_eq!(store.calls("deregister"), 1);
}

/// A claim brought two suspects and another run, and the store panicked when one suspect was given back. All three stayed leased to
/// a worker that drove none of them, for as long as it lived.
#[tokio::test]
async fn panic_of_a_commit_that_gives_suspects_back_loses_no_other_run() {
    let (clock, store) = (ManualClock::default(), Falls::default());
    let suspects = ["fallen one", "fallen two"];
    suspects_and_one(&store.store, &clock, suspects, "fallen with them").await;
    store.panic("commit", 1);
    let worker = process_on(store.clone(), &clock).await;
    let running = looped(&worker);
    let names = ["fallen with them", suspects[0], suspects[1]];
    eventually("every run", async || {
        clock.advance(Duration::from_millis(100));
        names
            .iter()
            .all(|name| effects(&format!("{name} after")) == 1)
    })
    .await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// The store whose renewals the function waits for, while it keeps the only thread from all others.
static RENEWED: OnceLock<Falls> = OnceLock::new();

#[belts::function(id = "blocks-beside-falls", on = Named, retries = 0)]
async fn blocks_beside_falls(_event: Named) -> belts::Result<()> {
    step!(
        "block",
        {
            let store = RENEWED.get().expect("the test has put it there");
            let renewals = store.calls("renew");
            store.panic("renew", 1);
            let renewed = store.blocks_until("renew", renewals + 2);
            assert!(renewed, "nobody renews any more");
        },
        retries = 0
    )
    .await
}

/// The thread that renews beside a blocked runtime ended with the first panic of `renew`, and the lease of every later step that
/// blocks with it.
#[tokio::test]
async fn panic_of_a_renewal_does_not_end_the_thread_that_renews() {
    let store = RENEWED.get_or_init(Falls::default).clone();
    let builder = Worker::builder()
        .store(store.clone())
        .function(blocks_beside_falls);
    let worker = builder.lease(Duration::from_millis(600)).build();
    let worker = worker.await.unwrap();
    let running = looped(&worker);
    publish_named(named("blocked")).via(&worker).await.unwrap();
    eventually("the run", async || {
        let runs = runs_of(&store, "blocks-beside-falls").await;
        runs.iter().any(|run| run.status.is_finished())
    })
    .await;
    let runs = runs_of(&store, "blocks-beside-falls").await;
    assert_eq!(runs[0].status, RunStatus::Completed);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}
