//! A store that does not answer, before a page or in the middle of it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use belts::{
    Error, Worker,
    store::{Memory, SharedStore},
};
use belts_suite::Hooked;

use super::browser::{Browser, TOKEN};
use crate::shop;

/// What a store says of its server, which is not for the pages.
const SECRET: &str = "postgres://belts:hunter2@db.internal";

/// A worker whose store fails the next calls of one method, after some that it answers.
struct Failing {
    worker: Worker,
    method: Arc<Mutex<&'static str>>,
    asked: Arc<AtomicUsize>,
}

impl Failing {
    async fn new() -> Self {
        let method = Arc::new(Mutex::new(""));
        let asked = Arc::new(AtomicUsize::new(0));
        let (fails, asks) = (Arc::clone(&method), Arc::clone(&asked));
        let inner: SharedStore = Arc::new(Memory::new());
        let store = Hooked::new(inner, move |called| {
            let fails = *fails.lock().unwrap() == called;
            asks.fetch_add(usize::from(fails), Ordering::SeqCst);
            Box::pin(async move {
                if fails {
                    let source = std::io::Error::other(SECRET);
                    return Err(Error::store("the store does not answer", source));
                }
                Ok(())
            })
        });
        let builder = Worker::builder()
            .shared_store(store)
            .inspection_token(TOKEN);
        let worker = shop::with_failed_run(builder, "failing").await;
        Self {
            worker,
            method,
            asked,
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_anywhere_in_a_page_is_told_of_and_nothing_else_is() {
    let failing = Failing::new().await;
    let browser = Browser::signed_in(&failing.worker).await;
    for (method, path) in [
        ("functions", "/ui"),
        ("ended", "/ui"),
        ("list", "/ui/runs"),
        ("run", "/ui/runs/failed"),
        ("journal", "/ui/runs/failed"),
        ("schedules", "/ui/schedules"),
        ("subscriptions", "/ui/publish"),
        ("awaited", "/ui/publish"),
        ("run", "/ui/rerun?run=failed"),
        ("list", "/ui/cancel?function=wait"),
    ] {
        *failing.method.lock().unwrap() = method;
        let before = failing.asked.load(Ordering::SeqCst);
        let page = browser.get(path).await;
        assert_eq!(page.status, 503, "{path}: {}", page.body);
        page.says("Not available");
        page.hides("hunter2");
        let json = browser.json(path).await;
        assert_eq!(json.status, 503, "{path}");
        json.hides("hunter2");
        assert!(failing.asked.load(Ordering::SeqCst) > before, "{path}");
        *failing.method.lock().unwrap() = "";
        browser.get(path).await.good();
    }
}

#[tokio::test]
async fn a_change_that_the_store_does_not_take_changes_nothing_and_says_so() {
    let failing = Failing::new().await;
    let browser = Browser::signed_in(&failing.worker).await;
    browser.get("/ui/rerun?run=failed").await.good();
    *failing.method.lock().unwrap() = "rerun";
    let page = browser.post("/ui/rerun", &[("run", "failed")]).await;
    assert_eq!(page.status, 503, "{}", page.body);
    page.hides("hunter2");
    *failing.method.lock().unwrap() = "";
    let run = failing.worker.runs().get("failed").await.unwrap();
    assert_eq!(run.status, belts::store::RunStatus::Failed);
    // Who asked for it is recorded before anything changes.
    assert_eq!(run.notes.len(), 1);
    let done = browser.post("/ui/rerun", &[("run", "failed")]).await;
    assert_eq!(done.header("location"), "runs/failed?did=rerun");
}
