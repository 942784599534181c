//! The router's error responses: a status, a code for programs, a message for people.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::answer;
use crate::{
    dispatch::{
        Recognized,
        wire::{self, Fault, Misread},
    },
    error::{Error, ErrorKind},
    inspect::CancelledRuns,
    plain::Clean,
};

/// The default of `Retry-After`.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What a worker without a key says about deliveries.
pub(super) const NO_KEY: &str = "this worker has no signing key, so anyone who reaches it could start functions: set BELTS_SIGNING_KEYS \
    (or `.signing_keys([…])`), for QStash QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY, or BELTS_INSECURE=1 (or `.insecure(true)`) if something in front keeps strangers out";

/// A response with an error status. It contains nothing of the payload.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// When to retry, if that makes sense.
    retry_after: Option<Duration>,
    /// Whether no program at all could accept the message, however often it is sent.
    hopeless: bool,
    /// How many runs were cancelled all the same.
    cancelled: usize,
    /// Where the next part of them begins.
    next: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: bool,
    message: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    cancelled: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let later = matches!(
            status,
            StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE
        );
        Self {
            status,
            code,
            message: message.into(),
            retry_after: later.then_some(RETRY_AFTER),
            hopeless: false,
            cancelled: 0,
            next: None,
        }
    }

    /// Marks the message as hopeless for every worker.
    fn hopeless(mut self) -> Self {
        self.hopeless = true;
        self.without_retry_after()
    }

    pub(super) fn bad_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-json", message).hopeless()
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    pub(super) fn signature(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::Signature.as_str(),
            message,
        )
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "inspection requires the header `authorization: Bearer …` with this worker's inspection token; it is missing or wrong",
        )
    }

    /// There is no key that could prove who sends a delivery.
    pub(super) fn no_key() -> Self {
        Self::signature(NO_KEY)
    }

    pub(super) fn foreign_host() -> Self {
        Self::forbidden(
            "the request's `Host` is not this machine: set BELTS_URL (or `.url(…)`) on the worker to its public \
             URL, or a signing key",
        )
    }

    pub(super) fn foreign_page() -> Self {
        Self::forbidden(
            "web pages of other sites have no access to this worker, which has no signing key",
        )
    }

    pub(super) fn foreign_form() -> Self {
        Self::forbidden("the form of a callback can be sent from its own page alone")
    }

    #[cfg(feature = "dashboard")]
    pub(super) fn foreign_change() -> Self {
        Self::forbidden(
            "changes can be asked for from the dashboard's own pages alone, and this browser says that another page asks, or says nothing; \
             behind a proxy that changes `Host`, set BELTS_URL",
        )
    }

    #[cfg(feature = "dashboard")]
    pub(super) fn stale_form() -> Self {
        Self::forbidden(
            "this form was made for another sign-in; go back, load the page again and repeat it",
        )
    }

    #[cfg(feature = "dashboard")]
    pub(super) fn only_reads() -> Self {
        Self::forbidden("you may look at everything here, and change nothing")
    }

    #[cfg(feature = "dashboard")]
    pub(super) fn no_access() -> Self {
        Self::forbidden("you have no access to this dashboard")
    }

    pub(super) fn mode() -> Self {
        Self::forbidden("this worker does not allow the mode that the request asks for")
    }

    fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// Too many requests are waiting.
    pub(super) fn crowded() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Busy.as_str(),
            "too many requests are waiting for runs to end; try again, or use `?mode=accept`",
        )
    }

    /// The body took too long.
    pub(super) fn slow(time: Duration) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!("the body did not arrive within {time:?}; send it faster"),
        )
    }

    pub(super) fn compressed() -> Self {
        let message = "the body must not be compressed: send it without `content-encoding`";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "compressed", message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "there is nothing at this path; deliveries go to the router's root",
        )
    }

    pub(super) fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "this path does not support the method",
        )
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message =
            format!("the body has more than {limit} bytes; send less, or raise `max_body_bytes`");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::TooLarge.as_str(),
            message,
        )
        .hopeless()
    }

    pub(super) fn not_json() -> Self {
        let message = "the body must be JSON, with the header `content-type: application/json`";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", message).hopeless()
    }

    pub(super) fn shutdown() -> Self {
        let message = "the worker is shutting down; try again";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Shutdown.as_str(),
            message,
        )
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason, for a person.
    pub(super) fn reason(&self) -> &str {
        &self.message
    }

    /// Sets when to retry.
    pub(super) fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// Says what was done all the same.
    pub(super) fn after(mut self, done: CancelledRuns) -> Self {
        if done.failed > 0 {
            let told = format!("; runs that could not be cancelled: {}", done.failed);
            self.message.push_str(&told);
        }
        if done.cancelled > 0 {
            let told = format!("; cancelled all the same: {}", done.cancelled);
            self.message.push_str(&told);
        }
        if done.cancelled + done.failed > 0 {
            (self.cancelled, self.next) = (done.cancelled, done.next);
        }
        self
    }

    /// Leaves it to the sender when to retry.
    pub(super) fn without_retry_after(mut self) -> Self {
        self.retry_after = None;
        self
    }

    /// The response for this sender, which may have its own way to learn that no retry can help.
    pub(super) fn answer(mut self, sender: Option<&Recognized>) -> Response {
        let finality = sender.and_then(|sender| sender.finality.as_ref());
        let Some(finality) = finality.filter(|_| self.hopeless) else {
            return self.into_response();
        };
        tracing::error!(
            code = self.code,
            reason = %Clean(&self.message),
            "rejected a message for good; it will not be redelivered"
        );
        self.status = finality.status;
        let mut response = self.into_response();
        let (name, value) = finality.header.clone();
        response.headers_mut().insert(name, value);
        response
    }

    /// The response as JSON, for a place where the status has been sent already.
    pub(super) fn json(&self) -> Vec<u8> {
        wire::json(&Body {
            error: true,
            message: &self.message,
            code: self.code,
            cancelled: self.cancelled,
            next: self.next.as_deref(),
        })
    }
}

