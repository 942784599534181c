//! The dashboard: pages of functions, runs and schedules, for people. What they show and do is inspection's.
//!
//! Every address is relative to the page, so that it works under any prefix. The same handlers answer JSON to whoever accepts that.

use axum::{
    Router,
    middleware::from_fn_with_state,
    response::IntoResponse as _,
    routing::{MethodRouter, get},
};

use super::refusal::Refusal;
use crate::worker::Worker;

mod answer;
mod assets;
mod browser;
mod builder;
mod bulk;
mod callback;
mod cookie;
mod exact;
mod fields;
mod forgery;
mod functions;
mod guard;
mod hidden;
mod json;
mod layout;
mod notice;
mod once;
mod options;
mod pauses;
mod publish;
mod question;
mod redact;
mod rerun;
mod room;
mod run;
mod runs;
mod schedules;
mod search;
mod settle;
mod shape;
mod sign_in;
mod timeline;
mod visit;
mod words;

pub use options::Access;
pub(crate) use options::UiOptions;

impl Worker {
    /// The dashboard, to be nested where you want it; the [`router`](Self::router) has it under `ui`. See
    /// [the guide](crate::guide::dashboard).
    ///
    /// Whoever signs in with the [inspection token](crate::WorkerBuilder::inspection_token) may use it, or whoever
    /// [`access`](crate::WorkerBuilder::access) lets in. To others nothing is there.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = belts::WorkerBuilder::from_env()?.build().await?;
    /// let app = axum::Router::new().nest_service("/admin/belts", worker.dashboard());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// worker.serve_with(app, listener).await?;
    /// # Ok(()) }
    /// ```
    pub fn dashboard(&self) -> Router {
        Router::new()
            .route("/", get(functions::page))
            .route("/functions", get(functions::page))
            .route("/runs", get(runs::page))
            .route("/run", get(run::page))
            .route("/runs/{id}", get(run::page_of))
            .route("/schedules", get(schedules::page))
            .route("/publish", get(publish::form).post(publish::publish))
            .route("/cancel", get(bulk::ask).post(bulk::cancel))
            .route("/rerun", get(rerun::ask).post(rerun::rerun))
            .route("/complete", get(callback::ask).post(callback::complete))
            .route("/settle", get(settle::ask).post(settle::settle))
            .route("/pause", pauses::change(pauses::Change::Pause))
            .route("/resume", pauses::change(pauses::Change::Resume))
            .route("/trigger", pauses::change(pauses::Change::Trigger))
            .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
            .route("/sign-out", MethodRouter::new().post(sign_in::sign_out))
            .merge(assets::routes())
            .fallback(|| async { answer::Wrong::from(Refusal::not_found()).into_response() })
            .layer(from_fn_with_state(self.clone(), guard::guard))
            .with_state(self.clone())
    }
}
