//! Slow clients, many clients and half-open clients.

use std::{net::SocketAddr, time::Duration};

use axum::http::StatusCode;
use belts::{WorkerBuilder, http::Limits};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
};

use crate::router::*;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
const WAITED: &str = "POST /?mode=sync HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ";

async fn served(builder: WorkerBuilder) -> SocketAddr {
    let worker = builder.build().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { worker.serve_on(listener).await });
    address
}

async fn sent(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Reads until the other end closes; nothing where it cuts the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await;
    drop(read.expect("the connection ends in time"));
    String::from_utf8(text).unwrap()
}

/// Moves the time on until this is over.
async fn while_time_passes<T>(clock: &ManualClock, until: impl Future<Output = T>) -> T {
    let (done, mut over) = oneshot::channel::<()>();
    let clock = clock.clone();
    let passing = async move {
        while over.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
            clock.advance(Duration::from_secs(1));
            // What was sent before is to be seen before it is too late.
            belts_suite::a_moment().await;
        }
    };
    let until = async {
        let outcome = until.await;
        drop(done);
        outcome
    };
    tokio::join!(until, passing).0
}

/// A connection whose headers never ended stayed for ever; 300 of them stopped the worker.
#[tokio::test]
async fn a_client_that_does_not_finish_its_headers_is_cut_off() {
    let clock = ManualClock::new();
    let address = served(builder().clock(clock.clone())).await;
    for begun in [&b""[..], b"POST / HTTP/1.1\r\nhost: loc"] {
        let stream = sent(address, begun).await;
        assert_eq!(while_time_passes(&clock, rest(stream)).await, "");
    }
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_body_is_told_so() {
    let clock = ManualClock::new();
    let address = served(builder().clock(clock.clone())).await;
    let head = format!("{WAITED}100\r\n\r\n{{\"event\":");
    let stream = sent(address, head.as_bytes()).await;
    let answer = while_time_passes(&clock, rest(stream)).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#""code":"timeout""#), "{answer}");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let clock = ManualClock::new();
    let address = served(builder().clock(clock.clone())).await;
    let stream = sent(address, HEALTH).await;
    let answer = while_time_passes(&clock, rest(stream)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_request_that_waits_for_its_run_is_not_cut_off() {
    let clock = ManualClock::new();
    let builder = builder().lease(Duration::from_secs(3600));
    let address = served(builder.clock(clock.clone())).await;
    let body = r#"{"event":{"type":"waited","gate":"patient"}}"#;
    let request = format!("{WAITED}{}\r\nconnection: close\r\n\r\n{body}", body.len());
    let stream = sent(address, request.as_bytes()).await;
    gate("patient").reached.notified().await;
    for _ in 0..30 {
        clock.advance(Duration::from_secs(10));
        belts_suite::a_moment().await;
    }
    gate("patient").opened.notify_one();
    let answer = while_time_passes(&clock, rest(stream)).await;
    assert!(answer.contains(r#""output":"patient""#), "{answer}");
}

/// The body of an answer is gone before its bytes are, and from then on the connection counted as idle: whoever read slowly lost
/// the rest of a long answer.
#[tokio::test]
async fn an_answer_that_is_being_sent_is_not_idle() {
    const SMALL: u32 = 16 * 1024;
    const PART: usize = 128 * 1024;
    let clock = ManualClock::new();
    let builder = builder().lease(Duration::from_secs(3600));
    let limits = Limits::new().idle(Duration::from_secs(60));
    let worker = builder.clock(clock.clone()).limits(limits);
    let worker = worker.build().await.unwrap();
    // The systems between hold less than a part: who has read one knows that more was sent meanwhile.
    let listening = TcpSocket::new_v4().unwrap();
    listening.set_send_buffer_size(SMALL).unwrap();
    listening.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listening.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { worker.serve_on(listener).await });
    let reading = TcpSocket::new_v4().unwrap();
    reading.set_recv_buffer_size(SMALL).unwrap();
    let mut stream = reading.connect(address).await.unwrap();
    let name = "x".repeat(6 * PART);
    gate(&name).opened.notify_one();
    let body = format!(r#"{{"event":{{"type":"waited","gate":"{name}"}}}}"#);
    let request = format!("{WAITED}{}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut part = vec![0; PART];
    for number in 0..6 {
        let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut part)).await;
        let read = read.expect("it goes on in time");
        assert!(read.is_ok(), "part {number}: {read:?}");
        clock.advance(Duration::from_secs(40));
        belts_suite::a_moment().await;
    }
    let answer = while_time_passes(&clock, rest(stream)).await;
    assert!(answer.contains(r#"xx"}]"#), "{answer}");
}

/// More clients than places, none of which says anything: whoever has something to say is heard.
#[tokio::test]
async fn many_silent_clients_keep_nobody_out() {
    let clock = ManualClock::new();
    let limits = Limits::new().connections(8);
    let address = served(builder().clock(clock.clone()).limits(limits)).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(sent(address, b"POST / HTTP/1.1\r\nhost: loc").await);
    }
    let asked = async {
        let mut stream = sent(address, HEALTH).await;
        let mut answer = [0; 12];
        let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await;
        read.expect("there is an answer in time").unwrap();
        answer
    };
    assert_eq!(&while_time_passes(&clock, asked).await, b"HTTP/1.1 200");
}

/// A client that is gone leaves its place to the next.
#[tokio::test]
async fn a_client_that_hangs_up_no_longer_waits() {
    let limits = Limits::new().waiting(1);
    let address = served(builder().limits(limits)).await;
    let body = r#"{"event":{"type":"waited","gate":"gone"}}"#;
    let request = format!("{WAITED}{}\r\n\r\n{body}", body.len());
    let mut stream = sent(address, request.as_bytes()).await;
    gate("gone").reached.notified().await;
    let ask = || async {
        let other = r#"{"event":{"type":"order-created","order_id":"o","cents":1}}"#;
        let client = reqwest::Client::new().post(format!("http://{address}/?mode=sync"));
        let request = client
            .header("content-type", "application/json")
            .body(other);
        request.send().await.unwrap().status()
    };
    assert_eq!(ask().await, StatusCode::SERVICE_UNAVAILABLE);
    // Half of the connection is enough: nobody is there to be answered.
    stream.shutdown().await.unwrap();
    let free = async {
        while ask().await != StatusCode::OK {
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(PATIENCE, free)
        .await
        .expect("the place is free in time");
    gate("gone").opened.notify_one();
}

#[tokio::test]
async fn a_request_beyond_those_that_may_wait_starts_nothing() {
    let worker = builder()
        .limits(Limits::new().waiting(1))
        .build()
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let worker = worker.clone();
        async move {
            let body = r#"{"event":{"type":"waited","gate":"crowd"}}"#;
            send(&worker, post(body)).await
        }
    });
    gate("crowd").reached.notified().await;
    let order = r#"{"event":{"type":"order-created","order_id":"o","cents":1}}"#;
    for mode in ["sync", "stream"] {
        let request = json(&format!("/?mode={mode}")).body(order.into()).unwrap();
        let answer = send(&worker, request).await;
        assert_eq!(answer.code(), (503, "busy".to_owned()), "{mode}");
        assert!(answer.headers.contains_key("retry-after"));
    }
    assert_eq!(worker.runs().list().await.unwrap().runs.len(), 1);
    gate("crowd").opened.notify_one();
    assert_eq!(waiting.await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn limits_of_nothing_are_refused() {
    for limits in [
        Limits::new().connections(0),
        Limits::new().head(Duration::ZERO),
        Limits::new().waiting(usize::MAX),
    ] {
        let error = builder().limits(limits).build().await.unwrap_err();
        assert_eq!(error.kind(), belts::ErrorKind::Config);
    }
}
