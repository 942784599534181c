//! Who is told what about the worker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::{Request, StatusCode};
use belts::{
    Clock as _, Error, SystemClock, Worker,
    http::SigningKey,
    store::{Memory, SharedStore},
};
use belts_suite::Hooked;
use serde_json::json;

use crate::router::*;

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
            "keys": [{"path": "check", "kind": "step"}, {"path": "charge", "kind": "step"}],
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
    assert_eq!(body.json()["functions"].as_array().unwrap().len(), 8);
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
    let state = Arc::new(AtomicU8::new(FINE));
    let clock = ManualClock::new();
    let worker = Worker::builder()
        .insecure(true)
        .shared_store(flaky(&state))
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    state.store(FAILS, Ordering::SeqCst);
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
    state.store(HANGS, Ordering::SeqCst);
    // An answer counts for a second.
    clock.advance(Duration::from_secs(1));
    let asked = tokio::spawn({
        let worker = worker.clone();
        async move { send(&worker, get("/health")).await }
    });
    while state.load(Ordering::SeqCst) != HUNG {
        belts_suite::a_moment().await;
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
fn flaky(state: &Arc<AtomicU8>) -> SharedStore {
    let state = Arc::clone(state);
    Hooked::new(Arc::new(Memory::new()), move |_| {
        let state = Arc::clone(&state);
        Box::pin(async move {
            match state.load(Ordering::SeqCst) {
                FAILS => Err(Error::store("cannot write", "password hunter2 is wrong")),
                HANGS => {
                    state.store(HUNG, Ordering::SeqCst);
                    std::future::pending().await
                }
                _ => Ok(()),
            }
        })
    })
}

/// Whoever asked for `/health` in a loop had the store asked each time, and nothing counted that.
#[tokio::test]
async fn health_asks_the_store_at_most_once_a_second() {
    let asked = Arc::new(AtomicUsize::new(0));
    let store = Hooked::new(Arc::new(Memory::new()), {
        let asked = Arc::clone(&asked);
        move |_| {
            asked.fetch_add(1, Ordering::SeqCst);
            // Long enough for all of those who ask at once to be there.
            Box::pin(async {
                belts_suite::a_moment().await;
                Ok(())
            })
        }
    });
    let clock = ManualClock::new();
    let builder = Worker::builder().insecure(true).clock(clock.clone());
    let worker = builder.shared_store(store).build().await.unwrap();
    let before = asked.load(Ordering::SeqCst);
    for second in 1..=3 {
        for _ in 0..2 {
            let all = (0..20).map(|_| send(&worker, get("/health")));
            let all = futures_util::future::join_all(all).await;
            assert!(all.iter().all(|answer| answer.status == StatusCode::OK));
            clock.advance(Duration::from_millis(499));
        }
        assert_eq!(asked.load(Ordering::SeqCst) - before, second);
        clock.advance(Duration::from_millis(2));
    }
    // One that has hung up meanwhile leaves its answer to the others.
    let router = worker.router();
    let hung_up = tokio::spawn(ask(router, get("/health")));
    while asked.load(Ordering::SeqCst) - before < 4 {
        belts_suite::a_moment().await;
    }
    hung_up.abort();
    assert_eq!(send(&worker, get("/health")).await.status, StatusCode::OK);
    assert_eq!(asked.load(Ordering::SeqCst) - before, 4);
}