impl From<Misread> for Refusal {
    fn from(misread: Misread) -> Self {
        match misread.fault {
            Fault::Syntax => Self::bad_json(misread.message),
            Fault::Envelope => Self::bad_request(misread.message).hopeless(),
            Fault::Version => Self::bad_request(misread.message),
        }
    }
}

/// What an error of the worker means to the sender. An event that does not fit this program may fit another one that
/// takes deliveries next to it, such as the next version in a deploy, so that is never hopeless.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = error.kind().as_str();
        match error.kind() {
            ErrorKind::InvalidEvent => Self::new(StatusCode::BAD_REQUEST, code, error.to_string()),
            ErrorKind::Config => Self::bad_request(error.to_string()),
            ErrorKind::UnknownEvent
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownRun
            | ErrorKind::UnknownCallback
            | ErrorKind::UnknownSchedule => {
                Self::new(StatusCode::NOT_FOUND, code, error.to_string())
            }
            ErrorKind::CallbackClosed => Self::new(StatusCode::GONE, code, error.to_string()),
            ErrorKind::Busy => Self::new(StatusCode::CONFLICT, code, error.to_string()),
            // The event under the existing id stays.
            ErrorKind::Conflict => {
                Self::new(StatusCode::CONFLICT, code, error.to_string()).hopeless()
            }
            ErrorKind::TooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, error.to_string())
            }
            ErrorKind::Store => {
                tracing::error!(error = %error.report(), "the store failed during a delivery");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    code,
                    "the store is not available at the moment; try again",
                )
            }
            ErrorKind::Dispatcher => {
                tracing::error!(error = %error.report(), "the dispatcher failed during a delivery");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    code,
                    "the dispatcher is not available at the moment; try again",
                )
            }
            ErrorKind::Signature => Self::signature(error.to_string()),
            ErrorKind::Shutdown => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string())
            }
            _ => {
                tracing::error!(error = %error.report(), "a delivery failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    code,
                    "the delivery failed; the worker's log says why",
                )
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = answer::json(self.status, self.json());
        if let Some(pause) = self.retry_after {
            let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        tracing::debug!(
            status = self.status.as_u16(),
            code = self.code,
            "refused a request"
        );
        response
    }
}

pub(super) fn method_not_allowed(allowed: &'static str) -> Response {
    let mut response = Refusal::method().into_response();
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
