//! Messages, dead letters and log entries as the API's JSON shows them.

use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    inspect::{Answer, DeadLetter},
    message::Message,
    options::Options,
    redact::{Redact, redacted},
    time::millis,
};

/// The object `Message`; fields that have no value are left out.
pub(crate) fn message(message: &Message) -> Map<String, Value> {
    let options = &message.options;
    let redact = &options.redact;
    let flow = options.flow_control.as_ref();
    let limits = flow.map(|flow| flow.limits);
    let mut view = compact(json!({
        "messageId": message.id,
        "url": message.url,
        "topicName": message.group,
        "endpointName": message.endpoint,
        "queueName": message.queue,
        "method": options.method.as_str(),
        "header": headers(options, redact),
        "maxRetries": options.retries,
        "retryDelayExpression": options.retry_delay.as_ref().map(super::Expression::as_str),
        "timeout": options.timeout.map(millis),
        "notBefore": message.not_before,
        "createdAt": message.created_at,
        "callback": options.callback.as_ref().map(|callback| &callback.url),
        "failureCallback": options.failure_callback.as_ref().map(|callback| &callback.url),
        "callbackHeader": options.callback.as_ref().map(|callback| headers(&callback.options, redact)),
        "failureCallbackHeader": options.failure_callback.as_ref().map(|callback| headers(&callback.options, redact)),
        "callerIP": message.caller_ip,
        "label": options.labels.first(),
        "labels": (!options.labels.is_empty()).then_some(&options.labels),
        "flowControlKey": flow.map(|flow| &flow.key),
        "parallelism": limits.and_then(|limits| limits.parallelism),
        "rate": limits.and_then(|limits| limits.rate),
        "period": limits.map(|limits| limits.period().as_secs()),
    }));
    if options.redact.body {
        view.insert("body".to_owned(), redacted(&message.body).into());
    } else {
        text(&mut view, "body", &message.body);
    }
    view
}

/// The object `DLQMessage`.
pub(crate) fn dead_letter(letter: &DeadLetter) -> Map<String, Value> {
    let mut view = message(&letter.message);
    view.insert("dlqId".to_owned(), letter.id.clone().into());
    view.insert("responseStatus".to_owned(), status(&letter.answer).into());
    if let Ok(answer) = &letter.answer {
        view.insert("responseHeader".to_owned(), header_lists(&answer.headers));
        text(&mut view, "responseBody", &answer.body);
    }
    view
}

/// The status of an answer; 0 where there was none.
pub(crate) fn status(answer: &Result<Answer, String>) -> u16 {
    answer.as_ref().map_or(0, |answer| answer.status)
}

pub(crate) fn compact(object: Value) -> Map<String, Value> {
    let Value::Object(fields) = object else {
        return Map::new();
    };
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect()
}

/// UTF-8 goes into the field as it is, other bytes into the one with `Base64` behind its name.
fn text(view: &mut Map<String, Value>, field: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => view.insert(field.to_owned(), text.into()),
        Err(_) => view.insert(format!("{field}Base64"), STANDARD.encode(bytes).into()),
    };
}

/// The headers that are sent, each with a list of values.
fn headers(options: &Options, redact: &Redact) -> Value {
    let shown = shown_headers(options, redact).into_iter();
    shown.map(|(name, value)| (name, json!([value]))).collect()
}

/// The headers that are sent, as the service writes their names.
pub(crate) fn shown_headers(options: &Options, redact: &Redact) -> Vec<(String, String)> {
    let shown = |(name, value): &(String, String)| {
        let is_hidden = redact.hides(name);
        let value = if is_hidden {
            redacted(value.as_bytes())
        } else {
            value.clone()
        };
        (canonical(name), value)
    };
    options.headers.iter().map(shown).collect()
}

pub(crate) fn header_lists(headers: &HeaderMap) -> Value {
    let list = |name| {
        let values = headers.get_all(name).iter();
        values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect::<Vec<_>>()
    };
    headers
        .keys()
        .map(|name| (canonical(name.as_str()), json!(list(name))))
        .collect()
}

/// `content-type` as `Content-Type`.
fn canonical(name: &str) -> String {
    let part = |part: &str| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}
