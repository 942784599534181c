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
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::Signature,
        StatusCode::NOT_FOUND if body.code == ErrorKind::UnknownEvent.as_str() => {
            ErrorKind::UnknownEvent
        }
        StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
        status if status.is_server_error() => ErrorKind::Dispatcher,
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::CONFLICT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => ErrorKind::Dispatcher,
        _ => ErrorKind::Config,
    };
    let said = match (body.message.as_str(), kind) {
        ("", ErrorKind::Config) => {
            "; nothing there takes events: is the URL where the worker's router is mounted?"
                .to_owned()
        }
        ("", _) => String::new(),
        (message, _) => format!(": {message}"),
    };
    Error::new(kind, format!("the worker answered {status}{said}"))
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
