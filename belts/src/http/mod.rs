//! The router: deliveries by HTTP, a description for those who may ask, and health.
//!
//! # The wire
//! `POST /` takes `{"event": {"type": "order-created", …}, "context": {…}}` as `application/json`. `context` and its
//! fields are optional:
//!
//! | field | meaning |
//! |---|---|
//! | `functionId` | only this function starts |
//! | `executionId` | this run is resumed, or begun under this id |
//! | `executionTarget` | the run goes on until the step of this path is recorded, then stops |
//! | `timestamp` | the event is due then: RFC 3339, or milliseconds since the Unix epoch |
//! | `eventId` | the event's id, as its publisher has it: delivered again, it starts nothing |
//! | `traceparent` | the span that it was published in, by W3C Trace Context; without it the header of that name counts |
//! | `retries` | retries of the runs, in place of what the functions say |
//!
//! With `executionId` the event may be left out: the run goes on then.
//!
//! A header `webhook-id` names the message: delivered again, it finds the runs that it started, and the answer says
//! `"duplicate": true`. The answer depends on the [`HttpMode`]; the query `?mode=accept`, `sync` or `stream` picks another
//! one. Every error is `{"error": true, "message": "…", "code": "…"}`.
//!
//! `GET /` describes functions and events, `GET /health` says whether the worker takes deliveries.
//!
//! # Inspection
//! Runs are looked at and changed under `/runs` and `/functions`, apart from deliveries: [the guide](crate::guide::inspection) has the paths.
//! Whoever has the [inspection token](crate::WorkerBuilder::inspection_token) may; where none is set, only this machine,
//! and for everybody else nothing is there.
//!
//! # Signatures
//! With [signing keys](crate::WorkerBuilder::signing_keys) set, every delivery must carry a signature by the
//! [Standard Webhooks](https://www.standardwebhooks.com) scheme; [`SigningKey`] makes one. Without, whoever reaches the
//! router may deliver.

mod access;
mod actor;
mod answer;
mod body;
mod deliver;
mod describe;
mod functions;
mod inspect;
mod modes;
mod options;
mod refusal;
mod refused;
mod router;
mod signature;
mod token;

pub use modes::HttpMode;
pub(crate) use options::HttpOptions;
pub use signature::SigningKey;
pub(crate) use token::InspectionToken;

/// The answer to a path that nothing is at.
pub(crate) fn not_found() -> axum::response::Response {
    axum::response::IntoResponse::into_response(refusal::Refusal::not_found())
}
