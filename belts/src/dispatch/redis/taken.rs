//! An entry of the stream, as the server returns it.

use std::sync::Arc;

use redis::Value;

use crate::redis::{
    error::Fault,
    reply::{self, Row},
};

/// A message that was delivered to us.
pub(super) struct Taken {
    /// The id of its entry.
    pub(super) id: Arc<str>,
    pub(super) body: Vec<u8>,
    /// How often the group was given this entry.
    pub(super) times: u32,
    /// The id that it had before it was delayed.
    origin: Option<String>,
    /// How often it had been delivered before it was delayed.
    before: u32,
    /// The only group that it is for, unless it is for all.
    group: Option<Vec<u8>>,
}

impl Taken {
    /// Parses an entry. A foreign one may lack our fields: one without a body is delivered with an empty one.
    fn read(entry: &mut Row) -> Result<Self, Fault> {
        let mut taken = Self {
            id: entry.text()?,
            body: Vec::new(),
            times: 1,
            origin: None,
            before: 0,
            group: None,
        };
        let mut fields = entry.row()?;
        while !fields.is_empty() {
            let (name, value) = (fields.raw()?, fields.raw()?);
            taken.set(&name, value);
        }
        Ok(taken)
    }

    fn set(&mut self, name: &[u8], value: Vec<u8>) {
        let text = || std::str::from_utf8(&value).ok();
        match name {
            b"body" => self.body = value,
            b"belts:id" => {
                let is_id = |id: &&str| !id.is_empty() && !id.contains(char::is_whitespace);
                self.origin = text().filter(is_id).map(str::to_owned);
            }
            b"belts:arrivals" => {
                self.before = text().and_then(|text| text.parse().ok()).unwrap_or(0);
            }
            b"belts:group" if !value.is_empty() => self.group = Some(value),
            _ => {}
        }
    }

    /// Whether it is for this group.
    pub(super) fn is_for(&self, group: &str) -> bool {
        self.group
            .as_ref()
            .is_none_or(|only| only == group.as_bytes())
    }

    /// The id under which it was sent, the same for each delivery.
    pub(super) fn origin(&self) -> &str {
        self.origin.as_deref().unwrap_or(&self.id)
    }

    /// How often it has been delivered, including this time.
    pub(super) fn arrivals(&self) -> u32 {
        self.before.saturating_add(self.times)
    }
}

/// Parses the reply of the script that takes messages: the messages, and in how many milliseconds a delayed one is due.
pub(super) fn taken(answer: Value) -> Result<(Vec<Taken>, Option<u64>), Fault> {
    let mut row = Row::of(answer)?;
    let mut entries = row.row()?;
    let mut taken = Vec::new();
    while !entries.is_empty() {
        let mut entry = entries.row()?;
        let mut one = Taken::read(&mut entry)?;
        one.times = u32::try_from(reply::count(&entry.value())?).unwrap_or(u32::MAX);
        taken.push(one);
    }
    Ok((taken, row.optional_number()?))
}

/// Parses the reply of `XREADGROUP` on one stream: nothing, or messages that the group was never given before.
pub(super) fn first_read(answer: Value) -> Result<Vec<Taken>, Fault> {
    let entries = match answer {
        Value::Nil => return Ok(Vec::new()),
        Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| entries),
        streams => {
            let mut stream = Row::of(streams)?.row()?;
            stream.value();
            Some(stream.value())
        }
    };
    let mut entries = Row::of(entries.ok_or(Fault::Reply("stream"))?)?;
    let mut taken = Vec::new();
    while !entries.is_empty() {
        taken.push(Taken::read(&mut entries.row()?)?);
    }
    Ok(taken)
}
