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
//! Whoever has the [inspection token](crate::WorkerBuilder::inspection_token) may, and without one nothing is there. Where a
//! request comes from is never a right, unless
//! [`inspection_local`](crate::WorkerBuilder::inspection_local) says that this is a development machine.
//!
//! # Signatures
//! With [signing keys](crate::WorkerBuilder::signing_keys) set, every delivery must carry a signature by the
//! [Standard Webhooks](https://www.standardwebhooks.com) scheme; [`SigningKey`] makes one. Without, and without a dispatcher
//! that signs, the router refuses deliveries with 401, unless [`insecure`](crate::WorkerBuilder::insecure) says that whoever
//! reaches it may deliver; [`serve`](crate::Worker::serve) takes them on loopback. On every path `Host` must then be this
//! machine or that of the [URL](crate::WorkerBuilder::url), and a foreign `Origin` or `Sec-Fetch-Site: cross-site` is refused
//! with 403, so that no web page drives the worker.
//!
//! A key gives the right to deliver, and none to read: an answer tells what runs came to only of those that this delivery
//! started. Of others, those of a message that came before or a run that was there, it tells the ids, in every
//! [mode](HttpMode); with the inspection token beside the signature it tells the rest.
//!
//! # Limits
//! Bodies, times, connections and waiting requests are bounded: see [`Limits`].

mod access;
mod actor;
mod answer;
mod body;
mod builder;
mod deliver;
mod describe;
pub(crate) mod development;
mod functions;
mod health;
mod inspect;
mod last_look;
mod limits;
mod mode;
mod modes;
mod options;
mod page;
mod query;
mod refusal;
mod refused;
mod replay;
mod router;
mod token;
pub(crate) mod url;
mod verify;

pub use crate::{serve::Listener, signature::SigningKey};
pub use limits::Limits;
pub use mode::HttpMode;
pub(crate) use options::HttpOptions;
pub(crate) use token::InspectionToken;

/// The answer to a path that nothing is at.
pub(crate) async fn not_found() -> axum::response::Response {
    use axum::response::IntoResponse as _;
    answer::unsniffed(refusal::Refusal::not_found().into_response()).await
}
