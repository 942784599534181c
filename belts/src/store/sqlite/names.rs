//! The dictionary of words that come again and again, with what this process has seen of it.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{columns::text_of, error::Fault};

/// What is known of the dictionary. Rows never change, so what is known stays true.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_name: HashMap<Arc<str>, i64>,
    by_id: HashMap<i64, Arc<str>>,
}

impl Names {
    fn learn(&mut self, id: i64, name: Arc<str>) {
        self.by_id.insert(id, Arc::clone(&name));
        self.by_name.insert(name, id);
    }
}

/// The dictionary as all connections of a store share it.
pub(super) type SharedNames = RwLock<Names>;

/// The dictionary within one transaction or read: words that it added are shared only once they are committed.
pub(super) struct Dictionary<'a> {
    connection: &'a Connection,
    shared: &'a SharedNames,
    added: Names,
    /// The last word asked for: steps of one run mostly have one type.
    last: Option<(i64, Arc<str>)>,
}

impl<'a> Dictionary<'a> {
    pub(super) fn new(connection: &'a Connection, shared: &'a SharedNames) -> Self {
        Self {
            connection,
            shared,
            added: Names::default(),
            last: None,
        }
    }

    /// The number of a word, if it has one.
    pub(super) fn find(&mut self, name: &str) -> Result<Option<i64>, Fault> {
        if let Some((id, last)) = &self.last
            && **last == *name
        {
            return Ok(Some(*id));
        }
        let known = self
            .shared
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_name
            .get(name)
            .copied();
        if let Some(id) = known.or_else(|| self.added.by_name.get(name).copied()) {
            return Ok(Some(id));
        }
        let found = self
            .connection
            .prepare_cached("SELECT id FROM names WHERE name = ?1")?
            .query_row(params![name], |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            self.added.learn(id, Arc::from(name));
        }
        Ok(found)
    }

    /// The number of a word, new or known. Only within a write.
    pub(super) fn number(&mut self, name: &Arc<str>) -> Result<i64, Fault> {
        let id = if let Some(id) = self.find(name)? {
            id
        } else {
            self.connection
                .prepare_cached("INSERT INTO names (name) VALUES (?1)")?
                .execute(params![&**name])?;
            let id = self.connection.last_insert_rowid();
            self.added.learn(id, Arc::clone(name));
            id
        };
        if self.last.as_ref().is_none_or(|(last, _)| *last != id) {
            self.last = Some((id, Arc::clone(name)));
        }
        Ok(id)
    }

    /// The word of a number.
    pub(super) fn name(&mut self, id: i64) -> Result<Arc<str>, Fault> {
        if let Some((last, name)) = &self.last
            && *last == id
        {
            return Ok(Arc::clone(name));
        }
        let known = self
            .shared
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_id
            .get(&id)
            .cloned();
        let name = if let Some(name) = known.or_else(|| self.added.by_id.get(&id).cloned()) {
            name
        } else {
            let name: Arc<str> = self
                .connection
                .prepare_cached("SELECT name FROM names WHERE id = ?1")?
                .query_row(params![id], |row| Ok(text_of(row.get_ref(0)?)))
                .optional()?
                .flatten()
                .ok_or(Fault::Row("word"))?;
            self.added.learn(id, Arc::clone(&name));
            name
        };
        self.last = Some((id, Arc::clone(&name)));
        Ok(name)
    }

    /// The word of a number, or a stand-in for one that cannot be read.
    pub(super) fn name_or_unknown(&mut self, id: i64) -> Result<Arc<str>, Fault> {
        match self.name(id) {
            Err(fault) if fault.is_of_the_row() => Ok(Arc::from("(unknown)")),
            name => name,
        }
    }

    /// Shares what was learnt, after the commit.
    pub(super) fn share(self) {
        if self.added.by_id.is_empty() {
            return;
        }
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        for (id, name) in self.added.by_id {
            shared.learn(id, name);
        }
    }
}
