//! The news that a callback gets of an attempt.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    inspect::Answer,
    message::Message,
    view::{compact, header_lists, shown_headers, status},
};

/// The body of a callback; `dead_letter` is the id of the message in the DLQ once it failed.
///
/// The shape is that of the documentation's sample, with times as texts and one value for each header of the message.
pub(crate) fn body(
    message: &Message,
    answer: &Result<Answer, String>,
    dead_letter: Option<&str>,
) -> Vec<u8> {
    let no_headers = || Value::Object(Map::new());
    let answered = answer.as_ref().ok();
    let header: Value = answered.map_or_else(no_headers, |answer| header_lists(&answer.headers));
    let body = answer
        .as_ref()
        .map_or_else(String::as_bytes, |answer| &answer.body);
    let source: Map<_, _> = shown_headers(&message.options, &message.options.redact)
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    let news = compact(json!({
        "status": status(answer),
        "header": header,
        "body": STANDARD.encode(body),
        "retried": message.retried,
        "maxRetries": message.options.retries,
        "sourceMessageId": message.id,
        "topicName": message.group.as_deref().unwrap_or_default(),
        "endpointName": message.endpoint.as_deref().unwrap_or_default(),
        "url": message.url,
        "method": message.options.method.as_str(),
        "sourceHeader": source,
        "sourceBody": STANDARD.encode(&message.body),
        "notBefore": message.not_before.to_string(),
        "createdAt": message.created_at.to_string(),
        "scheduleId": "",
        "callerIP": message.caller_ip,
        "dlqId": dead_letter,
    }));
    Value::Object(news).to_string().into_bytes()
}
