//! The router itself: which path and method leads where.

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{deliver::deliver, describe, inspect, refusal::Refusal};
use crate::worker::Worker;

impl Worker {
    /// The router of this worker: an ordinary axum router, and so a tower service. [`http`](crate::http) describes it.
    ///
    /// Nest it in an application and keep the loop running beside it. Without the loop it works too: a delivery then
    /// waits for the runs that it starts, as suits a serverless host.
    ///
    /// axum hands `/belts` to what is nested there, but `/belts/` only to a nested *service*: with `nest_service` in
    /// place of `nest` both answer.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = belts::Worker::builder().store_url("sqlite://belts.db").build().await?;
    /// worker.install();
    /// let app = axum::Router::new().nest_service("/belts", worker.router());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// tokio::spawn(async move { worker.run().await });
    /// axum::serve(listener, app).await?;
    /// # Ok(()) }
    /// ```
    pub fn router(&self) -> Router {
        Router::new()
            .route(
                "/",
                get(describe::describe)
                    .merge(post(deliver))
                    .fallback(|| async { method_not_allowed("GET, HEAD, POST") }),
            )
            .route(
                "/health",
                get(describe::health).fallback(|| async { method_not_allowed("GET, HEAD") }),
            )
            .merge(inspect::routes(self))
            .with_state(self.clone())
    }
}

pub(super) fn method_not_allowed(allowed: &'static str) -> Response {
    let mut response = Refusal::method().into_response();
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
