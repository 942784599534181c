//! What a store remembers of who may wait for what, between transactions.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rusqlite::Connection;

use super::{
    error::Fault,
    names::{Dictionary, SharedNames},
};

/// Which functions may wait for events, and of which types.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    by_type: HashMap<i64, HashSet<i64>>,
    functions: HashSet<i64>,
}

impl Awaited {
    pub(super) fn add(&mut self, function: i64, event_type: i64) {
        self.functions.insert(function);
        self.by_type.entry(event_type).or_default().insert(function);
    }

    pub(super) fn has_type(&self, event_type: i64) -> bool {
        self.by_type.contains_key(&event_type)
    }

    pub(super) fn has_function(&self, function: i64) -> bool {
        self.functions.contains(&function)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    pub(super) fn has(&self, function: i64, event_type: i64) -> bool {
        let functions = self.by_type.get(&event_type);
        functions.is_some_and(|functions| functions.contains(&function))
    }
}

/// The types that anybody may wait for, sorted.
pub(super) fn types(connection: &Connection, names: &SharedNames) -> Result<Vec<Arc<str>>, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut statement = connection.prepare_cached("SELECT DISTINCT event_type FROM awaited")?;
    let mut rows = statement.query([])?;
    let mut types = Vec::new();
    while let Some(row) = rows.next()? {
        types.push(dictionary.name(row.get(0)?)?);
    }
    types.sort_unstable();
    Ok(types)
}
