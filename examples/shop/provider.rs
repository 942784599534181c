//! The payment provider: it charges once for each key, as real ones do, and is asked over HTTP.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{Request, StatusCode},
    routing::post,
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

pub(crate) const ADDRESS: &str = "SHOP_PROVIDER";

#[derive(Debug, Serialize, Deserialize)]
struct Charge {
    order: String,
    key: String,
}

/// The orders that were charged, by key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book(Arc<Mutex<HashMap<String, String>>>);

impl Book {
    /// How many charges there are of each order.
    pub(crate) fn charges(&self) -> HashMap<String, usize> {
        let mut charges = HashMap::new();
        for order in self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
        {
            *charges.entry(order.clone()).or_default() += 1;
        }
        charges
    }
}

/// Serves it on a free port, as long as this program lives.
pub(crate) async fn start(book: Book) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let app = Router::new().route("/charges", post(note)).with_state(book);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn note(State(book): State<Book>, Json(charge): Json<Charge>) {
    let mut charges = book.0.lock().unwrap_or_else(PoisonError::into_inner);
    charges.entry(charge.key).or_insert(charge.order);
}

/// What the shop asks.
pub(crate) async fn charge(order: &str, key: &str) -> anyhow::Result<()> {
    let address = std::env::var(ADDRESS).context("SHOP_PROVIDER is not set")?;
    let charge = Charge {
        order: order.to_owned(),
        key: key.to_owned(),
    };
    let status = send(&format!("http://{address}/charges"), &charge).await?;
    anyhow::ensure!(status.is_success(), "the provider answers {status}");
    Ok(())
}

/// Posts JSON.
pub(crate) async fn send(url: &str, body: &impl Serialize) -> anyhow::Result<StatusCode> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let request = Request::post(url)
        .header("content-type", "application/json")
        .body(Body::from(serde_json::to_vec(body)?))?;
    Ok(client.request(request).await?.status())
}
