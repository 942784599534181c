//! Serving on a real socket, and as a process of its own.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use belts::{
    ErrorKind, Worker,
    store::{Memory, RunFilter, RunStatus, Sqlite, Store as _},
};
use belts_suite::Hooked;
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify};

use crate::router::*;

const ORDER: &str = r#"{"event":{"type":"order-created","order_id":"o-1","cents":41}}"#;

/// A worker that serves on a free port.
async fn served(worker: &Worker) -> (SocketAddr, tokio::task::JoinHandle<belts::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let worker = worker.clone();
    (
        address,
        tokio::spawn(async move { worker.serve_on(listener).await }),
    )
}

async fn deliver(url: String, body: impl Into<reqwest::Body>) -> reqwest::Response {
    let request = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .body(body);
    request.send().await.unwrap()
}

async fn json_of(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn serve_accepts_drives_and_ends() {
    let worker = builder().inspection_token(TOKEN).build().await.unwrap();
    let (address, serving) = served(&worker).await;
    let accepted = deliver(format!("http://{address}/"), ORDER).await;
    assert_eq!(accepted.status(), 202);
    let ended = deliver(format!("http://{address}?mode=sync"), ORDER).await;
    assert_eq!(json_of(ended).await["runs"][0]["output"], 42);
    let described = reqwest::Client::new()
        .get(format!("http://{address}/"))
        .bearer_auth(TOKEN);
    let described = described.send().await.unwrap();
    assert_eq!(
        json_of(described).await["functions"][0]["id"],
        "process-order"
    );
    let nothing = reqwest::get(format!("http://{address}/nothing"))
        .await
        .unwrap();
    assert_eq!(
        (
            nothing.status().as_u16(),
            json_of(nothing).await["code"].clone()
        ),
        (404, "not-found".into())
    );
    worker.shutdown();
    serving.await.unwrap().unwrap();
}

/// The task that accepted connections outlived the future: the port stayed taken, deliveries were accepted as if a loop ran, and
/// nobody drove them.
#[tokio::test]
async fn a_serve_that_is_dropped_frees_its_port_and_its_worker() {
    let worker = worker().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = Box::pin(worker.serve_on(listener));
    tokio::select! {
        ended = &mut serving => panic!("it serves on: {ended:?}"),
        answer = deliver(format!("http://{address}/"), ORDER) => assert_eq!(answer.status(), 202),
    }
    drop(serving);
    // Before the runtime has another turn. A child process that a neighbouring test starts has a copy of the listener until it
    // executes its program, so this may take a moment.
    let is_refused = || std::net::TcpStream::connect(address).is_err();
    let refused_in_time = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        is_refused()
    });
    assert!(refused_in_time, "the address is still listened on");
    let listener = TcpListener::bind(address).await.unwrap();
    assert_eq!(send(&worker, post(ORDER)).await.status, 200, "no loop runs");
    let mut serving = Box::pin(worker.serve_on(listener));
    tokio::select! {
        ended = &mut serving => panic!("it serves on: {ended:?}"),
        answer = deliver(format!("http://{address}/"), ORDER) => assert_eq!(answer.status(), 202),
    }
    worker.shutdown();
    serving.await.unwrap();
}

