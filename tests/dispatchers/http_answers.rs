//! What the HTTP dispatcher makes of answers of strange places.
//!
//! A publish said `Ok` for a login page with 200, for 204, for an empty 200, for another program's 202, for
//! `200 {"error":true}` and for a 500 that named some other event: nothing had taken the event. An answer counts only if it
//! is a worker's and names this event.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use belts::{
    Backoff, ErrorKind, Event, Worker,
    dispatch::Http,
    http::HttpMode,
    step,
    store::{Memory, RunFilter, Store as _},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "answered-road")]
struct Road {
    number: u32,
}

#[belts::function(id = "answered-road", on = Road)]
async fn road(road: Road) -> belts::Result<u32> {
    step!("one", road.number).await
}

/// What a place does with a request; `ID` in it is the event's.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Answers this.
    Says(&'static str, &'static str),
    /// Answers for ever.
    NeverEnds,
    /// Answers more than anybody reads.
    Floods,
    /// Answers the beginning of a stream, and then nothing more.
    Streams,
}

async fn place(place: Place) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/belts", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, place, Arc::clone(&count)));
        }
    });
    (url, requests)
}

async fn answer(mut stream: TcpStream, place: Place, count: Arc<AtomicUsize>) -> Option<()> {
    let (mut read, mut buffer) = (String::new(), vec![0; 65536]);
    while !read.contains("\"eventId\":\"") || !read.ends_with('}') {
        let got = stream.read(&mut buffer).await.ok()?;
        read += std::str::from_utf8(&buffer[..got])
            .ok()
            .filter(|it| !it.is_empty())?;
    }
    count.fetch_add(1, Ordering::SeqCst);
    let id = read.split("\"eventId\":\"").nth(1)?.split('"').next()?;
    match place {
        Place::Says(head, body) => {
            let (head, body) = (head.replace("ID", id), body.replace("ID", id));
            let length = body.len();
            let said = format!(
                "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(said.as_bytes()).await.ok()
        }
        Place::NeverEnds | Place::Floods => {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head).await.ok()?;
            let size = if matches!(place, Place::Floods) {
                0xffff
            } else {
                1
            };
            let chunk = format!("{size:x}\r\n{}\r\n", "a".repeat(size));
            loop {
                stream.write_all(chunk.as_bytes()).await.ok()?;
                if matches!(place, Place::NeverEnds) {
                    belts_suite::a_moment().await;
                }
            }
        }
        Place::Streams => {
            let said = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nbelts-event-id: {id}\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            stream.write_all(said.as_bytes()).await.ok()?;
            std::future::pending().await
        }
    }
}

/// What a publish says of a place, and how often it asked.
async fn publish(at: Place) -> (Result<bool, (ErrorKind, String)>, usize) {
    let (url, requests) = place(at).await;
    let millis = Duration::from_millis;
    let patience = match at {
        // Nothing is worth waiting for.
        Place::NeverEnds => millis(300),
        _ => Duration::from_secs(20),
    };
    let http = Http::builder(url)
        .timeout(patience)
        .retries(1)
        .backoff(Backoff::new(millis(1), millis(2)));
    let worker = Worker::builder()
        .publish_only()
        .dispatcher(http.build().unwrap());
    let worker = worker.build().await.unwrap();
    let published = publish_road(Road { number: 1 }).via(&worker).await;
    let said = published
        .map(|it| it.duplicate)
        .map_err(|error| (error.kind(), error.report()));
    (said, requests.load(Ordering::SeqCst))
}

