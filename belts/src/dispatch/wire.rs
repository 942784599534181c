//! Names and bodies on the wire, the same for the router and for every dispatcher.
//!
//! A message is `{"v":1,"event":{"type":"…", …},"context":{…}}`. `v` may be missing, as people leave it out. Without an event
//! it is a wake-up of the run that `context.executionId` names.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

#[cfg(feature = "http")]
use crate::id::stable_id;
use crate::{clock::Timestamp, plain::steers, store::NewEvent, telemetry::traceparent};

#[cfg(feature = "http")]
pub(crate) const WEBHOOK_ID: &str = "webhook-id";
#[cfg(feature = "http")]
pub(crate) const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
#[cfg(feature = "http")]
pub(crate) const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// The id of the event whose runs an answer of many lines tells of.
#[cfg(feature = "http")]
pub(crate) const EVENT_ID: &str = "belts-event-id";
/// Who asks for a change of runs, in the words of whoever sends it; nobody checks it.
#[cfg(feature = "http")]
pub(crate) const ACTOR: &str = "x-belts-actor";
/// A header of W3C Trace Context, and the field of the same name in `context`.
#[cfg(feature = "http")]
pub(crate) const TRACEPARENT: &str = "traceparent";

/// The most characters of an id, a type or a step's path.
const MAX_ID_CHARS: usize = 200;

/// The version of the body that is written, and the only one that is read.
const VERSION: u64 = 1;

/// A message, read.
#[derive(Debug)]
pub(crate) struct Body {
    /// `None` for a wake-up.
    pub(crate) event: Option<WireEvent>,
    pub(crate) context: Context,
}

/// An event, read as far as everybody can.
#[derive(Debug)]
pub(crate) struct WireEvent {
    pub(crate) event_type: Arc<str>,
    /// The event without its `type`, every value as it was written.
    pub(crate) payload: Arc<[u8]>,
}

/// How the event is to be delivered.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) event_id: Option<String>,
    pub(crate) function_id: Option<String>,
    pub(crate) execution_id: Option<String>,
    pub(crate) execution_target: Option<String>,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) retries: Option<u32>,
    /// The publisher's span.
    pub(crate) traceparent: Option<Arc<str>>,
    /// How often the wake-up was handed on without having reached its time.
    #[cfg(feature = "http")]
    pub(crate) hop: u32,
}

/// Why a body cannot be read. It holds nothing of the body.
#[derive(Debug)]
pub(crate) struct Misread {
    pub(crate) fault: Fault,
    pub(crate) message: String,
}

/// What is wrong with a body that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not even JSON.
    Syntax,
    /// It is JSON, and no message.
    Envelope,
    /// It is a message of another version, which another program may read.
    Version,
}

impl Misread {
    /// Whether no program at all could read it.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.fault != Fault::Version
    }
}

fn misread(message: impl Into<String>) -> Misread {
    Misread {
        fault: Fault::Envelope,
        message: message.into(),
    }
}

impl Body {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Misread> {
        let mut fields = Fields::read(body, "the body")?;
        match fields.take("v", "v")?.map(|version| version.get().parse()) {
            None | Some(Ok(VERSION)) => {}
            Some(_) => {
                return Err(Misread {
                    fault: Fault::Version,
                    message: format!(
                        "`v` is not {VERSION}: the message is written for another version of belts"
                    ),
                });
            }
        }
        let event = fields.take("event", "event")?;
        let context = match fields.take("context", "context")? {
            Some(context) => Context::read(context)?,
            None => Context::default(),
        };
        if event.is_none() && context.execution_id.is_none() {
            return Err(misread("`event` is missing"));
        }
        let event = event.map(WireEvent::read).transpose()?;
        Ok(Self { event, context })
    }
}

impl WireEvent {
    fn read(event: &RawValue) -> Result<Self, Misread> {
        let mut event = Fields::read(event.get().as_bytes(), "`event`")?;
        let event_type = event
            .take("type", "event.type")?
            .ok_or_else(|| misread("`event.type` is missing"))?;
        let event_type = event_type_of(text(event_type, "event.type")?, "`event.type`")?;
        Ok(Self {
            event_type: event_type.into(),
            payload: event.write().into(),
        })
    }
}

