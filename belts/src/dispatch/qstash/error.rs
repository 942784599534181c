//! What can go wrong with the service, and which error the caller sees.

use axum::http::HeaderMap;
use serde::Deserialize;

use crate::{
    dispatch::post::{Answer, Failed},
    error::{Error, ErrorKind},
};

/// The most characters of the service's own words in an error.
const LONGEST_WORDS: usize = 300;

/// The service as errors name it, and where its settings come from.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Its host.
    pub(super) host: String,
    /// The variable or setting of the token.
    pub(super) token_name: String,
    /// Left out of whatever the service says.
    pub(super) token: Secret,
}

/// A text that never shows.
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
    /// The error of a request that got no answer.
    pub(super) fn unanswered(&self, failed: Failed) -> Error {
        let what = match &failed {
            Failed::Connecting(_) => "cannot be reached",
            Failed::TooSlow(_) => {
                "does not answer in time; whether it took the message is not known"
            }
            Failed::Broken(_) => "broke the connection; whether it took the message is not known",
            Failed::TooLong(_) => {
                "answered with more than it ever says; whether it took the message is not known"
            }
        };
        Error::dispatcher(
            format!("QStash at {} {what}", self.host),
            failed.into_source(),
        )
    }

    /// The error of a request that was answered with no success.
    pub(super) fn refused(&self, answer: &Answer) -> Error {
        let status = answer.status.as_u16();
        let words = self.words(&answer.body);
        let host = &self.host;
        let said = format!("HTTP status {status}: {words}");
        let config = |what: String| {
            Error::new(ErrorKind::Config, format!("QStash at {host} {what}"))
                .with_source(said.clone())
        };
        // A setting that somebody will put right: a step that publishes waits for that, in place of failing for good.
        let wrong_setting =
            |what: String| Error::dispatcher(format!("QStash at {host} {what}"), said.clone());
        match status {
            401 | 403 => wrong_setting(format!(
                "refuses the token: set {} to the token of this region, as each region has its own",
                self.token_name
            )),
            300..=399 | 404 | 405 => wrong_setting(
                "is not where messages are published: set QSTASH_URL, or `url`, to the URL of the region".to_owned(),
            ),
            413 => Error::new(
                ErrorKind::TooLarge,
                format!("QStash at {host} refuses the message, as it is bigger than the plan allows"),
            )
            .with_source(said),
            429 => Error::dispatcher(format!("QStash at {host} {}", too_many(&answer.headers)), said),
            400..=499 if status != 408 && status != 412 => {
                config("refuses the message".to_owned())
            }
            _ => Error::dispatcher(format!("QStash at {host} did not take the message"), said),
        }
    }

    /// The error of one message of a batch.
    pub(super) fn refused_one(&self, words: &str) -> Error {
        let words = self.cut(words);
        Error::dispatcher(
            format!("QStash at {} refuses the message", self.host),
            words,
        )
    }

    /// The error of an answer that cannot be read.
    pub(super) fn misread(&self) -> Error {
        let message = format!(
            "QStash at {} gave an answer that is not understood",
            self.host
        );
        Error::dispatcher(message, "it has no id of a message")
    }

    /// What the service says in an answer, not too much of it.
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
            return "it says nothing more".to_owned();
        }
        let mut cut: String = words.chars().take(LONGEST_WORDS).collect();
        if cut.len() < words.len() {
            cut.push('…');
        }
        cut
    }
}

/// Which of its limits the service means, and when it is over.
fn too_many(headers: &HeaderMap) -> String {
    let limits = [
        (
            "x-ratelimit-limit-requests",
            "x-ratelimit-reset-requests",
            "has had too many requests to a language model",
        ),
        (
            "ratelimit-limit",
            "ratelimit-reset",
            "takes no more messages today: the plan's limit is reached",
        ),
        (
            "burst-ratelimit-limit",
            "burst-ratelimit-reset",
            "has had too many requests in a second",
        ),
    ];
    let meant = limits
        .iter()
        .find(|(limit, _, _)| headers.contains_key(*limit));
    let Some((_, reset, what)) = meant else {
        return "has had too many requests".to_owned();
    };
    match headers.get(*reset).and_then(|reset| reset.to_str().ok()) {
        Some(reset) => format!("{what}; more from {}", time(reset)),
        None => (*what).to_owned(),
    }
}

/// A time of the service for people: seconds since 1970, or whatever it says.
fn time(reset: &str) -> String {
    /// Far below any time since 1970, and far above any number of seconds to wait.
    const SINCE_1970: i64 = 1_000_000_000;
    match reset.parse::<i64>() {
        Ok(seconds) if seconds >= SINCE_1970 => jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| "a later time".to_owned(), |time| time.to_string()),
        Ok(seconds) => format!("now on in {seconds} s"),
        Err(_) => format!("now on in {}", reset.chars().take(40).collect::<String>()),
    }
}
