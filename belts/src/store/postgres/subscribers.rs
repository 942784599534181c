//! Which functions an event starts, remembered until somebody changes the subscriptions.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::postgres::PgRow;

use super::{connections::Loan, database::Database, error::Fault, rows::Columns, sql::Parameters};
use crate::store::{Subscription, parts::add_row};

/// The subscriptions as of one version of them.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    pub(super) version: i64,
    /// The functions of each event type, sorted by id.
    by_type: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// The event types that anybody may wait for.
    awaited: HashSet<Arc<str>>,
    /// The functions of which nothing is claimed.
    paused: HashSet<Arc<str>>,
    /// The functions whose runs have limits of time.
    limited: HashSet<Arc<str>>,
}

impl Subscribers {
    pub(super) fn of(&self, event_type: &str) -> &[Arc<str>] {
        self.by_type.get(event_type).map_or(&[], Vec::as_slice)
    }

    pub(super) fn awaits(&self, event_type: &str) -> bool {
        self.awaited.contains(event_type)
    }

    pub(super) fn has_paused(&self, function_id: &str) -> bool {
        self.paused.contains(function_id)
    }

    pub(super) fn has_limited(&self, function_id: &str) -> bool {
        self.limited.contains(function_id)
    }

    fn read(rows: &[PgRow]) -> Result<Self, Fault> {
        let mut all = Self::default();
        for row in rows {
            let columns = Columns(row);
            all.version = columns.get(0)?;
            match (columns.maybe_text(1)?, columns.maybe_text(2)?) {
                (Some(function_id), Some(event_type)) => {
                    all.by_type.entry(event_type).or_default().push(function_id);
                }
                (None, Some(event_type)) => {
                    all.awaited.insert(event_type);
                }
                (Some(function_id), None) if columns.get(3)? => {
                    all.limited.insert(function_id);
                }
                (Some(function_id), None) => {
                    all.paused.insert(function_id);
                }
                (None, None) => {}
            }
        }
        for functions in all.by_type.values_mut() {
            functions.sort_unstable();
        }
        Ok(all)
    }

    /// The same, by function.
    fn subscriptions(rows: &[PgRow]) -> Result<Vec<Subscription>, Fault> {
        let mut pairs = Vec::new();
        for row in rows {
            pairs.extend(pair(Columns(row))?);
        }
        pairs.sort();
        let mut all: Vec<Subscription> = Vec::new();
        for (function_id, event_type) in pairs {
            add_row(&mut all, function_id, Some(event_type));
        }
        Ok(all)
    }
}

type Pair = (Arc<str>, Arc<str>);

/// A function and an event type; none in a row that stands for the version alone.
fn pair(columns: Columns<'_>) -> Result<Option<Pair>, Fault> {
    let function: Option<&str> = columns.get(1)?;
    match function {
        None => Ok(None),
        Some(_) => Ok(Some((columns.text(1)?, columns.text(2)?))),
    }
}

/// What is remembered of the subscriptions.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Option<Arc<Subscribers>>>);

impl Memory {
    pub(super) async fn get(
        &self,
        database: &Database,
        loan: &mut Loan<'_>,
    ) -> Result<Arc<Subscribers>, Fault> {
        if let Some(known) = &*self.known() {
            return Ok(Arc::clone(known));
        }
        let rows = loan
            .rows(&database.sql.subscribers, Parameters::default())
            .await?;
        let read = Arc::new(Subscribers::read(&rows)?);
        *self.known() = Some(Arc::clone(&read));
        Ok(read)
    }

    pub(super) fn forget(&self) {
        *self.known() = None;
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Arc<Subscribers>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Database {
    pub(super) async fn subscriptions(&self) -> Result<Vec<Subscription>, Fault> {
        let rows = self
            .rows(&self.sql.subscriptions, Parameters::default())
            .await?;
        Subscribers::subscriptions(&rows)
    }

    /// The types that anybody may wait for, sorted.
    pub(super) async fn awaited(&self) -> Result<Vec<Arc<str>>, Fault> {
        let rows = self.rows(&self.sql.awaited, Parameters::default()).await?;
        let types = rows.iter().map(|row| Columns(row).text(0));
        let mut types = types.collect::<Result<Vec<_>, _>>()?;
        types.sort_unstable();
        Ok(types)
    }
}
