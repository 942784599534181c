//! What a worker's answer means to the one who sent a message.

use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::{Response, StatusCode, header};
use serde::Deserialize;

use crate::{
    clock::{Clock as _, SystemClock},
    error::{Error, ErrorKind},
};

/// How much of an answer is read.
const MOST: usize = 64 * 1024;

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
    pub(super) fn unreachable(error: reqwest::Error) -> Self {
        let what = if error.is_timeout() {
            "the worker did not answer in time"
        } else {
            "cannot reach the worker"
        };
        Self::Later {
            error: Error::dispatcher(what, error.without_url()),
            pause: None,
        }
    }

    pub(super) async fn read(response: Response) -> Self {
        let status = response.status();
        let pause = retry_after(&response);
        let body: Body = match bytes(response).await {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            // A body that breaks off takes nothing back.
            Err(_) if status.is_success() => Body::default(),
            Err(error) => return Self::unreachable(error),
        };
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

async fn bytes(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST {
            break;
        }
    }
    Ok(bytes)
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
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(value.trim()).ok()?.timestamp();
    let date = crate::Timestamp::from_millis(date.as_millisecond());
    Some(date.since(SystemClock.now()))
}
