//! Who is told what about the worker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use axum::http::{Request, StatusCode};
use belts::{
    Clock as _, Error, Result, SystemClock, Worker,
    http::SigningKey,
    store::{
        Capabilities, Claim, Claimed, CommitBatch, CommitOutcome, Entry, FunctionRecord, Lease,
        Memory, Note, Publish, PublishedEvent, Purged, Register, Release, RunFilter, RunPage,
        RunRecord, Store, Subscription, Timestamp, WorkerId,
    },
};
use serde_json::json;

use crate::support::*;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn strangers_are_told_that_belts_is_here_and_nothing_more() {
    let worker = builder().signing_keys([KEY]).build().await.unwrap();
    let with = |name: &str, value: &str| {
        Request::get("/")
            .header(name, value)
            .body(String::new().into())
            .unwrap()
    };
    for request in [
        get("/"),
        from("10.0.0.7:5000", get("/")),
        from("127.0.0.1:5000", with("x-forwarded-for", "10.0.0.7")),
        from("127.0.0.1:5000", with("forwarded", "for=10.0.0.7")),
        from("127.0.0.1:5000", with("host", "evil.example:8787")),
        with("webhook-signature", "v1,AAAA"),
    ] {
        let answer = send(&worker, request).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, json!({"belts": true}))
        );
    }
}

#[tokio::test]
async fn whoever_is_on_a_development_machine_sees_functions_and_events() {
    let worker = builder()
        .inspection_local()
        .url("http://localhost:3000/belts")
        .build()
        .await
        .unwrap();
    for peer in ["127.0.0.1:5000", "[::1]:5000", "[::ffff:127.0.0.1]:5000"] {
        for host in ["localhost:8787", "127.0.0.1:8787", "[::1]:8787"] {
            let request = Request::get("/")
                .header("host", host)
                .body(String::new().into())
                .unwrap();
            let body = send(&worker, from(peer, request)).await.json();
            assert_eq!(body["functions"][0]["id"], "process-order", "{peer} {host}");
        }
    }
    let body = send(&worker, from("127.0.0.1:5000", get("/"))).await.json();
    assert_eq!(body["url"], "http://localhost:3000/belts");
    assert_eq!(
        body["functions"][0],
        json!({
            "id": "process-order",
            "events": ["order-created"],
            "options": {
                "retries": 1,
                "backoff": {"firstMs": 1000, "maxMs": 60000},
                "timeoutMs": 120_000,
                "concurrency": null,
                "continuation": "inline",
            },
        })
    );
    assert_eq!(
        body["events"][0],
        json!({"type": "order-cancelled", "functions": ["refund/goods", "refund/money"]})
    );
}

