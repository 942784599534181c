//! A shutdown: which requests are still answered, and which connections are cut.

use std::time::Duration;

use belts_suite::a_moment;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{ended, refuses, served, text};
use crate::router::{ManualClock, builder, gate, worker};

/// The application went on answering while the worker was about to end, and never ended itself.
#[tokio::test]
async fn the_doors_close_and_requests_under_way_are_answered() {
    let worker = worker().await;
    let (url, serving) = served(&worker, "under-way").await;
    // A connection that is kept for the next request holds nobody up.
    let client = reqwest::Client::new();
    let kept = client.get(format!("{url}/")).send().await.unwrap();
    assert_eq!(kept.status(), 200);
    let waiting = tokio::spawn(text(format!("{url}/wait")));
    gate("under-way").reached.notified().await;
    worker.shutdown();
    refuses(&url).await;
    assert!(client.get(format!("{url}/")).send().await.is_err());
    assert!(!serving.is_finished());
    gate("under-way").opened.notify_one();
    assert_eq!(ended(waiting).await.unwrap(), "waited");
    ended(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_hangs_past_the_grace_period_is_cut() {
    let clock = ManualClock::new();
    let builder = builder().clock(clock.clone());
    let worker = builder
        .grace(Duration::from_secs(60))
        .build()
        .await
        .unwrap();
    let (url, serving) = served(&worker, "hangs").await;
    let hanging = tokio::spawn(reqwest::get(format!("{url}/wait")));
    gate("hangs").reached.notified().await;
    worker.shutdown();
    refuses(&url).await;
    clock.advance(Duration::from_secs(59));
    a_moment().await;
    assert!(!serving.is_finished() && !hanging.is_finished());
    let moves = async {
        loop {
            clock.advance(Duration::from_secs(1));
            a_moment().await;
        }
    };
    tokio::select! {
        served = ended(serving) => served.unwrap().unwrap(),
        () = moves => {}
    }
    assert!(ended(hanging).await.unwrap().is_err());
}

/// Browsers open connections that they may need; such a one, or a request that never comes, would take the whole grace period.
#[tokio::test]
async fn a_connection_that_says_nothing_holds_nobody_up() {
    let clock = ManualClock::new();
    let builder = builder().clock(clock.clone());
    let worker = builder
        .grace(Duration::from_secs(3600))
        .build()
        .await
        .unwrap();
    let (url, serving) = served(&worker, "silent").await;
    let address = url.trim_start_matches("http://");
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut begun = TcpStream::connect(address).await.unwrap();
    begun.write_all(b"GET / HTTP/1.1\r\nho").await.unwrap();
    // Those before it were accepted when this one is answered.
    assert_eq!(text(format!("{url}/")).await, "hello");
    worker.shutdown();
    refuses(&url).await;
    let moves = async {
        for _ in 0..20 {
            a_moment().await;
            clock.advance(Duration::from_millis(200));
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = ended(serving) => served.unwrap().unwrap(),
        () = moves => {}
    }
    for stream in [&mut silent, &mut begun] {
        assert_eq!(ended(stream.read(&mut [0; 16])).await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn after_a_shutdown_nothing_is_served() {
    let worker = worker().await;
    worker.shutdown();
    let (url, serving) = served(&worker, "late").await;
    ended(serving).await.unwrap().unwrap();
    refuses(&url).await;
}
