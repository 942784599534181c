//! Who makes changes over HTTP, for the log and the notes of runs.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use super::{refusal::Refusal, refused::peer};
use crate::{dispatch::wire, inspect::Runs, worker::Worker};

/// Why a client may inspect; [`AskedRuns`] finds it in the request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Right {
    Token,
    ThisMachine,
}

/// The worker's runs, on behalf of the client.
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
        // PostgreSQL does not accept it in a query.
        if id.contains('\0') {
            return Err(Refusal::bad_request(
                "the id in the path contains a NUL character",
            ));
        }
        Ok(Self(id))
    }
}

/// The reason for the access, the address, and the name in the header, which anyone can write.
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