/// Whoever gave up on a store that did not answer left a worker behind that believed its loop was about to run.
#[tokio::test]
async fn a_serve_that_is_dropped_before_its_loop_runs_promises_none() {
    let (reached, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let store = Hooked::new(Arc::new(Memory::new()), {
        let (reached, goes_on) = (Arc::clone(&reached), Arc::clone(&goes_on));
        move |method| {
            let (reached, goes_on) = (Arc::clone(&reached), Arc::clone(&goes_on));
            Box::pin(async move {
                if method == "renew" {
                    reached.notify_one();
                    goes_on.notified().await;
                    // For the next time too.
                    goes_on.notify_one();
                }
                Ok(())
            })
        }
    });
    let clock = ManualClock::new();
    let builder = Worker::builder().shared_store(store).insecure(true);
    let worker = builder.clock(clock.clone()).build().await.unwrap();
    // So late that the session has to be renewed before anything else.
    clock.advance(Duration::from_secs(3600));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut serving = Box::pin(worker.serve_on(listener));
    tokio::select! {
        ended = &mut serving => panic!("it waits for the store: {ended:?}"),
        () = reached.notified() => {}
    }
    drop(serving);
    goes_on.notify_one();
    assert_eq!(send(&worker, post(ORDER)).await.status, 200);
}

#[tokio::test]
async fn a_sender_of_ten_mebibytes_sees_why_it_was_refused() {
    let worker = worker().await;
    let (address, _serving) = served(&worker).await;
    let answer = deliver(format!("http://{address}/"), vec![b' '; 10 * 1024 * 1024]).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(json_of(answer).await["code"], "too-large");
}

#[tokio::test]
async fn a_request_that_waits_has_its_answer_when_the_worker_drains() {
    let worker = worker().await;
    let (address, serving) = served(&worker).await;
    let body = r#"{"event":{"type":"waited","gate":"drain"}}"#;
    let waiting = tokio::spawn(deliver(format!("http://{address}/?mode=sync"), body));
    gate("drain").reached.notified().await;
    worker.shutdown();
    gate("drain").opened.notify_one();
    serving.await.unwrap().unwrap();
    let answer = waiting.await.unwrap();
    // The step under way was recorded; the rest of the run is for the next worker.
    assert_eq!(answer.status(), 503);
    assert_eq!(json_of(answer).await["code"], "shutdown");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = worker().await.serve(address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(error.to_string().contains("BELTS_ADDR"), "{error}");
}

#[tokio::test]
async fn an_address_that_is_none_is_named() {
    let error = worker().await.serve("localhost").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`localhost`"), "{error}");
}

#[tokio::test]
async fn strangers_are_kept_out_unless_there_is_a_key_or_somebody_means_it() {
    let worker = Worker::builder().store(Memory::new()).build().await;
    let error = worker.unwrap().serve("0.0.0.0:0").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains("BELTS_SIGNING_KEYS")
            && error.to_string().contains("BELTS_INSECURE=1"),
        "{error}"
    );
    let keyed = Worker::builder()
        .store(Memory::new())
        .signing_keys(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
    for builder in [keyed, builder().insecure(true)] {
        let worker = builder.build().await.unwrap();
        worker.shutdown();
        worker.serve("0.0.0.0:0").await.unwrap();
    }
}

/// Not a test of its own: the process that the next tests start.
#[tokio::test]
async fn child() -> belts::Result<()> {
    match std::env::var("BELTS_TEST_CHILD").as_deref() {
        Ok("patient") => {
            let file = std::env::var("BELTS_TEST_FILE").expect("a file");
            // A server that is somewhat slow.
            let slow = |method| -> belts_suite::Before {
                Box::pin(async move {
                    if method == "deregister" {
                        for _ in 0..20 {
                            belts_suite::a_moment().await;
                        }
                    }
                    Ok(())
                })
            };
            let store = Hooked::new(Arc::new(Sqlite::open(file).await?), slow);
            let builder = builder().shared_store(store);
            let worker = builder.grace(Duration::from_secs(3600)).build().await?;
            worker.serve("127.0.0.1:0").await
        }
        Ok(_) => belts::serve().await,
        Err(_) => Ok(()),
    }
}

fn child_with(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "serve::child", "--nocapture"])
        .env("BELTS_TEST_CHILD", "1")
        .env("BELTS_STORE", "memory:");
    command
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_serves_by_its_environment_until_it_is_asked_to_end() {
    let mut child = child_with(&[("BELTS_ADDR", "127.0.0.1:0"), ("BELTS_CONCURRENCY", "3")])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let first = lines.find(|line| line.contains("listens on")).unwrap();
    let url = first.split_whitespace().last().unwrap().to_owned();
    assert!(lines.any(|line| line.contains("process-order") && line.contains("on order-created")));
    let answer = deliver(format!("{url}/?mode=sync"), ORDER).await;
    assert_eq!(json_of(answer).await["runs"][0]["output"], 42);
    terminate(&child);
    assert!(child.wait().unwrap().success());
}

#[cfg(unix)]
fn terminate(child: &Child) {
    let asked = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(asked.success());
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_that_is_asked_to_end_twice_ends_soon_and_releases_its_runs() {
    // Whoever pressed Ctrl-C a second time waited for the whole grace period. When that was mended, a store that works was not
    // given the time to release the runs, and they waited for the end of the lease.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("belts.db");
    let path = file.to_str().unwrap();
    let mut child = child_with(&[("BELTS_TEST_CHILD", "patient"), ("BELTS_TEST_FILE", path)])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let first = lines.find(|line| line.contains("listens on")).unwrap();
    let url = first.split_whitespace().last().unwrap().to_owned();
    let waits = r#"{"event":{"type":"waited","gate":"never"}}"#;
    assert_eq!(deliver(format!("{url}/"), waits).await.status(), 202);
    terminate(&child);
    let client = reqwest::Client::builder().pool_max_idle_per_host(0);
    let client = client.build().unwrap();
    let begun = async { while client.get(format!("{url}/health")).send().await.is_ok() {} };
    let begun = tokio::time::timeout(Duration::from_secs(30), begun).await;
    begun.expect("the shutdown begins");
    assert!(child.try_wait().unwrap().is_none(), "the step may go on");
    terminate(&child);
    let ended = async {
        loop {
            match child.try_wait().unwrap() {
                Some(status) => return status,
                None => belts_suite::a_moment().await,
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    assert!(ended.expect("the grace period is over").success());
    let store = Sqlite::open(&file).await.unwrap();
    let runs = store.list(RunFilter::default()).await.unwrap().runs;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].status, RunStatus::Suspended, "it is released");
}

/// 300 connections with half of their headers used up the 256 files that a process may have open: nobody else was
/// answered, and the store could not open its own.
#[cfg(unix)]
#[tokio::test]
async fn half_sent_requests_leave_files_for_the_store_and_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -n 128 && exec \"$0\" --exact serve::child --nocapture",
        ])
        .arg(std::env::current_exe().unwrap())
        .envs([("BELTS_TEST_CHILD", "1"), ("BELTS_ADDR", "127.0.0.1:0")])
        .env("BELTS_STORE", store)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let first = lines.find(|line| line.contains("listens on")).unwrap();
    let url = first.split_whitespace().last().unwrap().to_owned();
    let address = url.trim_start_matches("http://").to_owned();
    let mut half = Vec::new();
    for _ in 0..200 {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        // One that was cut off already is no loss.
        drop(stream.write_all(b"POST / HTTP/1.1\r\nhost: loc"));
        half.push(stream);
    }
    let answer = deliver(format!("{url}/?mode=sync"), ORDER).await;
    assert_eq!(json_of(answer).await["runs"][0]["output"], 42);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_wrong_variable_ends_the_process_with_its_name() {
    let output = child_with(&[("BELTS_ADDR", "nowhere")]).output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("BELTS_ADDR is `nowhere`"), "{text}");
}
