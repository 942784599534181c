//! The HTTP dispatcher: signatures, retries, and what it says of answers that no retry can help.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::HeaderMap, response::IntoResponse};
use belts::{
    Backoff, Clock as _, Error, ErrorKind, Event, SystemClock, Worker,
    dispatch::{Dispatcher as _, Http, HttpBuilder, Message},
    store::{Memory, RunFilter, Store as _},
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

#[derive(Debug, Serialize, Deserialize, Event)]
struct HttpCarried {
    number: u32,
}

#[belts::function(id = "carried-by-http", on = HttpCarried)]
async fn carried(event: HttpCarried) -> belts::Result<u32> {
    Ok(event.number)
}

/// A server that answers by this function, which is told the number of the request from 0.
async fn answering<R: IntoResponse + Send>(
    answer: impl Fn(usize, HeaderMap) -> R + Clone + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let app = Router::new().fallback(move |headers: HeaderMap| {
        let answer = answer(count.fetch_add(1, Ordering::SeqCst), headers);
        async move { answer }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/belts", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, requests)
}

/// What a worker says that has taken the message.
fn taken() -> &'static str {
    r#"{"eventId":"message-1","runs":[]}"#
}

fn fast(url: impl Into<String>) -> HttpBuilder {
    let millis = Duration::from_millis;
    Http::builder(url)
        .backoff(Backoff::new(millis(1), millis(5)))
        .timeout(millis(500))
}

async fn send(builder: HttpBuilder) -> belts::Result<()> {
    let message = Message::new("message-1", *br#"{"event":{"type":"a"}}"#);
    let mut answers = builder.build()?.send(vec![message]).await?;
    answers.remove(0).map(drop)
}

async fn refusal(builder: HttpBuilder) -> Error {
    send(builder).await.expect_err("it is refused")
}

/// A worker that takes these keys, and its store.
async fn worker(keys: &[&str]) -> (Worker, Memory, SocketAddr) {
    let store = Memory::new();
    let worker = Worker::builder()
        .store(store.clone())
        .function(carried)
        .signing_keys(keys)
        .build()
        .await
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = worker.clone();
    tokio::spawn(async move { serving.serve_on(listener).await });
    (worker, store, address)
}

async fn publisher(address: SocketAddr, keys: &[&str]) -> Worker {
    let http = fast(format!("http://{address}/")).signing_keys(keys);
    Worker::builder()
        .publish_only()
        .dispatcher(http.build().unwrap())
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn key_is_changed_without_a_gap() {
    // First the workers know the new one, then publishers sign with it, then the old one goes.
    let steps: [(&[&str], &[&str]); 4] = [
        (&[OLD], &[OLD]),
        (&[NEW, OLD], &[OLD]),
        (&[NEW, OLD], &[NEW]),
        (&[NEW], &[NEW]),
    ];
    for (receives, signs) in steps {
        let (worker, store, address) = worker(receives).await;
        let sender = publisher(address, signs).await;
        let published = publish_http_carried(HttpCarried { number: 1 })
            .via(&sender)
            .await
            .unwrap();
        let runs = store.list(RunFilter::default()).await.unwrap().runs;
        assert_eq!(*runs[0].event_id, *published.event_id);
        worker.shutdown();
    }
}

#[tokio::test]
async fn wrong_key_is_told_to_the_publisher_at_once() {
    let (_worker, store, address) = worker(&[NEW]).await;
    for keys in [&[OLD][..], &[]] {
        let sender = publisher(address, keys).await;
        let error = publish_http_carried(HttpCarried { number: 1 })
            .via(&sender)
            .await
            .expect_err("the worker refuses it");
        // It can be put right, so a step that publishes waits for that.
        assert_eq!(error.kind(), ErrorKind::Dispatcher, "{error:?}");
        let told = error.to_string();
        assert!(
            told.contains("401") && told.contains("BELTS_SIGNING_KEYS"),
            "{told}"
        );
    }
    assert!(
        store
            .list(RunFilter::default())
            .await
            .unwrap()
            .runs
            .is_empty()
    );
}

#[tokio::test]
async fn second_publish_under_one_key_is_known_as_a_duplicate() {
    let (_worker, store, address) = worker(&[OLD]).await;
    let sender = publisher(address, &[OLD]).await;
    for duplicate in [false, true] {
        let published = publish_http_carried(HttpCarried { number: 1 })
            .idempotency_key("once")
            .retries(0)
            .via(&sender)
            .await
            .unwrap();
        assert_eq!(published.duplicate, duplicate);
    }
    assert_eq!(
        store.list(RunFilter::default()).await.unwrap().runs.len(),
        1
    );
}

#[tokio::test]
async fn event_that_nobody_takes_is_an_error_that_says_so() {
    #[derive(Debug, Serialize, Deserialize, Event)]
    struct Unheard {}

    let (_worker, _store, address) = worker(&[OLD]).await;
    let sender = publisher(address, &[OLD]).await;
    let error = publish_unheard(Unheard {}).via(&sender).await;
    let error = error.expect_err("nobody takes it");
    assert_eq!(error.kind(), ErrorKind::UnknownEvent);
    assert!(error.to_string().contains("`unheard`"), "{error}");
}

#[tokio::test]
async fn failed_requests_are_made_again_under_the_same_id() {
    let (url, requests) = answering(|number, headers| {
        assert_eq!(headers["webhook-id"], "message-1");
        let statuses = [503, 500, 429, 408, 202];
        let status = axum::http::StatusCode::from_u16(statuses[number]).unwrap();
        (status, taken())
    })
    .await;
    send(fast(url).signing_keys([OLD])).await.unwrap();
    assert_eq!(requests.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn retries_end_and_the_last_answer_is_the_error() {
    let (url, requests) = answering(|_, _| {
        let body =
            r#"{"error":true,"message":"the store does not work at the moment","code":"store"}"#;
        (axum::http::StatusCode::SERVICE_UNAVAILABLE, body)
    })
    .await;
    for (retries, seen) in [(2, 3), (0, 4)] {
        let error = refusal(fast(&url).retries(retries)).await;
        assert_eq!(error.kind(), ErrorKind::Dispatcher);
        assert!(error.is_retryable());
        assert_eq!(
            error.to_string(),
            "the worker answered 503 Service Unavailable: the store does not work at the moment"
        );
        assert_eq!(requests.load(Ordering::SeqCst), seen);
    }
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let begun = SystemClock.now();
    let (url, _) = answering(|number, _| match number {
        0 => (
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            [("retry-after", "1")],
        ),
        _ => (
            axum::http::StatusCode::ACCEPTED,
            [("belts-event-id", "message-1")],
        ),
    })
    .await;
    send(fast(url)).await.unwrap();
    assert!(SystemClock.now().since(begun) >= Duration::from_secs(1));
}

#[tokio::test]
async fn retry_after_that_asks_for_too_much_is_an_error() {
    let (url, requests) = answering(|_, _| {
        (
            axum::http::StatusCode::TOO_MANY_REQUESTS,
            [("retry-after", "Tue, 31 Dec 2999 23:59:59 GMT")],
        )
    })
    .await;
    let error = refusal(fast(url)).await;
    assert_eq!(error.kind(), ErrorKind::Dispatcher);
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn endpoint_that_hangs_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let error = refusal(fast(url).timeout(Duration::from_millis(50)).retries(1)).await;
    assert_eq!(error.to_string(), "the worker did not answer in time");
    assert_eq!(error.kind(), ErrorKind::Dispatcher);
}

#[tokio::test]
async fn endpoint_that_is_not_there_is_an_error_without_the_url() {
    let error = refusal(fast("http://127.0.0.1:9/secret").retries(1)).await;
    assert_eq!(error.to_string(), "cannot reach the worker");
    assert!(!error.report().contains("secret"), "{}", error.report());
}

#[tokio::test]
async fn answers_that_no_retry_can_help_come_at_once() {
    let cases = [
        (400, ErrorKind::Dispatcher),
        (403, ErrorKind::Dispatcher),
        (404, ErrorKind::Dispatcher),
        (307, ErrorKind::Dispatcher),
        (413, ErrorKind::TooLarge),
    ];
    for (status, kind) in cases {
        let (url, requests) = answering(move |_, _| {
            (
                axum::http::StatusCode::from_u16(status).unwrap(),
                [("location", "http://127.0.0.1:9/")],
            )
        })
        .await;
        let error = refusal(fast(url)).await;
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn failed_run_of_a_worker_that_waits_is_no_failed_delivery() {
    let (url, requests) = answering(|_, _| {
        let body =
            r#"{"error":true,"message":"no","code":"failed","eventId":"message-1","runs":[]}"#;
        (axum::http::StatusCode::INTERNAL_SERVER_ERROR, body)
    })
    .await;
    send(fast(url)).await.unwrap();
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[test]
fn wrong_settings_are_named() {
    let wrong = [
        (Http::builder("app.example"), "`https://app.example/belts`"),
        (
            Http::builder("https://app.example").signing_keys(["short"]),
            "signing key 1 has 5 bytes",
        ),
        (
            Http::builder("https://app.example").timeout(Duration::ZERO),
            "`timeout`",
        ),
    ];
    for (builder, part) in wrong {
        let error = builder.build().expect_err(part);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(part), "{error}");
    }
}
