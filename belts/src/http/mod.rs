//! The router: deliveries over HTTP, a description for those with access, and health.
//!
//! # The wire
//! `POST /` accepts `{"event": {"type": "order-created", …}, "context": {…}}` as `application/json`. `context` and its
//! fields are optional:
//!
//! | field | meaning |
//! |---|---|
//! | `functionId` | only this function starts |
//! | `executionId` | this run is resumed, or started under this id |
//! | `executionTarget` | the run continues until the step with this path is recorded, then stops |
//! | `timestamp` | the event is due then: RFC 3339, or milliseconds since the Unix epoch |
//! | `eventId` | the event's id, set by its publisher: a second delivery starts nothing |
//! | `traceparent` | the span that it was published in, as in W3C Trace Context; by default the header of that name |
//! | `retries` | retries of the runs, instead of the functions' own |
//!
//! With `executionId` the event may be omitted: the run then continues.
//!
//! A header `webhook-id` names the message: a second delivery finds the runs that the first started, and the response says
//! `"duplicate": true`. The response depends on the [`HttpMode`]; the query `?mode=accept`, `sync` or `stream` selects another
//! one. Every error is `{"error": true, "message": "…", "code": "…"}`.
//!
//! `GET /` describes functions, with the keys of their steps, and events, `GET /health` says whether the worker takes deliveries.
//!
//! # Inspection
//! Runs are inspected and changed under `/runs`, `/functions` and `/schedules`, separately from deliveries: [the guide](crate::guide::inspection) lists the paths.
//! This requires the [inspection token](crate::WorkerBuilder::inspection_token); without one, nothing is there. The address of
//! a client never grants access, unless
//! [`inspection_local`](crate::WorkerBuilder::inspection_local) declares a development machine.
//!
//! # Callbacks
//! `POST /callbacks/{id}` with a JSON value completes a [callback](crate::guide::callbacks), and
//! `POST /callbacks/{id}/failure` with `{"message": "…"}` has it fail. The response is 200 once that is durable, also if the callback was
//! completed with the same before; 409 if it was completed with something else, 410 if its run is over, 404 if there is no
//! such callback, and 400 if the value is not of its type, as far as this worker knows that. `GET` shows the page of a
//! callback that has one. The id is the only credential: no signature and no token is needed.
//!
//! # Signatures
//! If [signing keys](crate::WorkerBuilder::signing_keys) are set, every delivery must have a signature according to
//! [Standard Webhooks](https://www.standardwebhooks.com); [`SigningKey`] makes one. Without keys, and without a dispatcher
//! that signs, the router rejects deliveries with 401, unless [`insecure`](crate::WorkerBuilder::insecure) allows everyone who
//! reaches it to deliver; [`serve`](crate::Worker::serve) accepts them on loopback. On every path `Host` must then be this
//! machine or the host of the [URL](crate::WorkerBuilder::url), and a foreign `Origin` or `Sec-Fetch-Site: cross-site` is rejected
//! with 403, so that no web page can drive the worker.
//!
//! A key allows delivering, not reading: a response contains the results only of runs that this delivery
//! started. Of others, those of an earlier message or an existing run, it contains only the ids, in every
//! [mode](HttpMode); with the inspection token in addition to the signature it contains the results, too.
//!
//! # Limits
//! Bodies, times, connections and waiting requests are bounded: see [`Limits`].

mod access;
mod actor;
mod answer;
mod body;
mod builder;
mod bulk;
mod callback_page;
mod callbacks;
mod deliver;
mod describe;
pub(crate) mod development;
mod filters;
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
mod result;
mod router;
mod schedules;
pub(crate) mod settle;
mod token;
#[cfg(feature = "dashboard")]
pub(crate) mod ui;
pub(crate) mod url;
mod verify;

pub use crate::{serve::Listener, signature::SigningKey};
pub use limits::Limits;
pub use mode::HttpMode;
pub(crate) use options::HttpOptions;
pub(crate) use token::InspectionToken;
#[cfg(feature = "dashboard")]
pub use ui::Access;

/// The response for unknown paths.
pub(crate) async fn not_found() -> axum::response::Response {
    use axum::response::IntoResponse as _;
    answer::unsniffed(refusal::Refusal::not_found().into_response()).await
}
