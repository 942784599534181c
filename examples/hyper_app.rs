//! belts behind plain hyper: the router is a tower service, and needs no axum server.
//!
//! Run it with `cargo run -p belts-examples --example hyper_app`, and then
//! ```text
//! curl -d '{"event": {"type": "signed-up", "email": "ada@example.com"}}' -H 'content-type: application/json' localhost:3000
//! ```
//! `ADDRESS` sets another listening address.

use std::pin::pin;

use axum::Router;
use belts::{Event, Worker, step, store::Sqlite};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown, service::TowerToHyperService};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// Somebody signed up.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct SignedUp {
    email: String,
}

#[belts::function(id = "welcome", on = SignedUp)]
async fn welcome(signup: SignedUp) -> belts::Result<()> {
    step!("send-mail", println!("mail to {}", signup.email)).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worker = Worker::builder()
        .store(Sqlite::open("belts.db").await?)
        // Anyone who reaches this program may deliver; beyond this machine, use `.signing_keys([…])` instead.
        .insecure(true)
        .build()
        .await?;
    let service = TowerToHyperService::new(worker.router());
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    // Both end on SIGTERM and SIGINT: the server stops accepting requests, and running steps get a grace period.
    let server = serve(listener, service, worker.stopped());
    let server = async { server.await.map_err(belts::Error::from_any) };
    tokio::try_join!(server, worker.run())?;
    Ok(())
}

/// Serves requests until it is told to stop, and then finishes those in progress.
async fn serve(
    listener: TcpListener,
    service: TowerToHyperService<Router>,
    stopped: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let mut stopped = pin!(stopped);
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            () = &mut stopped => break,
        };
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("a connection broke: {error}");
            }
        });
    }
    connections.shutdown().await;
    Ok(())
}