impl Context {
    fn read(context: &RawValue) -> Result<Self, Misread> {
        let mut fields = Fields::read(context.get().as_bytes(), "`context`")?;
        let mut field = |name: &str| {
            let path = format!("context.{name}");
            let value = fields
                .take(name, &path)?
                .map(|value| id(text(value, &path)?, &format!("`{path}`")));
            value.transpose()
        };
        let (event_id, function_id) = (field("eventId")?, field("functionId")?);
        let (execution_id, execution_target) = (field("executionId")?, field("executionTarget")?);
        Ok(Self {
            event_id,
            function_id,
            execution_id,
            execution_target,
            timestamp: fields
                .take("timestamp", "context.timestamp")?
                .map(timestamp)
                .transpose()?,
            retries: fields.take_number("retries")?,
            // What it says of the trace never stops a message.
            traceparent: fields
                .take("traceparent", "context.traceparent")?
                .and_then(|value| serde_json::from_str::<Cow<'_, str>>(value.get()).ok())
                .and_then(|text| traceparent(&text)),
            #[cfg(feature = "http")]
            hop: fields.take_number("hop")?.unwrap_or(0),
        })
    }
}

/// Whether a JSON object has a field `type` of its own, for which there is no room beside the event's type.
pub(crate) fn has_type(payload: &[u8]) -> bool {
    // Most have these letters nowhere, and are not read for it. A custom writer may escape them.
    let text = std::str::from_utf8(payload).unwrap_or_default();
    (text.contains("\"type\"") || text.contains("\\u"))
        && Fields::read(payload, "the event")
            .is_ok_and(|fields| fields.0.iter().any(|(name, _)| name == "type"))
}

/// How many bytes an event has in the smallest message that holds it.
pub(crate) fn size_of(event_type: &str, payload: &[u8]) -> usize {
    br#"{"event":{"type":"",}}"#.len() + event_type.len() + payload.len().saturating_sub(2)
}

/// The message of an event.
pub(crate) fn event(event: &NewEvent, now: Timestamp) -> Vec<u8> {
    let mut out = format!("{{\"v\":{VERSION},\"event\":{{\"type\":").into_bytes();
    out.extend(json(&*event.event_type));
    // The payload is an object, whose first byte is a brace.
    let fields = event.payload.get(1..).unwrap_or(b"}");
    if !fields.trim_ascii().starts_with(b"}") {
        out.push(b',');
    }
    out.extend(fields);
    out.extend(b",\"context\":");
    out.extend(json(&WrittenContext {
        event_id: Some(&event.id),
        timestamp: (event.due_at > now).then(|| event.due_at.clamped().as_millis()),
        retries: event.retries,
        traceparent: event.traceparent.as_deref(),
        ..WrittenContext::default()
    }));
    out.push(b'}');
    out
}

#[cfg(feature = "http")]
/// The message that wakes a run at its time.
pub(crate) fn wake_up(run_id: &str, due_at: Timestamp, hop: u32) -> Vec<u8> {
    let context = WrittenContext {
        execution_id: Some(run_id),
        timestamp: Some(due_at.clamped().as_millis()),
        hop: (hop > 0).then_some(hop),
        ..WrittenContext::default()
    };
    let mut out = format!("{{\"v\":{VERSION},\"context\":").into_bytes();
    out.extend(json(&context));
    out.push(b'}');
    out
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct WrittenContext<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hop: Option<u32>,
}

/// The id of an event whose sender gave none, by the id of its message.
#[cfg(feature = "http")]
pub(crate) fn webhook_event_id(message: &str) -> String {
    stable_id(&["http", WEBHOOK_ID, message])
}

/// Writes a body of ours.
pub(crate) fn json(body: &(impl Serialize + ?Sized)) -> Vec<u8> {
    serde_json::to_vec(body).expect("what is written here has string keys and infallible values")
}

/// An id that a store, a log and a URL can carry.
pub(crate) fn id(text: String, what: &str) -> Result<String, Misread> {
    if text.is_empty() {
        return Err(misread(format!("{what} is empty")));
    }
    if text.chars().nth(MAX_ID_CHARS).is_some() {
        return Err(misread(format!(
            "{what} has more than {MAX_ID_CHARS} characters"
        )));
    }
    if text.contains(steers) {
        return Err(misread(format!(
            "{what} has control characters, line separators or marks that turn the direction of writing"
        )));
    }
    Ok(text)
}

/// An event's type that somebody else may publish.
pub(crate) fn event_type_of(text: String, what: &str) -> Result<String, Misread> {
    if text.starts_with("belts.") {
        return Err(misread(format!(
            "{what} begins with `belts.`, as only events of belts itself do"
        )));
    }
    id(text, what)
}

fn text(value: &RawValue, path: &str) -> Result<String, Misread> {
    serde_json::from_str(value.get()).map_err(|_| misread(format!("`{path}` must be a string")))
}

/// RFC 3339, or milliseconds since the Unix epoch.
fn timestamp(value: &RawValue) -> Result<Timestamp, Misread> {
    let time = match serde_json::from_str::<i64>(value.get()) {
        Ok(millis) => Some(Timestamp::from_millis(millis).clamped()),
        Err(_) => serde_json::from_str::<Cow<'_, str>>(value.get())
            .ok()
            .and_then(|text| Timestamp::parse(&text)),
    };
    time.ok_or_else(|| {
        misread(
            "`context.timestamp` must be a time by RFC 3339, such as \"2030-01-31T12:00:00Z\", or milliseconds since 1970",
        )
    })
}

/// The fields of a JSON object with their values unread, so that no number is rounded on its way.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Fields<'a> {
    fn read(json: &'a [u8], what: &str) -> Result<Self, Misread> {
        serde_json::from_slice(json).map_err(|error| {
            // Only an error of syntax is shown: any other may quote a value.
            if error.is_data() {
                misread(format!("{what} must be a JSON object"))
            } else {
                Misread {
                    fault: Fault::Syntax,
                    message: format!("the body is not JSON: {error}"),
                }
            }
        })
    }

    /// Takes a field out; `null` is as good as none.
    fn take(&mut self, name: &str, path: &str) -> Result<Option<&'a RawValue>, Misread> {
        let mut found = None;
        while let Some(index) = self.0.iter().position(|(field, _)| field == name) {
            if found.replace(self.0.remove(index).1).is_some() {
                return Err(misread(format!("`{path}` is there twice")));
            }
        }
        Ok(found.filter(|value| value.get() != "null"))
    }

    fn take_number(&mut self, name: &str) -> Result<Option<u32>, Misread> {
        let path = format!("context.{name}");
        let number = self.take(name, &path)?.map(|value| value.get().parse());
        number
            .transpose()
            .map_err(|_| misread(format!("`{path}` must be a whole number")))
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
