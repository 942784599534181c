//! A function that fails until it is mended, and short ways to ask.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, request},
};
use belts::{Event, Worker, WorkerBuilder, step, store::RunStatus};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use tower::ServiceExt as _;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An order, for the shop of one test.
#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct OrderCreated {
    pub(crate) shop: String,
    pub(crate) cents: u64,
}

#[belts::function(id = "process-order", on = OrderCreated, retries = 0)]
pub(crate) async fn process_order(order: OrderCreated) -> belts::Result<u64> {
    let shop = shop(&order.shop);
    let checked = step!("check-inventory", shop.check(order.cents)).await?;
    let paid = step!("charge-payment", shop.charge(checked), retries = 0).await?;
    step!("ship", paid + 1).await
}

/// A run that waits in its first step until it is let go.
#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Waited {
    pub(crate) shop: String,
}

#[belts::function(id = "wait", on = Waited)]
pub(crate) async fn wait(event: Waited) -> belts::Result<()> {
    let shop = shop(&event.shop);
    step!("gate", shop.pass()).await?;
    step!("after", shop.check(0)).await?;
    Ok(())
}

/// What the functions do for one test.
#[derive(Default)]
pub(crate) struct Shop {
    pub(crate) mended: AtomicBool,
    pub(crate) checks: AtomicU32,
    pub(crate) reached: Notify,
    pub(crate) opened: Notify,
}

impl Shop {
    fn check(&self, cents: u64) -> u64 {
        self.checks.fetch_add(1, Ordering::SeqCst);
        cents
    }

    fn charge(&self, cents: u64) -> Result<u64, std::io::Error> {
        if self.mended.load(Ordering::SeqCst) {
            Ok(cents * 2)
        } else {
            Err(std::io::Error::other("card\ndeclined"))
        }
    }

    async fn pass(&self) {
        self.reached.notify_one();
        self.opened.notified().await;
    }
}

pub(crate) fn shop(name: &str) -> Arc<Shop> {
    static SHOPS: LazyLock<Mutex<HashMap<String, Arc<Shop>>>> = LazyLock::new(Mutex::default);
    Arc::clone(SHOPS.lock().unwrap().entry(name.to_owned()).or_default())
}

pub(crate) fn order(shop: &str) -> OrderCreated {
    OrderCreated {
        shop: shop.to_owned(),
        cents: 20,
    }
}

pub(crate) fn builder() -> WorkerBuilder {
    Worker::builder()
        .store(belts::store::Memory::new())
        .inspection_local()
}

/// A worker in whose store the run `failed` of this shop has failed.
pub(crate) async fn with_failed_run(builder: WorkerBuilder, shop: &str) -> Worker {
    let worker = builder.build().await.unwrap();
    let execute = worker.execute(order(shop)).function("process-order");
    let executed = execute.run_id("failed").await.unwrap();
    assert_eq!(executed.runs[0].status, RunStatus::Failed);
    worker
}

/// Returns when the run stands like this.
pub(crate) async fn until(worker: &Worker, run_id: &str, status: RunStatus) {
    let stands = async {
        while worker.runs().get(run_id).await.unwrap().status != status {
            belts_suite::a_moment().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, stands).await;
    waited.unwrap_or_else(|_| panic!("the run {run_id} is {status} in time"));
}

/// The worker's loop and router on a free port; both end with the guard.
pub(crate) async fn served(worker: &Worker) -> (String, Serving) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let worker = worker.clone();
    let task = tokio::spawn(async move { worker.serve_on(listener).await });
    (url, Serving(task))
}

pub(crate) struct Serving(tokio::task::JoinHandle<belts::Result<()>>);

impl Serving {
    /// Returns when the worker that was told to shut down has let its runs finish.
    pub(crate) async fn ended(mut self) {
        let ended = tokio::time::timeout(PATIENCE, &mut self.0).await;
        ended.unwrap().unwrap().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) fn get(path: &str) -> request::Builder {
    Request::get(path)
}

/// A request that changes something, of the type that no form has.
pub(crate) fn post(path: &str) -> request::Builder {
    Request::post(path).header("content-type", "application/json")
}

/// Asks as this machine does, through `serve`'s own socket.
pub(crate) async fn locally(worker: &Worker, request: request::Builder) -> (u16, Value) {
    send(worker, request, "127.0.0.1:5000").await
}

/// The same, with a body.
pub(crate) async fn with_body(
    worker: &Worker,
    request: request::Builder,
    body: &str,
) -> (u16, Value) {
    sent(worker, request, body.to_owned().into(), "127.0.0.1:5000").await
}

/// Asks as the machine with this address does.
pub(crate) async fn send(worker: &Worker, request: request::Builder, peer: &str) -> (u16, Value) {
    sent(worker, request, Body::empty(), peer).await
}

async fn sent(worker: &Worker, request: request::Builder, body: Body, peer: &str) -> (u16, Value) {
    let mut request = request.body(body).unwrap();
    let peer: SocketAddr = peer.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    let answer = worker.router().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}
