//! Serving an application of one's own, and ending with the worker.

use std::{
    convert::Infallible,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, ChildStderr, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::{StatusCode, header},
    response::Response,
    routing::get,
};
use belts::{ErrorKind, Worker, http::Limits, store::Memory};
use belts_suite::{Hooked, a_moment};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::router::{ManualClock, builder, gate, post, send, worker};

mod closing;

const SOON: Duration = Duration::from_secs(30);

/// An application with the worker's router in it, a request that waits at its gate, and one that panics.
fn app(worker: &Worker, name: &'static str) -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route(
            "/peer",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
        )
        .route(
            "/wait",
            get(move || async move {
                gate(name).reached.notify_one();
                gate(name).opened.notified().await;
                "waited"
            }),
        )
        .route("/fall", get(|| async { fall() }))
        .nest_service("/belts", worker.router())
}

fn fall() -> &'static str {
    panic!("meant to")
}

async fn served(worker: &Worker, name: &'static str) -> (String, JoinHandle<belts::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (worker, app) = (worker.clone(), app(worker, name));
    let serving = tokio::spawn(async move { worker.serve_with(app, listener).await });
    (url, serving)
}

async fn ended<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, what)
        .await
        .expect("it ends soon")
}

async fn text(url: String) -> String {
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

/// Returns when nothing listens there any more.
async fn refuses(url: &str) {
    let address = url.trim_start_matches("http://");
    ended(async {
        while TcpStream::connect(address).await.is_ok() {
            a_moment().await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_application_is_served_beside_the_loop() {
    let worker = worker().await;
    let (url, serving) = served(&worker, "beside").await;
    assert_eq!(text(format!("{url}/")).await, "hello");
    let order = r#"{"event":{"type":"order-created","order_id":"o-1","cents":41}}"#;
    let request = reqwest::Client::new().post(format!("{url}/belts"));
    let request = request.header("content-type", "application/json");
    let accepted = request.body(order).send().await.unwrap();
    // Somebody drives it: without a loop the answer would wait for the run.
    assert_eq!(accepted.status(), 202);
    worker.shutdown();
    ended(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn handlers_know_who_calls() {
    let worker = worker().await;
    let (url, _serving) = served(&worker, "peer").await;
    let peer: SocketAddr = text(format!("{url}/peer")).await.parse().unwrap();
    assert!(peer.ip().is_loopback());
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_connection_alone() {
    let worker = worker().await;
    let (url, serving) = served(&worker, "falls").await;
    assert!(reqwest::get(format!("{url}/fall")).await.is_err());
    assert_eq!(text(format!("{url}/")).await, "hello");
    worker.shutdown();
    ended(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn two_listeners_are_served_at_once_and_end_together() {
    let worker = worker().await;
    let (one, first) = served(&worker, "first").await;
    let (two, second) = served(&worker, "second").await;
    for url in [&one, &two] {
        assert_eq!(text(format!("{url}/")).await, "hello");
    }
    worker.shutdown();
    for serving in [first, second] {
        ended(serving).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn one_that_is_dropped_frees_its_port_and_its_worker() {
    let worker = worker().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = Box::pin(worker.serve_with(app(&worker, "dropped"), listener));
    tokio::select! {
        ended = &mut serving => panic!("it serves on: {ended:?}"),
        said = text(format!("http://{address}/")) => assert_eq!(said, "hello"),
    }
    drop(serving);
    // At once, and not when the runtime comes to it.
    assert!(std::net::TcpStream::connect(address).is_err());
    let order = r#"{"event":{"type":"order-created","order_id":"o-1","cents":41}}"#;
    assert_eq!(send(&worker, post(order)).await.status, 200, "no loop runs");
}

#[tokio::test]
async fn a_loop_that_cannot_begin_takes_the_doors_with_it() {
    let store = Hooked::new(Arc::new(Memory::new()), |method| {
        Box::pin(async move {
            match method {
                "renew" => Err(belts::Error::store("it is away", "for a test")),
                _ => Ok(()),
            }
        })
    });
    let clock = ManualClock::new();
    let builder = Worker::builder().shared_store(store).clock(clock.clone());
    let worker = builder.build().await.unwrap();
    // So late that the session has to be renewed before anything else.
    clock.advance(Duration::from_secs(3600));
    let (url, serving) = served(&worker, "away").await;
    let error = ended(serving).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    refuses(&url).await;
}

async fn upgrade(mut request: Request) -> Result<Response, Infallible> {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgraded.await.unwrap());
        let mut word = [0; 4];
        stream.read_exact(&mut word).await.unwrap();
        stream.write_all(&word).await.unwrap();
    });
    let answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "parrot");
    Ok(answer.body(Body::empty()).unwrap())
}

/// As web sockets are. It is no longer one of the connections whose number is limited, nor one that could be given up for others.
#[tokio::test]
async fn a_connection_may_be_upgraded_and_takes_no_place_from_then_on() {
    let builder = builder().limits(Limits::new().connections(1));
    let worker = builder.build().await.unwrap();
    let app = app(&worker, "upgrades").route("/parrot", get(upgrade));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn({
        let worker = worker.clone();
        async move { worker.serve_with(app, listener).await }
    });
    let mut stream = TcpStream::connect(address).await.unwrap();
    let asked = b"GET /parrot HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: parrot\r\n\r\n";
    stream.write_all(asked).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(ended(stream.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{head:?}");
    for _ in 0..3 {
        // Each has the one place, after the one before was given up.
        assert_eq!(ended(text(format!("http://{address}/"))).await, "hello");
    }
    stream.write_all(b"ahoy").await.unwrap();
    let mut word = [0; 4];
    ended(stream.read_exact(&mut word)).await.unwrap();
    assert_eq!(&word, b"ahoy");
    worker.shutdown();
    ended(serving).await.unwrap().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("belts.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let worker = worker().await;
    let app = app(&worker, "unix");
    let serving = tokio::spawn({
        let worker = worker.clone();
        async move { worker.serve_with(app, listener).await }
    });
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let asked = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(asked).await.unwrap();
    let mut answer = String::new();
    ended(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"));
    worker.shutdown();
    ended(serving).await.unwrap().unwrap();
    assert!(tokio::net::UnixStream::connect(&path).await.is_err());
}

#[tokio::test]
async fn stopped_returns_when_the_shutdown_begins_however_often_it_is_asked() {
    let worker = worker().await;
    let early = [worker.stopped(), worker.stopped()];
    let waiting = early.map(tokio::spawn);
    a_moment().await;
    assert!(waiting.iter().all(|stopped| !stopped.is_finished()));
    worker.shutdown();
    for stopped in waiting {
        ended(stopped).await.unwrap();
    }
    ended(worker.stopped()).await;
}

#[tokio::test]
async fn stopped_holds_no_worker_and_returns_when_nobody_has_it() {
    let worker = Worker::builder()
        .store(Memory::new())
        .build()
        .await
        .unwrap();
    let stopped = tokio::spawn(worker.stopped());
    a_moment().await;
    assert!(!stopped.is_finished());
    drop(worker);
    ended(stopped).await.unwrap();
}

/// Not a test of its own: the process that the next tests start.
#[tokio::test]
async fn child() -> Result<(), Box<dyn std::error::Error>> {
    let Ok(kind) = std::env::var("BELTS_TEST_SERVES_WITH") else {
        return Ok(());
    };
    let worker = builder().grace(Duration::from_secs(3600)).build().await?;
    let app = app(&worker, "never").route("/waits", get(std::future::pending::<String>));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("serves http://{}", listener.local_addr()?);
    match &*kind {
        "with" => worker.serve_with(app, listener).await?,
        "beside" => {
            let server = axum::serve(listener, app).with_graceful_shutdown(worker.stopped());
            let server = async { server.await.map_err(belts::Error::from_any) };
            tokio::try_join!(server, worker.run())?;
        }
        // No loop.
        _ => {
            axum::serve(listener, app)
                .with_graceful_shutdown(worker.stopped())
                .await?;
        }
    }
    Ok(())
}

fn child_that(kind: &str) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "serve_with::child", "--nocapture"])
        .env("BELTS_TEST_SERVES_WITH", kind)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let url = url_of(child.stderr.take().unwrap());
    (child, url)
}

/// What is said after it is of no interest, and must not fill the pipe.
fn url_of(stderr: ChildStderr) -> String {
    let mut lines = BufReader::new(stderr).lines().map(Result::unwrap);
    let url = lines.find_map(|line| Some(line.split_once("serves ")?.1.to_owned()));
    std::thread::spawn(move || lines.for_each(drop));
    url.unwrap()
}

#[cfg(unix)]
fn terminate(child: &Child) {
    let mut kill = Command::new("kill");
    let asked = kill.args(["-TERM", &child.id().to_string()]).status();
    assert!(asked.unwrap().success());
}

#[cfg(unix)]
async fn succeeds(mut child: Child) {
    let status = ended(async {
        loop {
            match child.try_wait().unwrap() {
                Some(status) => return status,
                None => a_moment().await,
            }
        }
    });
    assert!(status.await.success());
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_ends_well_when_it_is_asked_to_by_each_way_to_serve() {
    for kind in ["with", "beside", "without a loop"] {
        let (child, url) = child_that(kind);
        let client = reqwest::Client::new();
        let kept = client.get(format!("{url}/")).send().await.unwrap();
        assert_eq!(kept.status(), 200, "{kind}");
        terminate(&child);
        succeeds(child).await;
        drop(client);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_that_is_asked_twice_waits_for_no_request() {
    let (mut child, url) = child_that("with");
    let hanging = tokio::spawn(reqwest::get(format!("{url}/waits")));
    assert_eq!(text(format!("{url}/")).await, "hello");
    terminate(&child);
    refuses(&url).await;
    assert!(child.try_wait().unwrap().is_none(), "the request may go on");
    terminate(&child);
    succeeds(child).await;
    assert!(ended(hanging).await.unwrap().is_err());
}
