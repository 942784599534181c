//! Families under a limit, and those that end with their parents.

use std::sync::atomic::{AtomicUsize, Ordering};

use belts::{
    Failed,
    store::{Parent, Target},
};

use super::*;

#[belts::function(id = "z-all-caller", on = Began, retries = 0)]
async fn caller(began: Began) -> belts::Result<u32> {
    call!("held", sleeps(asked(&began.name))).await
}

#[belts::function(id = "z-all-caller-failed", on_failure = caller)]
async fn caller_failed(failed: Failed<Began>) -> belts::Result<String> {
    step!("say", failed.error.clone()).await
}

/// Once half of the children were cancelled, their callers went on and failed.
#[tokio::test]
async fn a_limit_that_does_not_bind_cancels_whole_families() {
    let builder = Harness::builder().function(sleeps).function(caller);
    let harness = builder.function(caller_failed).build().await.unwrap();
    for _ in 0..150 {
        let name = "m limit".to_owned();
        harness.publish(Began { name }).await.unwrap();
    }
    harness.travel(HOUR).await.unwrap();
    let runs = harness.worker().runs();
    let sleeping = RunFilter::new().with_statuses([RunStatus::Suspended]);
    assert_eq!(runs.count(sleeping.clone()).await.unwrap().runs, 300);
    let done = runs.cancel_all(sleeping.with_limit(1_000)).await.unwrap();
    assert_eq!((done.cancelled, done.ended, done.next), (300, 0, None));
    harness.travel(HOUR * 300).await.unwrap();
    assert_eq!(
        statuses(&runs, "z-all-caller").await,
        [RunStatus::Cancelled; 150]
    );
    assert!(statuses(&runs, "z-all-caller-failed").await.is_empty());
}

/// Puts a run that nobody drives into a store.
async fn put(store: &SharedStore, run_id: &str, parent: Option<Parent>) {
    let now = SystemClock.now();
    let event = NewEvent::new(format!("e-{run_id}"), "t", &b"{}"[..], now)
        .with_target(Target::function("z-all-family", Some(run_id.into())))
        .with_parent(parent);
    store.publish(Publish::new(vec![event], now)).await.unwrap();
}

/// Five callers, and then a child of each.
async fn families(attached: bool) -> SharedStore {
    let store: SharedStore = Arc::new(Memory::new());
    for number in 0..5 {
        put(&store, &format!("p{number}"), None).await;
    }
    for number in 0..5 {
        let parent = Parent::new(format!("p{number}"), 1);
        let parent = if attached { parent.attached() } else { parent };
        put(&store, &format!("c{number}"), Some(parent)).await;
    }
    store
}

async fn is_cancelled(runs: &Runs, run_id: &str) -> bool {
    runs.get(run_id).await.unwrap().status == RunStatus::Cancelled
}

#[tokio::test]
async fn no_child_is_cancelled_without_its_caller_whatever_the_limit() {
    for limit in 1..=11 {
        for attached in [false, true] {
            let runs = Runs::of(families(attached).await);
            let all = of("z-all-family").with_limit(limit);
            let done = runs.cancel_all(all).await.unwrap();
            let (mut cancelled, mut children) = (0, 0);
            for number in 0..5 {
                let caller = is_cancelled(&runs, &format!("p{number}")).await;
                let child = is_cancelled(&runs, &format!("c{number}")).await;
                assert!(caller || !child, "limit {limit}, {attached}: c{number}");
                assert!(!attached || child == caller);
                cancelled += usize::from(caller) + usize::from(child);
                children += usize::from(child);
            }
            assert_eq!(done.cancelled, cancelled, "limit {limit}, {attached}");
            let most = limit.min(10);
            if attached {
                assert!((most..=most + children).contains(&cancelled));
            } else {
                assert_eq!(cancelled, most);
            }
        }
    }
}

#[tokio::test]
async fn parts_with_a_limit_leave_nothing() {
    for limit in 2..=10 {
        let runs = Runs::of(families(false).await);
        let mut left = Some(of("z-all-family").with_limit(limit));
        let mut cancelled = 0;
        while let Some(filter) = left.take() {
            let part = runs.cancel_part(filter.clone()).await.unwrap();
            assert!(part.cancelled <= limit);
            cancelled += part.cancelled;
            left = part.next.map(|mark| filter.with_after(mark));
        }
        assert_eq!(cancelled, 10, "limit {limit}");
    }
}

/// Most of them are on later pages, and have ended by then.
#[tokio::test]
async fn attached_children_are_counted_although_no_page_has_them() {
    let store: SharedStore = Arc::new(Memory::new());
    put(&store, "top", None).await;
    for number in 0..300 {
        let child = format!("child-{number}");
        put(&store, &child, Some(Parent::new("top", 1).attached())).await;
        // Every other one is below a run that is not attached, and ends by itself.
        let below = Parent::new(child, 2);
        let below = if number % 2 == 0 {
            below.attached()
        } else {
            below
        };
        put(&store, &format!("below-{number}"), Some(below)).await;
    }
    let runs = Runs::of(Arc::clone(&store)).by("ada");
    let counted = runs.count(of("z-all-family")).await.unwrap();
    assert_eq!(counted.runs, 601);
    let done = runs.cancel_all(of("z-all-family")).await.unwrap();
    assert_eq!((done.cancelled, done.ended, done.next), (601, 0, None));
    for run_id in ["top", "child-0", "below-0", "below-1", "below-299"] {
        let notes = runs.get(run_id).await.unwrap().notes;
        assert_eq!(notes.len(), 1, "{run_id}: {notes:?}");
    }
}

#[tokio::test]
async fn attached_children_come_on_top_of_the_limit() {
    let store: SharedStore = Arc::new(Memory::new());
    put(&store, "top", None).await;
    for number in 0..500 {
        let parent = Parent::new("top", 1).attached();
        put(&store, &format!("child-{number}"), Some(parent)).await;
    }
    let runs = Runs::of(store);
    let done = runs.cancel_all(of("z-all-family").with_limit(1)).await;
    assert_eq!(done.unwrap().cancelled, 501);
}

/// The caller would hear of the end of its child, and go on.
#[tokio::test]
async fn no_child_of_a_run_that_fails_is_cancelled() {
    let memory = families(false).await;
    let calls = AtomicUsize::new(0);
    let store = Hooked::new(Arc::clone(&memory), move |method| {
        let fails = method == "cancel" && calls.fetch_add(1, Ordering::SeqCst) == 0;
        Box::pin(async move {
            let error = belts::Error::store("cannot write", "a lock is held");
            if fails { Err(error) } else { Ok(()) }
        })
    });
    let runs = Runs::of(store);
    let error = runs.cancel_all(of("z-all-family")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "8 runs were cancelled, but 1 could not be"
    );
    assert!(!is_cancelled(&runs, "p4").await && !is_cancelled(&runs, "c4").await);
    let again = runs.cancel_all(of("z-all-family")).await.unwrap();
    assert_eq!(again.cancelled, 2);
}
