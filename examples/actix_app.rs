//! An actix-web application that publishes from a route and forwards `/belts` to the worker's router.
//!
//! Run it with `cargo run --example actix_app`, and then
//! ```text
//! curl -d '{"email": "ada@example.com"}' -H 'content-type: application/json' localhost:3000/signup
//! curl localhost:3000/belts/health
//! ```
//! `ADDRESS` sets another listening address.

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    error::{ErrorBadRequest, ErrorServiceUnavailable},
    http::StatusCode,
    web,
};
use axum::{body::Body, extract::ConnectInfo, http};
use belts::{Event, Worker, step, store::Sqlite};
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;

/// Somebody signed up.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct SignedUp {
    email: String,
}

#[belts::function(id = "welcome", on = SignedUp)]
async fn welcome(signup: SignedUp) -> belts::Result<()> {
    step!("send-mail", println!("mail to {}", signup.email)).await
}

/// A route of the application: it responds as soon as the event is durable.
async fn sign_up(
    worker: web::Data<Worker>,
    signup: web::Json<SignedUp>,
) -> actix_web::Result<String> {
    let published = publish_signed_up(signup.into_inner()).via(&worker).await;
    let published = published.map_err(|error| ErrorServiceUnavailable(error.report()))?;
    Ok(format!("event {}\n", published.event_id))
}

/// Passes a request to the worker's router. actix has its own `http` types, so the contents are copied.
async fn forward(
    worker: web::Data<Worker>,
    request: HttpRequest,
    body: web::Bytes,
) -> actix_web::Result<HttpResponse> {
    let path = request.uri().to_string();
    let path = path.trim_start_matches("/belts").trim_start_matches('/');
    let mut forwarded = http::Request::builder()
        .method(request.method().as_str())
        .uri(format!("/{path}"));
    // The client's address, for the logs.
    if let Some(peer) = request.peer_addr() {
        forwarded = forwarded.extension(ConnectInfo(peer));
    }
    for (name, value) in request.headers() {
        forwarded = forwarded.header(name.as_str(), value.as_bytes());
    }
    let forwarded = forwarded.body(Body::from(body)).map_err(ErrorBadRequest)?;

    let Ok(answer) = worker.router().oneshot(forwarded).await;
    let status = StatusCode::from_u16(answer.status().as_u16()).map_err(ErrorBadRequest)?;
    let mut response = HttpResponse::build(status);
    for (name, value) in answer.headers() {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    Ok(response.streaming(answer.into_body().into_data_stream()))
}

// tokio's own main: runs are driven on its threads, and not on actix's.
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worker = Worker::builder()
        .store(Sqlite::open("belts.db").await?)
        // Anyone who reaches this program may deliver; beyond this machine, use `.signing_keys([…])` instead.
        .insecure(true)
        .build()
        .await?;
    let (runs, stopped) = (worker.clone(), worker.stopped());
    let worker = web::Data::new(worker);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(worker.clone())
            // The worker's limit; actix's default is a quarter of it.
            .app_data(web::PayloadConfig::new(1024 * 1024))
            .route("/signup", web::post().to(sign_up))
            .service(web::scope("/belts").default_service(web::to(forward)))
    });
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let server = server.bind(address)?;
    for address in server.addrs() {
        println!("listening on {address}");
    }
    // Both end on SIGTERM and SIGINT: the server stops accepting requests, and running steps get a grace period.
    let server = server.shutdown_signal(stopped).shutdown_timeout(10).run();
    let server = async { server.await.map_err(belts::Error::from_any) };
    tokio::try_join!(server, runs.run())?;
    Ok(())
}
