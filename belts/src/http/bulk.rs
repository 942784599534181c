//! Cancelling many runs over HTTP.

use axum::{extract::State, http::Uri, response::Response};

use super::{
    actor::AskedRuns,
    filters::{self, chosen},
    query::json,
    refusal::Refusal,
};
use crate::{inspect::shape::ShownCancelled, worker::Worker};

/// Cancels a part of the runs that the query chooses, and says where the next one begins.
pub(super) async fn cancel(
    State(worker): State<Worker>,
    AskedRuns(runs): AskedRuns,
    uri: Uri,
) -> Result<Response, Refusal> {
    let filter = chosen(runs.list(), &uri, worker.now())?.into_filter();
    // The client may hang up; runs that wait for those that were cancelled are told all the same.
    let cancelling = tokio::spawn(async move { runs.cancel_some(filter).await });
    let (done, result) = cancelling.await.map_err(|_| Refusal::shutdown())?;
    match result {
        Ok(()) => Ok(json(&ShownCancelled::from(done))),
        Err(error) => Err(filters::refusal(error).after(done)),
    }
}
