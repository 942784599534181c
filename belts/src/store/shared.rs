//! What every store in this crate needs: ids, page marks, and the bookkeeping of a worker's capacity.

use std::{collections::HashMap, sync::Arc};

use super::{Capacity, RunFilter, Timestamp, WorkerId};
use crate::error::{Error, ErrorKind, Result};

/// The most functions that a claim names as unknown.
pub(super) const MAX_UNKNOWN_FUNCTIONS: usize = 8;

/// What is left of a worker's capacity while runs are given to it.
pub(super) struct Budget {
    limit: usize,
    functions: HashMap<Arc<str>, usize>,
}

impl Budget {
    pub(super) fn new(capacity: &Capacity) -> Self {
        let functions = capacity
            .functions
            .iter()
            .map(|function| (Arc::clone(&function.function_id), function.limit));
        Self {
            limit: capacity.limit,
            functions: functions.collect(),
        }
    }

    /// Takes the place of one run of the function; whether there was one.
    pub(super) fn take(&mut self, function: &str) -> bool {
        match self.functions.get_mut(function) {
            Some(left) if *left > 0 && self.limit > 0 => {
                *left -= 1;
                self.limit -= 1;
                true
            }
            _ => false,
        }
    }
}

/// A new id for a run; ids sort by the time of their making.
pub(super) fn new_id() -> Arc<str> {
    let mut text = [0; uuid::fmt::Simple::LENGTH];
    Arc::from(&*uuid::Uuid::now_v7().simple().encode_lower(&mut text))
}

/// The error of a session that the store does not know, or no more.
pub(super) fn unknown_session(worker: WorkerId) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!("the session {worker} has ended, and the worker must register again"),
    )
}

pub(super) fn page_limit(filter: &RunFilter) -> usize {
    if filter.limit == 0 { 100 } else { filter.limit }
}

impl RunFilter {
    /// Whether it wants runs of this time.
    pub(super) fn includes(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// The number of the run at which the last page ended.
pub(super) fn page_mark(filter: &RunFilter) -> Result<Option<i64>> {
    let Some(mark) = &filter.after else {
        return Ok(None);
    };
    mark.parse().map(Some).map_err(|error| {
        Error::new(
            ErrorKind::Config,
            "`after` is not a mark that an earlier page gave",
        )
        .with_source(error)
    })
}
