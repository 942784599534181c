//! Functions that nobody has any more.

use std::sync::Arc;

use belts::{
    Clock as _, ErrorKind, Runs, SystemClock,
    store::{
        FunctionRecord, Memory, NewEvent, Publish, Register, RunStatus, SharedStore, Subscription,
        WorkerId,
    },
};
use belts_suite::Hooked;
use serde_json::json;
use tokio::sync::Notify;

use crate::shop::*;

/// A session that has the function `old`, and two runs of it.
pub(crate) async fn with_old_function(store: &SharedStore) -> WorkerId {
    let now = SystemClock.now();
    let register = Register::new(now, std::time::Duration::from_secs(3_600))
        .with_subscriptions(vec![Subscription::new("old", ["old-event"])]);
    let session = store.register(register).await.unwrap();
    for id in ["e-1", "e-2"] {
        let event = NewEvent::new(id, "old-event", &b"{}"[..], now);
        let publish = Publish::new(vec![event], now);
        store.publish(publish).await.unwrap();
    }
    session
}

// A function was renamed, and its runs waited for ever, unseen.
#[tokio::test]
async fn a_removed_function_is_seen_and_forgotten() {
    let store: SharedStore = Arc::new(Memory::new());
    let session = with_old_function(&store).await;
    let runs = Runs::of(Arc::clone(&store)).by("ada");
    let refused = runs.forget("old").await.unwrap_err();
    assert_eq!(
        refused.kind(),
        ErrorKind::Conflict,
        "a living session has it"
    );
    assert!(
        refused.to_string().contains("shut down the workers"),
        "{refused}"
    );
    store.deregister(session, SystemClock.now()).await.unwrap();
    let old = &runs.functions().await.unwrap()[0];
    assert_eq!(
        (&*old.function_id, old.living, old.unfinished),
        ("old", false, 2)
    );
    assert_eq!(runs.forget("old").await.unwrap().runs, 2);
    let ended = runs.list().await.unwrap().runs;
    assert!(ended.iter().all(|run| run.status == RunStatus::Cancelled));
    for run in ended {
        let note = &runs.get(&run.run_id).await.unwrap().notes[0];
        assert_eq!((&*note.by, &*note.action), ("ada", "forget its function"));
    }
    assert!(runs.functions().await.unwrap().is_empty());
    let unknown = runs.forget("old").await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::UnknownFunction);
}

#[tokio::test]
async fn functions_are_told_and_forgotten_over_http() {
    let store: SharedStore = Arc::new(Memory::new());
    let session = with_old_function(&store).await;
    store.deregister(session, SystemClock.now()).await.unwrap();
    let worker = builder()
        .shared_store(Arc::clone(&store))
        .build()
        .await
        .unwrap();
    let (url, _serving) = served(&worker).await;
    drop(url);
    let orphaned = async || locally(&worker, get("/functions?orphaned=true")).await;
    let old = json!({"id": "old", "events": ["old-event"], "living": false, "unfinished": 2});
    let (status, told) = orphaned().await;
    assert_eq!(status, 200);
    assert!(
        told["functions"].as_array().unwrap().contains(&old),
        "{told}"
    );
    let (status, refused) = locally(&worker, post("/functions/nothing/forget")).await;
    assert_eq!(
        (status, &refused["code"]),
        (404, &json!("unknown-function"))
    );
    let (status, ended) = locally(&worker, post("/functions/old/forget")).await;
    assert_eq!(
        (status, ended),
        (200, json!({"functionId": "old", "cancelled": 2}))
    );
    let (_, told) = orphaned().await;
    assert!(!told.to_string().contains("\"old\""), "{told}");
}

/// Whoever hung up before all runs of a function had ended left the rest of them behind.
#[tokio::test]
async fn a_function_is_forgotten_whether_or_not_whoever_asked_waits() {
    let memory: SharedStore = Arc::new(Memory::new());
    let session = with_old_function(&memory).await;
    memory.deregister(session, SystemClock.now()).await.unwrap();
    let (reached, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let store = Hooked::new(Arc::clone(&memory), {
        let (reached, goes_on) = (Arc::clone(&reached), Arc::clone(&goes_on));
        move |method| {
            let (reached, goes_on) = (Arc::clone(&reached), Arc::clone(&goes_on));
            Box::pin(async move {
                if method == "forget" {
                    reached.notify_one();
                    goes_on.notified().await;
                    // For the next time too.
                    goes_on.notify_one();
                }
                Ok(())
            })
        }
    });
    let worker = builder().shared_store(store).build().await.unwrap();
    tokio::select! {
        (status, body) = locally(&worker, post("/functions/old/forget")) => panic!("{status}: {body}"),
        () = reached.notified() => {}
    }
    goes_on.notify_one();
    let forgotten = async {
        let now = SystemClock.now();
        let is_old = |it: &FunctionRecord| &*it.function_id == "old";
        while memory.functions(now, 1).await.unwrap().iter().any(is_old) {
            belts_suite::a_moment().await;
        }
    };
    let forgotten = tokio::time::timeout(PATIENCE, forgotten).await;
    forgotten.expect("it is forgotten in time");
    let ended = Runs::of(memory).list().await.unwrap().runs;
    assert_eq!(ended.len(), 2);
    assert!(ended.iter().all(|run| run.status == RunStatus::Cancelled));
}
