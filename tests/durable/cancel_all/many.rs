//! Many runs, of which some end or begin while others are cancelled, and stores that fail meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};

use belts::store::Target;

use super::*;

/// Puts runs of a function, which nobody drives, into a store.
async fn fill(store: &SharedStore, function: &str, runs: std::ops::Range<usize>) {
    let now = SystemClock.now();
    let events = runs.map(|number| {
        let run_id = format!("{function}-{number}").into();
        NewEvent::new(format!("e-{function}-{number}"), function, &b"{}"[..], now)
            .with_target(Target::function(function, Some(run_id)))
    });
    let events: Vec<_> = events.collect();
    for some in events.chunks(500) {
        let publish = Publish::new(some.to_vec(), now);
        store.publish(publish).await.unwrap();
    }
}

async fn unfinished(runs: &Runs, function: &str) -> usize {
    let filter = of(function).with_statuses(RunStatus::UNFINISHED);
    runs.count(filter).await.unwrap().runs
}

#[tokio::test]
async fn thousands_are_cancelled_part_by_part_or_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(directory.path().join("belts.db")).await;
    let store: SharedStore = Arc::new(sqlite.unwrap());
    fill(&store, "z-all-many", 0..5_000).await;
    fill(&store, "z-all-few", 0..10).await;
    let runs = Runs::of(Arc::clone(&store));

    let counted = runs
        .count(of("z-all-many").with_limit(1_204))
        .await
        .unwrap();
    assert_eq!(counted.to_string(), "1,204+");
    let counted = runs.count(of("z-all-many")).await.unwrap();
    assert_eq!(counted.to_string(), "5,000");
    let group = &counted.groups[0];
    assert_eq!((&*group.function_id, group.runs), ("z-all-many", 5_000));
    assert_eq!(group.status, RunStatus::Pending);

    // The newest first.
    let some = runs.cancel_all(of("z-all-many").with_limit(1_501)).await;
    let some = some.unwrap();
    assert_eq!((some.cancelled, some.ended), (1_501, 0));
    assert!(some.next.is_some(), "there are more");
    let status = async |id: &str| runs.get(id).await.unwrap().status;
    assert_eq!(status("z-all-many-3499").await, RunStatus::Cancelled);
    assert_eq!(status("z-all-many-3498").await, RunStatus::Pending);

    let mut asked = of("z-all-many");
    let mut parts = Vec::new();
    while parts.len() < 2 {
        let part = runs.cancel_part(asked.clone()).await.unwrap();
        parts.push(part.cancelled);
        asked = asked.with_after(part.next.unwrap());
    }
    assert_eq!(parts, [1_000, 1_000]);

    let rest = runs.cancel_all(of("z-all-many")).await.unwrap();
    assert_eq!((rest.cancelled, rest.next), (1_499, None));
    assert_eq!(unfinished(&runs, "z-all-few").await, 10);
}

/// A store that does something the first time that it is asked for `method`.
fn at_first(
    memory: &SharedStore,
    method: &'static str,
    doing: impl Future<Output = ()> + Send + 'static,
) -> SharedStore {
    let doing = Mutex::new(Some(Box::pin(doing)));
    Hooked::new(Arc::clone(memory), move |asked| {
        let doing = doing.lock().unwrap().take_if(|_| asked == method);
        Box::pin(async move {
            if let Some(doing) = doing {
                doing.await;
            }
            Ok(())
        })
    })
}

#[tokio::test]
async fn runs_that_are_published_meanwhile_are_left_alone() {
    let memory: SharedStore = Arc::new(Memory::new());
    fill(&memory, "z-all-meanwhile", 0..450).await;
    let later = Arc::clone(&memory);
    let store = at_first(&memory, "cancel", async move {
        fill(&later, "z-all-meanwhile", 450..460).await;
        fill(&later, "z-all-unmeant", 0..10).await;
    });
    let runs = Runs::of(store);
    let done = runs.cancel_all(of("z-all-meanwhile")).await.unwrap();
    assert_eq!((done.cancelled, done.ended), (450, 0));
    assert_eq!(unfinished(&runs, "z-all-meanwhile").await, 10);
    assert_eq!(unfinished(&runs, "z-all-unmeant").await, 10);
}

#[tokio::test]
async fn runs_that_end_meanwhile_are_not_counted() {
    let memory: SharedStore = Arc::new(Memory::new());
    fill(&memory, "z-all-ending", 0..20).await;
    let other = Arc::clone(&memory);
    let store = at_first(&memory, "cancel", async move {
        for number in 0..5 {
            let id = format!("z-all-ending-{number}");
            assert!(other.cancel(&id, SystemClock.now()).await.unwrap());
        }
    });
    let done = Runs::of(store).cancel_all(of("z-all-ending")).await;
    let done = done.unwrap();
    assert_eq!((done.cancelled, done.ended), (15, 5));
}

