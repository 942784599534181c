//! Events and callbacks by HTTP, over one connection that stays open.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::post};
use belts::store::{RunStatus, Synchronous};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

use crate::{
    Outcome,
    functions::{CALLBACK, MARKS, Work, arrived, called_back, publish_work},
    latency::{REST, SAMPLES},
    measure::{Directory, median, micros, now, pause},
    process::Running,
    raw::Raw,
    report::{Row, Target},
    warm::Warm,
};

/// From the POST of an event to its 202.
pub(crate) async fn publish() -> Outcome {
    let directory = Directory::new()?;
    let Warm {
        store,
        raw,
        _keeper,
    } = Warm::create(&directory, Synchronous::Full).await?;
    let worker = Running::start(store, |builder| builder.function(arrived).insecure(true)).await?;
    let mut belts = Client::of(worker.router()).await?;
    let raw = Arc::new(Mutex::new(raw));
    let commit = move || async move {
        match raw.lock().await.commits(1).await {
            Ok(_) => StatusCode::ACCEPTED,
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    };
    let mut plain = Client::of(Router::new().route("/", post(commit))).await?;
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        limits.push(plain.deliver().await?);
        ours.push(belts.deliver().await?);
    }
    worker.stop().await?;
    let (value, limit) = (median(&mut ours), median(&mut limits));
    let target = Target::TimesAtMost(1.4);
    Row {
        name: "http-publish",
        value,
        unit: "us",
        limit: Some(limit),
        target,
    }
    .print();
    Ok(())
}

/// From the POST of a callback to the run's next line, beside the POST of an event and one commit.
pub(crate) async fn callback() -> Outcome {
    let directory = Directory::new()?;
    let Warm {
        store,
        mut raw,
        _keeper,
    } = Warm::create(&directory, Synchronous::Full).await?;
    let worker = Running::start(store, |builder| {
        builder
            .function(arrived)
            .function(called_back)
            .insecure(true)
    })
    .await?;
    let mut client = Client::of(worker.router()).await?;
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        pause(REST).await;
        let commit = micros(raw.commits(1).await?);
        limits.push(commit + client.deliver().await?);
        pause(REST).await;
        let published = publish_work(Work::of(0)).via(&worker).await?;
        let run = published.run_of(called_back).ok_or("it starts a run")?;
        while worker.runs().get(run.run_id()).await?.status != RunStatus::Suspended {
            pause(Duration::from_millis(1)).await;
        }
        pause(REST).await;
        MARKS.take();
        let id = CALLBACK
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let start = now();
        client
            .post(&format!("/callbacks/{id}"), "7", " 200 ")
            .await?;
        MARKS.told().await;
        let next = MARKS.take().pop().ok_or("the function left a mark")?;
        ours.push(micros(next - start));
    }
    worker.stop().await?;
    let (value, limit) = (median(&mut ours), median(&mut limits));
    Row {
        name: "callback-sqlite",
        value,
        unit: "us",
        limit: Some(limit),
        target: Target::AtMost(limit + 300.0),
    }
    .print();
    Ok(())
}

/// A connection to a router that is served in this process.
struct Client(TcpStream);

impl Client {
    async fn of(router: Router) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        let connection = TcpStream::connect(address).await?;
        connection.set_nodelay(true)?;
        Ok(Self(connection))
    }

    /// Delivers an event.
    async fn deliver(&mut self) -> Outcome<f64> {
        pause(REST).await;
        let mut event = serde_json::to_value(Work::of(0))?;
        event["type"] = "work".into();
        let body = serde_json::json!({ "event": event }).to_string();
        self.post("/", &body, " 202 ").await
    }

    /// Microseconds from the request to the end of the answer, which has this status.
    async fn post(&mut self, path: &str, body: &str, status: &str) -> Outcome<f64> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        );
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let start = now();
        self.0.write_all(request.as_bytes()).await?;
        let answer = self.answer().await?;
        let time = micros(start.elapsed());
        if answer.starts_with(&format!("HTTP/1.1{status}")) {
            Ok(time)
        } else {
            Err(answer.into())
        }
    }

    /// One answer, which says how long its body is.
    async fn answer(&mut self) -> Outcome<String> {
        let mut bytes = Vec::with_capacity(1024);
        loop {
            if self.0.read_buf(&mut bytes).await? == 0 {
                return Err("the connection was closed".into());
            }
            let text = std::str::from_utf8(&bytes)?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.ok_or("an answer says its length")?.parse()? {
                return Ok(text.into());
            }
        }
    }
}
