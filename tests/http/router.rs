//! Functions to deliver to, and short ways to ask a router.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, request},
};
use belts::{Clock, Event, Timestamp, Worker, WorkerBuilder, sleep, step, store::Memory};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tower::ServiceExt as _;

#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct OrderCreated {
    pub(crate) order_id: String,
    pub(crate) cents: u64,
}

#[belts::function(id = "process-order", on = OrderCreated, timeout = "2m", retries = 1)]
async fn process_order(order: OrderCreated) -> belts::Result<u64> {
    let checked = step!("check", order.cents).await?;
    step!("charge", checked + 1).await
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(validate = OrderCancelled::has_reason)]
pub(crate) struct OrderCancelled {
    pub(crate) reason: String,
}

impl OrderCancelled {
    fn has_reason(&self) -> Result<(), &'static str> {
        if self.reason.is_empty() {
            Err("there is no reason")
        } else {
            Ok(())
        }
    }
}

#[belts::function(id = "refund/money", on = OrderCancelled)]
async fn refund_money(order: OrderCancelled) -> belts::Result<usize> {
    Ok(order.reason.len())
}

#[belts::function(id = "refund/goods", on = OrderCancelled)]
async fn refund_goods(_order: OrderCancelled) -> belts::Result<()> {
    Err(belts::terminal("the goods are gone"))
}

/// Its run waits at the gate of this name.
#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Waited {
    pub(crate) gate: String,
}

#[belts::function(id = "wait", on = Waited)]
async fn wait(event: Waited) -> belts::Result<String> {
    step!("gate", pass(&event.gate)).await?;
    step!("after", event.gate.clone()).await
}

async fn pass(name: &str) {
    let gate = gate(name);
    gate.reached.notify_one();
    gate.opened.notified().await;
}

#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Slept {}

#[belts::function(id = "sleep", on = Slept)]
async fn long_sleep(_event: Slept) -> belts::Result<()> {
    sleep!("night", "8h").await
}

/// Where a step tells that it was reached, and waits.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) reached: Notify,
    pub(crate) opened: Notify,
}

pub(crate) fn gate(name: &str) -> Arc<Gate> {
    static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);
    Arc::clone(GATES.lock().unwrap().entry(name.to_owned()).or_default())
}

/// A clock that stands still until it is moved.
#[derive(Debug, Clone)]
pub(crate) struct ManualClock(Arc<watch::Sender<i64>>);

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(1_800_000_000_000)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap();
        self.0.send_modify(|now| *now += millis);
    }
}

#[async_trait::async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(*self.0.borrow())
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let _ = self
            .0
            .subscribe()
            .wait_for(|now| *now >= deadline.as_millis())
            .await;
    }
}

pub(crate) fn builder() -> WorkerBuilder {
    Worker::builder().store(Memory::new()).insecure(true)
}

pub(crate) async fn worker() -> Worker {
    builder().build().await.unwrap()
}

pub(crate) const TOKEN: &str = "correct-horse-battery-staple";

/// The request of somebody who may inspect.
pub(crate) fn with_token(mut request: Request<Body>) -> Request<Body> {
    let bearer = format!("Bearer {TOKEN}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    request
}

/// A worker whose loop runs; it ends with the returned guard.
pub(crate) async fn running(builder: WorkerBuilder) -> (Worker, Loop) {
    let worker = builder.build().await.unwrap();
    let task = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    let guard = Loop(task);
    // A delivery is accepted as soon as the loop runs; until then it is answered at its end.
    let order = r#"{"event":{"type":"order-created","order_id":"first","cents":1}}"#;
    while send(&worker, post(order)).await.status != StatusCode::ACCEPTED {
        belts_suite::a_moment().await;
    }
    (worker, guard)
}

pub(crate) struct Loop(tokio::task::JoinHandle<belts::Result<()>>);

impl Drop for Loop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A `POST /` with this body.
pub(crate) fn post(body: impl Into<Body>) -> Request<Body> {
    json("/").body(body.into()).unwrap()
}

pub(crate) fn json(path: &str) -> request::Builder {
    Request::post(path).header("content-type", "application/json")
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

/// The request as if it came from this address.
pub(crate) fn from(peer: &str, mut request: Request<Body>) -> Request<Body> {
    request
        .extensions_mut()
        .insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
    request
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn code(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(body["error"], true, "{body}");
        assert!(!body["message"].as_str().unwrap().is_empty());
        (
            self.status.as_u16(),
            body["code"].as_str().unwrap().to_owned(),
        )
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn send(worker: &Worker, request: Request<Body>) -> Answer {
    ask(worker.router(), request).await
}

pub(crate) async fn ask(app: Router, request: Request<Body>) -> Answer {
    let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}
