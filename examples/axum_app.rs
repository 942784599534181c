//! An axum application with routes of its own, with belts nested in it.
//!
//! Run it with `cargo run -p belts-examples --example axum_app`, and then
//! ```text
//! curl -d '{"email": "ada@example.com"}' -H 'content-type: application/json' localhost:3000/signup
//! curl localhost:3000/belts/health
//! ```
//! `ADDRESS` sets another listening address.

use axum::{Json, Router, extract::State, http::StatusCode, routing};
use belts::{Event, Worker, step, store::Sqlite};
use serde::{Deserialize, Serialize};

/// Somebody signed up.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct SignedUp {
    email: String,
}

#[belts::function(id = "welcome", on = SignedUp)]
async fn welcome(signup: SignedUp) -> belts::Result<()> {
    let account = step!("create-account", format!("account of {}", signup.email)).await?;
    step!(
        "send-mail",
        println!("mail to {} about the {account}", signup.email)
    )
    .await
}

/// A route of the application: it responds as soon as the event is durable.
///
/// An email that signs up twice is welcomed once.
async fn sign_up(
    State(worker): State<Worker>,
    Json(signup): Json<SignedUp>,
) -> Result<String, (StatusCode, String)> {
    let email = signup.email.clone();
    let published = publish_signed_up(signup)
        .idempotency_key(email)
        .via(&worker)
        .await;
    let published = published.map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.report()))?;
    Ok(format!(
        "event {}, duplicate: {}\n",
        published.event_id, published.duplicate
    ))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worker = Worker::builder()
        .store(Sqlite::open("belts.db").await?)
        // Anyone who reaches this program may deliver; beyond this machine, use `.signing_keys([…])` instead.
        .insecure(true)
        .build()
        .await?;
    let app = Router::new()
        .route("/signup", routing::post(sign_up))
        .with_state(worker.clone())
        .nest_service("/belts", worker.router());
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    // Ends on SIGTERM and SIGINT: no new requests then; requests in progress and running steps get a grace period.
    worker.serve_with(app, listener).await?;
    Ok(())
}
