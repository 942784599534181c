//! Who asks for changes over HTTP, as the log and the notes of runs name them.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use super::{refusal::Refusal, refused::peer};
use crate::{dispatch::wire, inspect::Runs, worker::Worker};

/// By what right somebody inspects; [`AskedRuns`] finds it in the request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Right {
    Token,
    ThisMachine,
}

/// The worker's runs, for the one who sent the request.
pub(super) struct AskedRuns(pub(super) Runs);

impl FromRequestParts<Worker> for AskedRuns {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, worker: &Worker) -> Result<Self, Infallible> {
        Ok(Self(worker.runs().by(actor(parts))))
    }
}

/// The id in the path.
pub(super) struct Id(pub(super) String);

impl FromRequestParts<Worker> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, worker: &Worker) -> Result<Self, Refusal> {
        let id = Path::<String>::from_request_parts(parts, worker).await;
        let Path(id) = id.map_err(|_| Refusal::bad_request("the id in the path is not UTF-8"))?;
        // PostgreSQL cannot even be asked for it.
        if id.contains('\0') {
            return Err(Refusal::bad_request("the id in the path has a NUL in it"));
        }
        Ok(Self(id))
    }
}

/// By what right, from where, and under what name, which anybody can write into the header.
fn actor(parts: &Parts) -> String {
    let right = match parts.extensions.get() {
        Some(Right::Token) => "token",
        Some(Right::ThisMachine) => "this machine",
        None => "HTTP",
    };
    let from = peer(parts).map_or_else(String::new, |peer| format!(" from {peer}"));
    let name = parts
        .headers
        .get(wire::ACTOR)
        .map_or_else(String::new, |name| {
            format!(", {}", String::from_utf8_lossy(name.as_bytes()))
        });
    format!("{right}{from}{name}")
}
