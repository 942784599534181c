//! What can go wrong with the service, and which error the caller sees.

use axum::http::HeaderMap;
use serde::Deserialize;

use crate::{
    dispatch::post::{Answer, Failed},
    error::{Error, ErrorKind},
};

/// The most characters of the service's own words in an error.
const LONGEST_WORDS: usize = 300;

/// The service as named in errors, and where its settings come from.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Its host.
    pub(super) host: String,
    /// The variable or setting of the token.
    pub(super) token_name: String,
    /// Removed from everything that the service says.
    pub(super) token: Secret,
}

/// A text that is never shown.
#[derive(Clone)]
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A setting that is wrong.
pub(super) fn config(wrong: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Config, format!("the QStash dispatcher {wrong}"))
}

impl Place {
    /// The error of a request that got no response.
    pub(super) fn unanswered(&self, failed: Failed) -> Error {
        let what = match &failed {
            Failed::Connecting(_) => "cannot be reached",
            Failed::TooSlow(_) => {
                "does not respond in time; it may or may not have accepted the message"
            }
            Failed::Broken(_) => {
                "broke the connection; it may or may not have accepted the message"
            }
            Failed::TooLong(_) => {
                "sent an unexpectedly large response; it may or may not have accepted the message"
            }
        };
        Error::dispatcher(
            format!("QStash at {} {what}", self.host),
            failed.into_source(),
        )
    }

    /// The error of a request whose response is not a success.
    pub(super) fn refused(&self, answer: &Answer) -> Error {
        let status = answer.status.as_u16();
        let words = self.words(&answer.body);
        let host = &self.host;
        let said = format!("HTTP status {status}: {words}");
        let config = |what: String| {
            Error::new(ErrorKind::Config, format!("QStash at {host} {what}"))
                .with_source(said.clone())
        };
        // A setting that somebody will correct: a step that publishes waits for that, instead of failing for good.
        let wrong_setting =
            |what: String| Error::dispatcher(format!("QStash at {host} {what}"), said.clone());
        match status {
            401 | 403 => wrong_setting(format!(
                "rejects the token: set {} to the token of this region, since each region has its own",
                self.token_name
            )),
            300..=399 | 404 | 405 => wrong_setting(
                "has no endpoint for publishing: set QSTASH_URL, or `url`, to the URL of the region".to_owned(),
            ),
            413 => Error::new(
                ErrorKind::TooLarge,
                format!("QStash at {host} rejects the message, which is larger than the plan allows"),
            )
            .with_source(said),
            429 => Error::dispatcher(format!("QStash at {host} {}", too_many(&answer.headers)), said),
            400..=499 if status != 408 && status != 412 => {
                config("rejects the message".to_owned())
            }
            _ => Error::dispatcher(format!("QStash at {host} did not accept the message"), said),
        }
    }

    /// The error of one message of a batch.
    pub(super) fn refused_one(&self, words: &str) -> Error {
        let words = self.cut(words);
        Error::dispatcher(
            format!("QStash at {} rejects the message", self.host),
            words,
        )
    }

    /// The error of a response that cannot be parsed.
    pub(super) fn misread(&self) -> Error {
        let message = format!(
            "QStash at {} sent a response that cannot be interpreted",
            self.host
        );
        Error::dispatcher(message, "it contains no message id")
    }

    /// What the service says in a response, shortened.
    fn words(&self, body: &[u8]) -> String {
        #[derive(Deserialize)]
        struct Said {
            error: String,
        }
        match serde_json::from_slice::<Said>(body) {
            Ok(said) => self.cut(&said.error),
            Err(_) => self.cut(&String::from_utf8_lossy(body)),
        }
    }

    fn cut(&self, words: &str) -> String {
        let words = words.replace(&self.token.0, "…");
        let words = words.replace(char::is_control, " ");
        let words = words.trim();
        if words.is_empty() {
            return "it gives no details".to_owned();
        }
        let mut cut: String = words.chars().take(LONGEST_WORDS).collect();
        if cut.len() < words.len() {
            cut.push('…');
        }
        cut
    }
}

/// Which of its limits the service means, and when it resets.
fn too_many(headers: &HeaderMap) -> String {
    let limits = [
        (
            "x-ratelimit-limit-requests",
            "x-ratelimit-reset-requests",
            "received too many requests to a language model",
        ),
        (
            "ratelimit-limit",
            "ratelimit-reset",
            "accepts no more messages today: the plan's limit is reached",
        ),
        (
            "burst-ratelimit-limit",
            "burst-ratelimit-reset",
            "received too many requests in one second",
        ),
    ];
    let meant = limits
        .iter()
        .find(|(limit, _, _)| headers.contains_key(*limit));
    let Some((_, reset, what)) = meant else {
        return "received too many requests".to_owned();
    };
    match headers.get(*reset).and_then(|reset| reset.to_str().ok()) {
        Some(reset) => format!("{what}; try again {}", time(reset)),
        None => (*what).to_owned(),
    }
}

/// A time of the service for people: seconds since 1970, or whatever it sent.
fn time(reset: &str) -> String {
    /// Far below any time since 1970, and far above any number of seconds to wait.
    const SINCE_1970: i64 = 1_000_000_000;
    match reset.parse::<i64>() {
        Ok(seconds) if seconds >= SINCE_1970 => jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| "later".to_owned(), |time| format!("after {time}")),
        Ok(seconds) => format!("in {seconds} s"),
        Err(_) => format!("in {}", reset.chars().take(40).collect::<String>()),
    }
}
