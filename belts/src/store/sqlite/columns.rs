//! How the columns of a row are read.

use std::sync::Arc;

use rusqlite::{Row, types::ValueRef};

use super::error::Fault;
use crate::store::Timestamp;

pub(super) fn optional_bytes(row: &Row<'_>, column: usize) -> Result<Option<Arc<[u8]>>, Fault> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => bytes(row, column).map(Some),
    }
}

/// Text to be shown, whatever is in it.
pub(super) fn lossy(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<str>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) => Arc::from(String::from_utf8_lossy(bytes)),
        _ => Arc::from("(unknown)"),
    })
}

pub(super) fn text(row: &Row<'_>, column: usize) -> Result<Arc<str>, Fault> {
    text_of(row.get_ref(column)?).ok_or(Fault::Row("text"))
}

/// A text, if it is one and can be read.
pub(super) fn text_of(value: ValueRef<'_>) -> Option<Arc<str>> {
    match value {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(Arc::from),
        _ => None,
    }
}

pub(super) fn bytes(row: &Row<'_>, column: usize) -> Result<Arc<[u8]>, Fault> {
    match row.get_ref(column)? {
        ValueRef::Blob([]) => Ok(Arc::default()),
        ValueRef::Blob(bytes) => Ok(Arc::from(bytes)),
        _ => Err(Fault::Row("value")),
    }
}

pub(super) fn time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Fault> {
    let millis: Option<i64> = row.get(column)?;
    Ok(millis.map(Timestamp::from_millis))
}

pub(super) fn small(row: &Row<'_>, column: usize) -> Result<u32, Fault> {
    u32::try_from(row.get::<_, i64>(column)?).map_err(|_| Fault::Row("number"))
}
