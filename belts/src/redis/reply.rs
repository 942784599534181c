//! Reading what a script answers.

use std::{str::FromStr, sync::Arc, vec::IntoIter};

use redis::Value;

use super::error::Fault;
use crate::store::Timestamp;

/// The values of a list, taken one after the other.
pub(crate) struct Row(IntoIter<Value>);

impl Row {
    pub(crate) fn of(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Array(values) => Ok(Self(values.into_iter())),
            _ => Err(Fault::Reply("list")),
        }
    }

    /// Whether everything was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    /// The next value; nothing where the list has ended, as Lua leaves out what is nil at the end.
    pub(crate) fn value(&mut self) -> Value {
        self.0.next().unwrap_or(Value::Nil)
    }

    /// The next value, which is a list.
    pub(crate) fn row(&mut self) -> Result<Self, Fault> {
        Self::of(self.value())
    }

    pub(crate) fn raw(&mut self) -> Result<Vec<u8>, Fault> {
        raw(self.value())
    }

    pub(crate) fn optional_raw(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        match self.value() {
            Value::Nil => Ok(None),
            value => raw(value).map(Some),
        }
    }

    pub(crate) fn text(&mut self) -> Result<Arc<str>, Fault> {
        let bytes = self.raw()?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Fault::Reply("text"))?;
        Ok(Arc::from(text))
    }

    pub(crate) fn number<T: FromStr>(&mut self) -> Result<T, Fault> {
        self.optional_number()?.ok_or(Fault::Reply("number"))
    }

    /// A number, where there is one and it is not empty.
    pub(crate) fn optional_number<T: FromStr>(&mut self) -> Result<Option<T>, Fault> {
        match self.optional_raw()? {
            Some(bytes) if !bytes.is_empty() => number(&bytes).map(Some),
            _ => Ok(None),
        }
    }

    /// A time, where there is one and it is not empty.
    pub(crate) fn time(&mut self) -> Result<Option<Timestamp>, Fault> {
        match self.optional_raw()? {
            Some(bytes) if !bytes.is_empty() => time(&bytes).map(Some),
            _ => Ok(None),
        }
    }
}

pub(crate) fn raw(value: Value) -> Result<Vec<u8>, Fault> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        _ => Err(Fault::Reply("text")),
    }
}

pub(crate) fn count(value: &Value) -> Result<usize, Fault> {
    match value {
        Value::Int(count) => usize::try_from(*count).map_err(|_| Fault::Reply("count")),
        _ => Err(Fault::Reply("count")),
    }
}

pub(crate) fn number<T: FromStr>(bytes: &[u8]) -> Result<T, Fault> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or(Fault::Reply("number"))
}

/// A time in milliseconds. What Redis keeps as the score of a sorted set, it writes as a float where it is far away.
#[expect(
    clippy::cast_possible_truncation,
    reason = "beyond the ends of time it saturates"
)]
pub(crate) fn time(bytes: &[u8]) -> Result<Timestamp, Fault> {
    number(bytes)
        .or_else(|_| number::<f64>(bytes).map(|score| score as i64))
        .map(Timestamp::from_millis)
}
