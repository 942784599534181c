//! What a worker's answer means to the one who sent a message.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use jiff::fmt::rfc2822;
use serde::Deserialize;

use crate::{
    clock::{Clock as _, SystemClock},
    error::{Error, ErrorKind},
    post::{self, Failed},
};

/// What became of one request.
#[derive(Debug)]
pub(super) enum Answer {
    /// The event is durable.
    Taken { duplicate: bool },
    /// Another try can help, after this pause if one was asked for.
    Later {
        error: Error,
        pause: Option<Duration>,
    },
    /// No try can help.
    Refused(Error),
}

/// What is looked for in a body.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Body {
    event_id: Option<String>,
    duplicate: bool,
    message: String,
    code: String,
}

impl Answer {
    pub(super) fn none(failed: Failed) -> Self {
        let what = match failed {
            Failed::TooSlow(_) => "the worker did not answer in time",
            Failed::Connecting(_) | Failed::Broken(_) => "cannot reach the worker",
        };
        Self::Later {
            error: Error::dispatcher(what, failed.into_source()),
            pause: None,
        }
    }

    pub(super) fn read(answer: &post::Answer) -> Self {
        let status = answer.status;
        let pause = retry_after(&answer.headers);
        let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
        // A worker that waits for its runs answers 500 for one that failed: the event was durable all the same.
        if status.is_success() || body.event_id.is_some() {
            return Self::Taken {
                duplicate: body.duplicate,
            };
        }
        let error = refusal(status, &body);
        let later = status.is_server_error()
            || matches!(
                status,
                StatusCode::REQUEST_TIMEOUT
                    | StatusCode::CONFLICT
                    | StatusCode::TOO_EARLY
                    | StatusCode::TOO_MANY_REQUESTS
            );
        if later {
            Self::Later { error, pause }
        } else {
            Self::Refused(error)
        }
    }
}

/// The answer as an error: what the worker said, or what to look at where it is no worker that answers.
fn refusal(status: StatusCode, body: &Body) -> Error {
    let kind = match status {
        StatusCode::BAD_REQUEST => ErrorKind::InvalidEvent,
        StatusCode::NOT_FOUND if body.code == ErrorKind::UnknownEvent.as_str() => {
            ErrorKind::UnknownEvent
        }
        StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
        // A setting that somebody will put right too: a step that publishes waits for that.
        _ => ErrorKind::Dispatcher,
    };
    let said = match body.message.as_str() {
        "" => String::new(),
        message => format!(": {message}"),
    };
    let advice = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; give it the first of this side's signing keys, BELTS_SIGNING_KEYS or `.signing_keys(…)`"
        }
        status
            if kind == ErrorKind::Dispatcher && body.code.is_empty() && is_of_the_place(status) =>
        {
            "; nothing there takes events: is the URL where the worker's router is mounted?"
        }
        _ => "",
    };
    Error::new(kind, format!("the worker answered {status}{said}{advice}"))
}

/// Whether the answer is one of a place that is no worker's.
fn is_of_the_place(status: StatusCode) -> bool {
    status.is_redirection()
        || matches!(
            status,
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE
        )
}

/// Seconds or a date, by RFC 9110 section 10.2.3.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(value.trim()).ok()?.timestamp();
    let date = crate::Timestamp::from_millis(date.as_millisecond());
    Some(date.since(SystemClock.now()))
}