#[tokio::test]
async fn what_is_no_workers_answer_to_this_event_took_nothing() {
    const JSON: &str = "200 OK\r\ncontent-type: application/json";
    // Each with how often it is asked where another try is made.
    let strange = [
        (
            Place::Says(
                "200 OK\r\ncontent-type: text/html",
                "<html>please log in</html>",
            ),
            1,
        ),
        (Place::Says("204 No Content", ""), 1),
        (Place::Says("200 OK", ""), 1),
        (
            Place::Says(
                JSON,
                r#"{"error":true,"message":"no such app","code":"not-found"}"#,
            ),
            1,
        ),
        (
            Place::Says(
                JSON,
                r#"{"error":true,"message":"no","eventId":"ID","runs":[]}"#,
            ),
            1,
        ),
        (Place::Says(JSON, r#"{"eventId":"another","runs":[]}"#), 1),
        (Place::Says(JSON, r#"{"eventId":"ID"}"#), 1),
        (Place::Says("202 Accepted", "accepted"), 1),
        (Place::Says("200 OK\r\nbelts-event-id: another", ""), 1),
        (Place::Says("302 Found\r\nlocation: /login", ""), 1),
        (Place::Says("404 Not Found", ""), 1),
        (Place::Says("400 Bad Request", ""), 1),
        (
            Place::Says("500 X", r#"{"error":true,"eventId":"x","runs":[]}"#),
            2,
        ),
        (Place::Says("500 X", r#"{"eventId":"ID"}"#), 2),
        (Place::Says("503 X\r\nretry-after: 0", ""), 2),
        (Place::Floods, 1),
    ];
    for (at, asked) in strange {
        let (said, requests) = publish(at).await;
        let (kind, report) = said.expect_err("nothing took it");
        assert_eq!(
            (kind, requests),
            (ErrorKind::Dispatcher, asked),
            "{at:?}: {report}"
        );
        let asks = report.contains("is the URL where the worker's router is mounted?");
        assert!(asks, "{at:?}: {report}");
    }
}

#[tokio::test]
async fn answer_that_never_ends_is_given_up() {
    let (said, requests) = publish(Place::NeverEnds).await;
    let (kind, report) = said.expect_err("nothing took it");
    assert_eq!((kind, requests), (ErrorKind::Dispatcher, 2));
    assert!(report.contains("did not answer in time"), "{report}");
}

#[tokio::test]
async fn workers_answer_that_names_the_event_is_believed() {
    let accepted = Place::Says("202 Accepted", r#"{"eventId":"ID","runs":[]}"#);
    let known = Place::Says("200 OK", r#"{"eventId":"ID","runs":[{}],"duplicate":true}"#);
    let failed = r#"{"error":true,"message":"no","code":"failed","eventId":"ID","runs":[{}]}"#;
    let failed = Place::Says("500 X", failed);
    for (at, duplicate) in [
        (accepted, false),
        (known, true),
        (failed, false),
        (Place::Streams, false),
    ] {
        assert_eq!(publish(at).await, (Ok(duplicate), 1), "{at:?}");
    }
}

#[tokio::test]
async fn another_event_under_the_id_is_told_at_once() {
    let body = r#"{"error":true,"message":"another event is there","code":"conflict"}"#;
    let (said, requests) = publish(Place::Says("409 Conflict", body)).await;
    assert_eq!((said.unwrap_err().0, requests), (ErrorKind::Conflict, 1));
}

#[tokio::test]
async fn event_that_does_not_fit_the_worker_is_tried_again_and_no_outcome_of_a_step() {
    let body = r#"{"error":true,"message":"missing field `x`","code":"invalid-event"}"#;
    let (url, requests) = place(Place::Says("400 Bad Request", body)).await;
    let millis = Duration::from_millis;
    let http = Http::builder(url)
        .retries(2)
        .backoff(Backoff::new(millis(1), millis(2)));
    let worker = Worker::builder()
        .publish_only()
        .dispatcher(http.build().unwrap());
    let worker = worker.build().await.unwrap();
    let error = publish_road(Road { number: 1 })
        .via(&worker)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    assert!(
        error
            .report()
            .contains("another version of the worker may take it"),
        "{}",
        error.report()
    );
    assert_eq!(requests.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn each_mode_of_a_worker_is_an_answer() {
    for (number, mode) in (0..).zip([HttpMode::Accept, HttpMode::Sync, HttpMode::Stream]) {
        let store = Memory::new();
        let worker = Worker::builder().store(store.clone()).function(road);
        let worker = worker.http_mode(mode).build().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = worker.clone();
        tokio::spawn(async move { serving.serve_on(listener).await });
        let http = Http::builder(url).retries(0).build().unwrap();
        let publisher = Worker::builder().publish_only().dispatcher(http);
        let publisher = publisher.build().await.unwrap();
        let sent = publish_road(Road { number }).via(&publisher).await;
        sent.unwrap_or_else(|error| panic!("{mode:?}: {}", error.report()));
        let runs = store.list(RunFilter::default()).await.unwrap().runs;
        assert_eq!(runs.len(), 1, "{mode:?}");
        worker.shutdown();
    }
}
