//! What a worker's response means to the sender of a message.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::fmt::rfc2822;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    clock::{Clock as _, SystemClock},
    dispatch::{
        post::{self, Failed},
        wire::EVENT_ID,
    },
    error::{Error, ErrorKind},
};

/// What to check if the response does not come from a worker.
const IS_IT_RIGHT: &str = "is the URL where the worker's router is mounted?";

/// The result of one request.
#[derive(Debug)]
pub(super) enum Answer {
    /// The event is durable.
    Taken { duplicate: bool },
    /// A retry can help, after this pause if one was requested.
    Later {
        error: Error,
        pause: Option<Duration>,
    },
    /// No retry can help.
    Refused(Error),
}

/// The fields of a body that matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Body {
    event_id: Option<String>,
    /// Only a worker sends these together with the event's id.
    runs: Option<Vec<IgnoredAny>>,
    duplicate: bool,
    error: bool,
    message: String,
    code: String,
}

impl Answer {
    pub(super) fn none(failed: Failed) -> Self {
        let what = match failed {
            Failed::TooSlow(_) => "the worker did not answer in time".to_owned(),
            Failed::Connecting(_) | Failed::Broken(_) => "cannot reach the worker".to_owned(),
            Failed::TooLong(_) => {
                return Self::Refused(Error::dispatcher(
                    format!("the response is larger than any worker's; {IS_IT_RIGHT}"),
                    failed.into_source(),
                ));
            }
        };
        Self::Later {
            error: Error::dispatcher(what, failed.into_source()),
            pause: None,
        }
    }

    /// The verdict on the message whose event `is_its` recognizes. It was accepted only if a worker says so of this very event: a
    /// login page, a proxy or another program answers `200 OK` to anything.
    pub(super) fn read(answer: &post::Answer, is_its: impl Fn(&str) -> bool) -> Self {
        let status = answer.status;
        let pause = retry_after(&answer.headers);
        if status.is_success() && streams(&answer.headers, &is_its) {
            return Self::Taken { duplicate: false };
        }
        let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
        // A worker that waits for its runs answers 500 if one failed: the event was durable all the same.
        let says_so = status.is_success() && !body.error || status.is_server_error() && body.error;
        if says_so && body.runs.is_some() && body.event_id.as_deref().is_some_and(is_its) {
            return Self::Taken {
                duplicate: body.duplicate,
            };
        }
        let error = refusal(status, &body);
        if is_for_later(status, &body) {
            Self::Later { error, pause }
        } else {
            Self::Refused(error)
        }
    }
}

/// Whether this is a streamed response, which begins once the event is durable and names it in a header: there is no need to wait
/// for its end.
pub(super) fn streams(headers: &HeaderMap, is_its: impl Fn(&str) -> bool) -> bool {
    let event = headers.get(EVENT_ID).map(HeaderValue::to_str);
    matches!(event, Some(Ok(event)) if is_its(event))
}

fn is_for_later(status: StatusCode, body: &Body) -> bool {
    match status {
        StatusCode::CONFLICT => body.code != ErrorKind::Conflict.as_str(),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => true,
        // During a deploy the next request may reach the version that can read it.
        StatusCode::BAD_REQUEST => is_misfit(body),
        _ => status.is_server_error(),
    }
}

/// Whether this worker cannot read the event, while others may.
fn is_misfit(body: &Body) -> bool {
    body.code == ErrorKind::InvalidEvent.as_str() || body.code == "bad-request"
}

/// The response as an error: what the worker said, or what to check if it does not come from a worker.
fn refusal(status: StatusCode, body: &Body) -> Error {
    let kind = match status {
        StatusCode::BAD_REQUEST if is_misfit(body) => ErrorKind::InvalidEvent,
        StatusCode::NOT_FOUND if body.code == ErrorKind::UnknownEvent.as_str() => {
            ErrorKind::UnknownEvent
        }
        StatusCode::CONFLICT if body.code == ErrorKind::Conflict.as_str() => ErrorKind::Conflict,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
        // Includes settings that somebody will correct: a step that publishes waits for that.
        _ => ErrorKind::Dispatcher,
    };
    let said = match body.message.as_str() {
        "" => String::new(),
        message => format!(": {message}"),
    };
    let advice = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; give the worker the first of this program's signing keys, BELTS_SIGNING_KEYS or `.signing_keys(…)`"
                .to_owned()
        }
        _ if kind == ErrorKind::Dispatcher && (body.code.is_empty() || status.is_success()) => {
            format!("; this is not a worker's response to this event; {IS_IT_RIGHT}")
        }
        _ => String::new(),
    };
    let error = Error::new(kind, format!("the worker answered {status}{said}{advice}"));
    if kind == ErrorKind::InvalidEvent {
        // So a step that publishes waits until there is a worker that can read it.
        let why = "another version of the worker may take it";
        return error.with_source(Error::dispatcher(why, "the event does not fit this one"));
    }
    error
}

/// Seconds or a date, as in RFC 9110 section 10.2.3.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(value.trim()).ok()?.timestamp();
    let date = crate::Timestamp::from_millis(date.as_millisecond());
    Some(date.since(SystemClock.now()))
}
