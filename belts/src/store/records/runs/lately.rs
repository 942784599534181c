//! How many runs ended lately.

use std::sync::Arc;

use super::RunStatus;
use crate::clock::Timestamp;

/// How many runs ended since a time, by function and status: what [`Store::ended`](crate::store::Store::ended) answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedLately {
    /// Since when all of them are counted: later than was asked for where there were more than are counted.
    pub since: Timestamp,
    /// The runs, sorted by function and status.
    pub groups: Vec<EndedGroup>,
}

/// How many runs of one function ended lately with one status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedGroup {
    /// The function.
    pub function_id: Arc<str>,
    /// How they ended.
    pub status: RunStatus,
    /// How many.
    pub runs: usize,
    /// When the last of them did.
    pub last_at: Timestamp,
}

impl EndedLately {
    /// These, all since then.
    pub fn new(since: Timestamp, mut groups: Vec<EndedGroup>) -> Self {
        groups.sort_by(|one, other| {
            (&one.function_id, one.status).cmp(&(&other.function_id, other.status))
        });
        Self { since, groups }
    }

    /// Counts runs one by one, as far as `most` reaches, from the last that ended backwards.
    pub(crate) fn count<'a>(
        since: Timestamp,
        most: usize,
        ends: impl IntoIterator<Item = (&'a Arc<str>, RunStatus, Timestamp)>,
    ) -> Self {
        let mut all = Self::new(since, Vec::new());
        for (place, (function_id, status, at)) in ends.into_iter().enumerate() {
            if place == most {
                break;
            }
            if place + 1 == most {
                all.since = at;
            }
            let mut groups = all.groups.iter_mut();
            let own =
                groups.find(|group| group.function_id == *function_id && group.status == status);
            match own {
                Some(group) => group.runs += 1,
                None => all
                    .groups
                    .push(EndedGroup::new(Arc::clone(function_id), status, 1, at)),
            }
        }
        Self::new(all.since, all.groups)
    }
}

impl EndedGroup {
    /// So many runs of this function, the last of which ended then.
    pub fn new(
        function_id: impl Into<Arc<str>>,
        status: RunStatus,
        runs: usize,
        last_at: Timestamp,
    ) -> Self {
        Self {
            function_id: function_id.into(),
            status,
            runs,
            last_at,
        }
    }
}
