//! The router itself: its paths and methods.

use axum::{
    Router,
    middleware::{from_fn_with_state, map_response},
    routing::{get, post},
};

use super::{
    answer::unsniffed,
    callbacks,
    deliver::{deliver, refuse},
    describe, health, inspect, page,
    refusal::{NO_KEY, method_not_allowed},
};
use crate::worker::Worker;

impl Worker {
    /// The router of this worker: an ordinary axum router, and so a tower service. See [`http`](crate::http).
    ///
    /// Nest it in an application, which [`serve_with`](Self::serve_with) serves while it drives runs. It also works without a loop: a
    /// delivery then waits for the runs that it starts, as on a serverless host.
    ///
    /// It accepts deliveries only if it can verify the sender: with a [signing key](crate::WorkerBuilder::signing_keys) or a
    /// dispatcher that signs. Otherwise each is rejected with 401 and an error is logged here, unless
    /// [`insecure`](crate::WorkerBuilder::insecure) or `BELTS_INSECURE=1` says that something in front keeps strangers out.
    /// Health and inspection work all the same. `Host` must then be an address or the host of the [URL](crate::WorkerBuilder::url).
    ///
    /// axum passes `/belts` to whatever is nested there, but `/belts/` only to a nested *service*: with `nest_service`
    /// instead of `nest`, both work.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = belts::Worker::builder()
    ///     .store_url("sqlite://belts.db")
    ///     .signing_keys(std::env::var("BELTS_SIGNING_KEYS")?.split(','))
    ///     .build()
    ///     .await?;
    /// let app = axum::Router::new().nest_service("/belts", worker.router());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// worker.serve_with(app, listener).await?;
    /// # Ok(()) }
    /// ```
    pub fn router(&self) -> Router {
        let shared = self.shared();
        let takes = shared.verifies() || shared.http.insecure;
        if !takes {
            tracing::error!("deliveries to the router are refused: {NO_KEY}");
        }
        self.router_that(takes)
    }

    /// The router, whatever the keys: for callers that have checked who can reach it.
    pub(crate) fn open_router(&self) -> Router {
        self.router_that(true)
    }

    fn router_that(&self, takes: bool) -> Router {
        let delivered = if takes { post(deliver) } else { post(refuse) };
        let router = Router::new()
            .route(
                "/",
                get(describe::describe)
                    .merge(delivered)
                    .fallback(|| async { method_not_allowed("GET, HEAD, POST") }),
            )
            .route(
                "/health",
                get(health::health).fallback(|| async { method_not_allowed("GET, HEAD") }),
            )
            .merge(inspect::routes(self))
            .merge(callbacks::routes())
            .route_layer(from_fn_with_state(self.clone(), page::guard))
            .route_layer(map_response(unsniffed))
            .with_state(self.clone());
        // Who may come there is checked there.
        #[cfg(feature = "dashboard")]
        let router = router.nest_service("/ui", self.dashboard());
        router
    }
}