/// A key that may deliver was shown functions, events and their options: it reads nothing now. The token does.
#[tokio::test]
async fn a_signing_key_reads_no_description_and_the_token_does() {
    let token = "correct-horse-battery-staple";
    let builder = builder().signing_keys([KEY]).inspection_token(token);
    let worker = builder.build().await.unwrap();
    let key: SigningKey = KEY.parse().unwrap();
    let headers = key.sign("msg_1", SystemClock.now(), b"");
    let signed = headers
        .into_iter()
        .fold(Request::get("/"), |request, (name, value)| {
            request.header(name, value)
        });
    let signed = signed.body(String::new().into()).unwrap();
    let body = send(&worker, from("127.0.0.1:5000", signed)).await.json();
    assert_eq!(body, json!({"belts": true}));
    let bearer = Request::get("/").header("authorization", format!("Bearer {token}"));
    let body = send(&worker, bearer.body(String::new().into()).unwrap()).await;
    assert_eq!(body.json()["functions"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn health_says_whether_deliveries_are_taken() {
    let worker = worker().await;
    let answer = send(&worker, get("/health")).await;
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::OK, json!({"ok": true}))
    );
    worker.shutdown();
    assert_eq!(
        send(&worker, get("/health")).await.code(),
        (503, "shutdown".to_owned())
    );
}

#[tokio::test]
async fn a_store_that_fails_or_hangs_is_not_well() {
    let store = std::sync::Arc::new(Flaky {
        inner: Memory::new(),
        state: AtomicU8::new(FINE),
    });
    let clock = ManualClock::new();
    let worker = Worker::builder()
        .insecure(true)
        .shared_store(store.clone())
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    store.state.store(FAILS, Ordering::SeqCst);
    let answer = send(&worker, get("/health")).await;
    assert_eq!(answer.code(), (503, "store".to_owned()));
    assert!(!answer.message().contains("hunter2"));
    let answer = send(
        &worker,
        post(r#"{"event":{"type":"order-created","order_id":"o","cents":1}}"#),
    )
    .await;
    assert_eq!(answer.code(), (503, "store".to_owned()));
    assert!(answer.headers.contains_key("retry-after") && !answer.message().contains("hunter2"));
    // The publish may have leased runs, so the worker asks the store to take them back, which fails as well.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    store.state.store(HANGS, Ordering::SeqCst);
    // An answer counts for a second.
    clock.advance(Duration::from_secs(1));
    let asked = tokio::spawn({
        let worker = worker.clone();
        async move { send(&worker, get("/health")).await }
    });
    while store.state.load(Ordering::SeqCst) != HUNG {
        tokio::task::yield_now().await;
    }
    // The patience begins when the store is asked, at the latest in the same poll.
    tokio::task::yield_now().await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(asked.await.unwrap().code(), (503, "store".to_owned()));
}

const FINE: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;
const HUNG: u8 = 3;

/// A store that can be made to fail, or not to answer.
#[derive(Debug)]
struct Flaky {
    inner: Memory,
    state: AtomicU8,
}

impl Flaky {
    async fn ask(&self) -> Result<&Memory> {
        match self.state.load(Ordering::SeqCst) {
            FAILS => Err(Error::store("cannot write", "password hunter2 is wrong")),
            HANGS => {
                self.state.store(HUNG, Ordering::SeqCst);
                std::future::pending().await
            }
            _ => Ok(&self.inner),
        }
    }
}

#[async_trait::async_trait]
impl Store for Flaky {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn register(&self, request: Register) -> Result<WorkerId> {
        self.ask().await?.register(request).await
    }
    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.ask().await?.deregister(worker, now).await
    }
    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>> {
        self.ask().await?.publish(request).await
    }
    async fn claim(&self, request: Claim) -> Result<Claimed> {
        self.ask().await?.claim(request).await
    }
    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>> {
        self.ask().await?.commit(request).await
    }
    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()> {
        self.ask().await?.renew(worker, now, lease).await
    }
    async fn release(&self, request: Release) -> Result<usize> {
        self.ask().await?.release(request).await
    }
    async fn woken(&self) {
        self.inner.woken().await;
    }
    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        self.ask().await?.subscriptions().await
    }
    async fn run(&self, run: &str) -> Result<Option<RunRecord>> {
        self.ask().await?.run(run).await
    }
    async fn journal(&self, run: &str) -> Result<Vec<Entry>> {
        self.ask().await?.journal(run).await
    }
    async fn list(&self, filter: RunFilter) -> Result<RunPage> {
        self.ask().await?.list(filter).await
    }
    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>> {
        self.ask().await?.backlog(functions, now, most).await
    }
    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool> {
        self.ask().await?.cancel(run, now).await
    }
    async fn rerun(&self, run: &str, now: Timestamp) -> Result<bool> {
        self.ask().await?.rerun(run, now).await
    }
    async fn rerun_from(&self, run: &str, seq: u32, now: Timestamp) -> Result<bool> {
        self.ask().await?.rerun_from(run, seq, now).await
    }
    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        self.ask().await?.purge(before, limit).await
    }

    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        self.ask().await?.revoked(leases).await
    }

    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>> {
        self.ask().await?.functions(now, most).await
    }

    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged> {
        self.ask().await?.forget(function, now, limit).await
    }

    async fn note(&self, run: &str, note: Note) -> Result<bool> {
        self.ask().await?.note(run, note).await
    }
}
