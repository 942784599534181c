//! Names and bodies on the wire: what a delivery holds, and how answers are written.

use std::{borrow::Cow, fmt, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::refusal::Refusal;
use crate::clock::Timestamp;

pub(super) const WEBHOOK_ID: &str = "webhook-id";
pub(super) const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
pub(super) const WEBHOOK_SIGNATURE: &str = "webhook-signature";

/// The most characters of an id, a type or a step's path.
const MAX_ID_CHARS: usize = 200;

/// What is posted.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) event_type: Arc<str>,
    /// The event without its `type`, every value as it was written.
    pub(super) payload: Arc<[u8]>,
    pub(super) context: Context,
}

/// How the event is to be delivered.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub(super) function_id: Option<String>,
    pub(super) execution_id: Option<String>,
    pub(super) execution_target: Option<String>,
    pub(super) timestamp: Option<Timestamp>,
}

impl Delivery {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::read(body, "the body")?;
        let event = fields
            .take("event", "event")?
            .ok_or_else(|| Refusal::bad_request("`event` is missing"))?;
        let context = match fields.take("context", "context")? {
            Some(context) => Context::read(context)?,
            None => Context::default(),
        };
        let mut event = Fields::read(event.get().as_bytes(), "`event`")?;
        let event_type = event.take("type", "event.type")?;
        let event_type =
            event_type.ok_or_else(|| Refusal::bad_request("`event.type` is missing"))?;
        let event_type = id(text(event_type, "event.type")?, "`event.type`")?;
        Ok(Self {
            event_type: event_type.into(),
            payload: event.write().into(),
            context,
        })
    }
}

impl Context {
    fn read(context: &RawValue) -> Result<Self, Refusal> {
        let mut fields = Fields::read(context.get().as_bytes(), "`context`")?;
        let mut field = |name: &str| {
            let path = format!("context.{name}");
            let value = fields
                .take(name, &path)?
                .map(|value| id(text(value, &path)?, &format!("`{path}`")));
            value.transpose()
        };
        Ok(Self {
            function_id: field("functionId")?,
            execution_id: field("executionId")?,
            execution_target: field("executionTarget")?,
            timestamp: fields
                .take("timestamp", "context.timestamp")?
                .map(timestamp)
                .transpose()?,
        })
    }
}

/// An id that a store, a log and a URL can carry.
pub(super) fn id(text: String, what: &str) -> Result<String, Refusal> {
    if text.is_empty() {
        return Err(Refusal::bad_request(format!("{what} is empty")));
    }
    if text.chars().nth(MAX_ID_CHARS).is_some() {
        return Err(Refusal::bad_request(format!(
            "{what} has more than {MAX_ID_CHARS} characters"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::bad_request(format!(
            "{what} has control characters"
        )));
    }
    Ok(text)
}

fn text(value: &RawValue, path: &str) -> Result<String, Refusal> {
    serde_json::from_str(value.get())
        .map_err(|_| Refusal::bad_request(format!("`{path}` must be a string")))
}

/// RFC 3339, or milliseconds since the Unix epoch.
fn timestamp(value: &RawValue) -> Result<Timestamp, Refusal> {
    let millis = match serde_json::from_str::<i64>(value.get()) {
        Ok(millis) => jiff::Timestamp::from_millisecond(millis).ok(),
        Err(_) => serde_json::from_str::<Cow<'_, str>>(value.get())
            .ok()
            .and_then(|text| text.parse().ok()),
    };
    millis.map(|time: jiff::Timestamp| Timestamp::from_millis(time.as_millisecond())).ok_or_else(|| {
        Refusal::bad_request(
            "`context.timestamp` must be a time by RFC 3339, such as \"2030-01-31T12:00:00Z\", or milliseconds since 1970",
        )
    })
}

/// The fields of a JSON object with their values unread, so that no number is rounded on its way.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Fields<'a> {
    fn read(json: &'a [u8], what: &str) -> Result<Self, Refusal> {
        serde_json::from_slice(json).map_err(|error| {
            // Only an error of syntax is shown: any other may quote a value.
            if error.is_data() {
                Refusal::bad_request(format!("{what} must be a JSON object"))
            } else {
                Refusal::bad_json(format!("the body is not JSON: {error}"))
            }
        })
    }

    /// Takes a field out; `null` is as good as none.
    fn take(&mut self, name: &str, path: &str) -> Result<Option<&'a RawValue>, Refusal> {
        let mut found = None;
        while let Some(index) = self.0.iter().position(|(field, _)| field == name) {
            if found.replace(self.0.remove(index).1).is_some() {
                return Err(Refusal::bad_request(format!("`{path}` is there twice")));
            }
        }
        Ok(found.filter(|value| value.get() != "null"))
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(
            self.0
                .iter()
                .map(|(name, value)| name.len() + value.get().len() + 4)
                .sum(),
        );
        out.push(b'{');
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend(json(name));
            out.push(b':');
            out.extend(value.get().as_bytes());
        }
        out.push(b'}');
        out
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object).map(Fields)
    }
}

/// Writes a body of ours.
pub(super) fn json(body: &(impl Serialize + ?Sized)) -> Vec<u8> {
    serde_json::to_vec(body).expect("answers have string keys and infallible values")
}

pub(super) fn response(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
