//! What a publisher may ask for a message: every `Upstash-*` option, read and checked.

use std::time::Duration;

use axum::http::Method;

use super::{
    expression::Expression, failed::Failed, lane::Limits, redact::Redact, time::span, words::Words,
};

/// How a message is delivered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// `Upstash-Method`.
    pub method: Method,
    /// `Content-Type` and every `Upstash-Forward-*`, with the names that the destination sees.
    pub headers: Vec<(String, String)>,
    /// `Upstash-Delay`.
    pub delay: Option<Duration>,
    /// `Upstash-Not-Before`, in seconds since 1970.
    pub not_before: Option<u64>,
    /// `Upstash-Retries`.
    pub retries: u32,
    /// `Upstash-Retry-Delay`.
    pub retry_delay: Option<Expression>,
    /// `Upstash-Timeout`.
    pub timeout: Option<Duration>,
    /// `Upstash-Deduplication-Id`.
    pub deduplication_id: Option<String>,
    /// `Upstash-Content-Based-Deduplication`.
    pub content_based_deduplication: bool,
    /// `Upstash-Callback`: told of each attempt.
    pub callback: Option<Box<Callback>>,
    /// `Upstash-Failure-Callback`: told once that the message failed.
    pub failure_callback: Option<Box<Callback>>,
    /// `Upstash-Flow-Control-Key` and `-Value`.
    pub flow_control: Option<FlowControl>,
    /// `Upstash-Label`.
    pub labels: Vec<String>,
    /// `Upstash-Redact-Fields`.
    pub redact: Redact,
}

/// Who is told of a message, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Callback {
    /// Where the news goes.
    pub url: String,
    /// The options of the news, which is a message too.
    pub options: Options,
}

/// Which messages share limits, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowControl {
    /// The name of the limits.
    pub key: String,
    /// How much may happen at a time.
    pub limits: Limits,
}

impl Options {
    pub(crate) fn read(words: &Words) -> Result<Self, Failed> {
        Ok(Self {
            method: method(words)?,
            headers: words.headers(),
            delay: parsed(words, "delay", span)?,
            not_before: parsed(words, "not-before", |text| text.parse().ok())?,
            retries: parsed(words, "retries", |text| text.parse().ok())?.unwrap_or(3),
            retry_delay: expression(words)?,
            timeout: parsed(words, "timeout", span)?,
            deduplication_id: words.get("deduplication-id").map(str::to_owned),
            content_based_deduplication: words.is_true("content-based-deduplication"),
            callback: callback(words, "callback")?,
            failure_callback: callback(words, "failure-callback")?,
            flow_control: flow_control(words)?,
            labels: labels(words),
            redact: words
                .get("redact-fields")
                .map(Redact::parse)
                .transpose()
                .map_err(Failed::bad_request)?
                .unwrap_or_default(),
        })
    }
}

fn parsed<T>(
    words: &Words,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Failed> {
    let Some(text) = words.get(name) else {
        return Ok(None);
    };
    let value = parse(text.trim());
    value
        .map(Some)
        .ok_or_else(|| Failed::bad_request(format!("invalid upstash-{name}: {text}")))
}

fn method(words: &Words) -> Result<Method, Failed> {
    const KNOWN: [Method; 5] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    let wanted = |text: &str| KNOWN.into_iter().find(|method| method.as_str() == text);
    Ok(parsed(words, "method", wanted)?.unwrap_or(Method::POST))
}

fn expression(words: &Words) -> Result<Option<Expression>, Failed> {
    let expression = words.get("retry-delay").map(Expression::parse).transpose();
    expression.map_err(|why| Failed::bad_request(format!("invalid upstash-retry-delay: {why}")))
}

fn callback(words: &Words, name: &str) -> Result<Option<Box<Callback>>, Failed> {
    let Some(url) = words.get(name) else {
        return Ok(None);
    };
    check_url(url)?;
    let options = Options::read(&words.of_callback(name))?;
    Ok(Some(Box::new(Callback {
        url: url.to_owned(),
        options,
    })))
}

/// What is no URL cannot be delivered to.
pub(crate) fn check_url(url: &str) -> Result<(), Failed> {
    let has_scheme = ["http://", "https://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if has_scheme && reqwest::Url::parse(url).is_ok() {
        return Ok(());
    }
    Err(Failed::bad_request(
        "invalid destination url: it must begin with http:// or https://",
    ))
}

fn flow_control(words: &Words) -> Result<Option<FlowControl>, Failed> {
    match (
        words.get("flow-control-key"),
        words.get("flow-control-value"),
    ) {
        (None, None) => Ok(None),
        (Some(key), Some(value)) => {
            let limits = Limits::parse(value).map_err(Failed::bad_request)?;
            Ok(Some(FlowControl {
                key: key.to_owned(),
                limits,
            }))
        }
        (Some(_), None) => Err(Failed::bad_request("Upstash-Flow-Control-Value is missing")),
        (None, Some(_)) => Err(Failed::bad_request("Upstash-Flow-Control-Key is missing")),
    }
}

fn labels(words: &Words) -> Vec<String> {
    let labels = words
        .get("label")
        .into_iter()
        .flat_map(|list| list.split(','));
    labels
        .map(str::trim)
        .filter(|label| !label.is_empty())
        .map(str::to_owned)
        .collect()
}
