//! An event by HTTP: from the POST to the 202, over one connection that stays open.

use std::sync::Arc;

use axum::{Router, http::StatusCode, routing::post};
use belts::store::Synchronous;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

use crate::{
    Outcome,
    functions::{Work, arrived},
    latency::{REST, SAMPLES},
    measure::{Directory, median, micros, now, pause},
    process::Running,
    raw::Raw,
    report::{Row, Target},
    warm::Warm,
};

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
    let target = Target::TimesAtMost(1.5);
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

    /// Microseconds from the request to the end of the answer.
    async fn deliver(&mut self) -> Outcome<f64> {
        pause(REST).await;
        let mut event = serde_json::to_value(Work::of(0))?;
        event["type"] = "work".into();
        let body = serde_json::json!({ "event": event }).to_string();
        let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let start = now();
        self.0.write_all(request.as_bytes()).await?;
        let answer = self.answer().await?;
        let time = micros(start.elapsed());
        if answer.starts_with("HTTP/1.1 202 ") {
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