/// Each run is either completed or cancelled, and counted as what it is.
#[tokio::test]
async fn a_race_with_the_end_of_runs_has_one_winner_each() {
    let store = Memory::new();
    let worker = Worker::builder().store(store.clone()).function(quick);
    let worker = worker.build().await.unwrap();
    for number in 0..300 {
        let event = publish_asked(asked(&format!("race {number}")));
        event.via(&worker).await.unwrap();
    }
    let running = looped(&worker);
    let runs = worker.runs();
    eventually("some have ended", async || {
        statuses(&runs, "z-all-quick")
            .await
            .contains(&RunStatus::Completed)
    })
    .await;
    let done = runs.cancel_all(of("z-all-quick")).await.unwrap();
    eventually("all have ended", async || {
        unfinished(&runs, "z-all-quick").await == 0
    })
    .await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
    let ended = statuses(&runs, "z-all-quick").await;
    let cancelled = ended.iter().filter(|it| **it == RunStatus::Cancelled);
    assert_eq!(cancelled.count(), done.cancelled, "{done:?}");
    let completed = ended.iter().filter(|it| **it == RunStatus::Completed);
    assert_eq!(completed.count(), 300 - done.cancelled, "{done:?}");
}

#[belts::function(id = "z-all-quick", on = Asked)]
async fn quick(asked: Asked) -> belts::Result<usize> {
    step!("length", async {
        tokio::task::yield_now().await;
        asked.name.len()
    })
    .await
}

/// A store in which these calls of `cancel` fail.
fn failing(memory: &SharedStore, calls: std::ops::Range<usize>) -> (SharedStore, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let store = Hooked::new(Arc::clone(memory), move |method| {
        let fails = method == "cancel" && calls.contains(&count.fetch_add(1, Ordering::SeqCst));
        Box::pin(async move {
            let error = belts::Error::store("cannot write", "the disk is full");
            if fails { Err(error) } else { Ok(()) }
        })
    });
    (store, made)
}

#[tokio::test]
async fn an_error_says_how_many_were_cancelled_all_the_same() {
    let memory: SharedStore = Arc::new(Memory::new());
    fill(&memory, "z-all-failing", 0..40).await;
    let (store, _) = failing(&memory, 12..24);
    let runs = Runs::of(store);
    let error = runs.cancel_all(of("z-all-failing")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.is_retryable());
    let cancelled = 40 - unfinished(&runs, "z-all-failing").await;
    assert_eq!(cancelled, 28);
    assert_eq!(
        error.report(),
        "28 runs were cancelled, but 12 could not be: cannot write: the disk is full"
    );
    let done = &error.find::<CancelFailed>().unwrap().done;
    assert_eq!((done.cancelled, done.failed, &done.next), (28, 12, &None));
    let rest = runs.cancel_all(of("z-all-failing")).await.unwrap();
    assert_eq!(rest.cancelled, 12);
}

#[tokio::test]
async fn one_run_that_fails_does_not_hold_up_the_older_ones() {
    let memory: SharedStore = Arc::new(Memory::new());
    fill(&memory, "z-all-held-up", 0..1_100).await;
    let (store, _) = failing(&memory, 19..20);
    let runs = Runs::of(store);
    let error = runs.cancel_part(of("z-all-held-up")).await.unwrap_err();
    let done = &error.find::<CancelFailed>().unwrap().done;
    assert_eq!((done.cancelled, done.failed), (999, 1));
    let mark = done.next.clone().unwrap();
    let rest = runs.cancel_part(of("z-all-held-up").with_after(mark)).await;
    let rest = rest.unwrap();
    assert_eq!((rest.cancelled, rest.next), (100, None));
    assert_eq!(unfinished(&runs, "z-all-held-up").await, 1);

    let memory: SharedStore = Arc::new(Memory::new());
    fill(&memory, "z-all-held-up", 0..1_100).await;
    let (store, _) = failing(&memory, 1_099..1_100);
    let error = Runs::of(store).cancel_all(of("z-all-held-up")).await;
    let error = error.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("1099 runs were cancelled, but 1 could not be"),
        "{error}"
    );
}

#[tokio::test]
async fn a_store_that_always_fails_is_not_asked_for_each_run() {
    let memory: SharedStore = Arc::new(Memory::new());
    fill(&memory, "z-all-broken", 0..500).await;
    let (store, made) = failing(&memory, 210..10_000);
    let error = Runs::of(store).cancel_all(of("z-all-broken")).await;
    let error = error.unwrap_err();
    let done = &error.find::<CancelFailed>().unwrap().done;
    assert_eq!((done.cancelled, done.failed), (210, 30));
    assert_eq!(made.load(Ordering::SeqCst), 240);
    let mark = done.next.clone().unwrap();
    let runs = Runs::of(memory);
    let rest = runs.cancel_part(of("z-all-broken").with_after(mark));
    assert_eq!(
        rest.await.unwrap().cancelled,
        290,
        "its page is not stepped over"
    );
}
