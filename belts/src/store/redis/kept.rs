//! Values in Redis as they are kept, and others in their place.

use redis::Value;

use super::{
    Fault, Redis,
    reply::{self, Row},
    rows, script,
};
use crate::{
    error::{Error, Result},
    store::{StoredEvent, StoredEvents, Substitute, ValueOf},
};

impl Redis {
    /// Events in the order of Redis's own table, in which one may come twice; about `limit` of them, and perhaps none.
    pub(super) async fn stored_events(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<StoredEvents> {
        let mark: u64 = after
            .map_or(Ok(0), str::parse)
            .map_err(Error::wrong_page_mark)?;
        let pattern = format!("{}event:*", literally(&self.inner.keys));
        let answer = self.run(|_| {
            let mut call = self.call(&script::EVENTS);
            call.arg(mark).arg(&pattern).arg(limit.max(1));
            call
        });
        self.read(events(answer.await?))
    }

    pub(super) async fn substitute_values(&self, values: &[Substitute]) -> Result<usize> {
        if values.is_empty() {
            return Ok(0);
        }
        let answer = self.run(|_| {
            let mut call = self.call(&script::SUBSTITUTE);
            for Substitute { of, from, to } in values {
                match of {
                    ValueOf::Event(id) => call.arg("event").arg(&**id).arg(""),
                    ValueOf::Result(run_id) => call.arg("run").arg(&**run_id).arg("result"),
                    ValueOf::Entry { run_id, seq } => call.arg("run").arg(&**run_id).arg(seq),
                };
                call.arg(&**from).arg(&**to);
            }
            call
        });
        self.read(reply::count(&answer.await?))
    }
}

/// A text as a pattern that only it matches.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for char in text.chars() {
        if "*?[]^\\".contains(char) {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}

fn events(answer: Value) -> Result<StoredEvents, Fault> {
    let mut row = Row::of(answer)?;
    let next = row.optional_raw()?;
    let next = next.map(|mark| String::from_utf8_lossy(&mark).into_owned());
    let mut events = Vec::new();
    while !row.is_empty() {
        let (id, text) = (row.text()?, row.raw()?);
        // One that cannot be read is seen by whoever needs it.
        if let Ok(stored) = rows::decode_event(&text) {
            let event = StoredEvent::new(id, stored.event_type, stored.payload);
            events.push(event.with_correlation_key(stored.correlation_key));
        }
    }
    Ok(StoredEvents::new(events).with_next(next))
}

#[cfg(test)]
mod tests {
    use super::literally;

    #[test]
    fn a_prefix_with_signs_of_patterns_stands_for_itself() {
        assert_eq!(literally("a*[b]?:"), "a\\*\\[b\\]\\?:");
    }
}
