//! Runs that end with one that is cancelled, since they are attached to it.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::join_all;

use super::{
    super::chosen,
    batch::Batch,
    under_way::{AT_ONCE, Bulk, PAGE},
};
use crate::{
    error::Result,
    store::{RunFilter, RunRecord, RunStatus},
};

/// How many runs of one that is cancelled are kept by id; more than these are only counted.
const MOST_KEPT: usize = 10_000;

/// The unfinished runs that are attached to one, or to one that is, and pass the filter.
#[derive(Default)]
pub(super) struct Held {
    ids: Vec<Arc<str>>,
    /// How many there are that are not kept.
    more: usize,
}

/// What has ended with a run that was cancelled.
#[derive(Default)]
pub(super) struct WithIt {
    pub(super) cancelled: usize,
    /// Those that had ended before.
    pub(super) ended: usize,
    /// Those of the batch.
    pub(super) settled: HashSet<Arc<str>>,
}

impl Bulk<'_> {
    /// What would end with this run, which is noted on each: once they have ended, no page has them.
    pub(super) async fn held(&self, run: &RunRecord, batch: &Batch) -> Result<Held> {
        let mut held = Held::default();
        // None of them has the parent that is asked for.
        if self.filter.parent.is_some() {
            return Ok(held);
        }
        let mut left = vec![(Arc::clone(&run.run_id), None)];
        while !left.is_empty() {
            let some = left.split_off(left.len().saturating_sub(AT_ONCE));
            let lists = some.iter().map(|(above, mark)| {
                let filter = RunFilter {
                    statuses: RunStatus::UNFINISHED.into(),
                    parent: Some(Arc::clone(above)),
                    limit: PAGE,
                    after: Option::clone(mark),
                    ..RunFilter::default()
                };
                self.runs.store.list(filter)
            });
            let pages = join_all(lists).await;
            for ((above, _), page) in some.into_iter().zip(pages) {
                let page = page?;
                if page.next.is_some() {
                    left.push((above, page.next));
                }
                let attached = page.runs.into_iter().filter(|run| {
                    let parent = run.parent.as_ref();
                    parent.is_some_and(|parent| parent.attached)
                });
                let attached: Vec<_> = attached.collect();
                self.note_held(&attached).await?;
                for run in attached {
                    left.push((Arc::clone(&run.run_id), None));
                    if !chosen::passes(&self.filter, &run) {
                        continue;
                    }
                    if held.ids.len() < MOST_KEPT || batch.has(&run.run_id) {
                        held.ids.push(run.run_id);
                    } else {
                        held.more += 1;
                    }
                }
            }
        }
        Ok(held)
    }

    async fn note_held(&self, runs: &[RunRecord]) -> Result<()> {
        let passing = runs.iter().filter(|run| chosen::passes(&self.filter, run));
        let passing: Vec<_> = passing.collect();
        for some in passing.chunks(AT_ONCE) {
            let notes = some
                .iter()
                .map(|run| self.runs.note_quietly(&run.run_id, &self.action));
            for noted in join_all(notes).await {
                noted?;
            }
        }
        Ok(())
    }

    /// Which of them were cancelled with the run.
    pub(super) async fn ended(&self, held: Held, batch: &Batch) -> WithIt {
        let mut ended = WithIt {
            cancelled: held.more,
            ..WithIt::default()
        };
        for some in held.ids.chunks(AT_ONCE) {
            let runs = join_all(some.iter().map(|id| self.runs.store.run(id))).await;
            for (id, run) in some.iter().zip(runs) {
                // One that cannot be looked at has ended all the same.
                let is_cancelled = run.ok().flatten();
                let is_cancelled =
                    is_cancelled.is_none_or(|run| run.status == RunStatus::Cancelled);
                if is_cancelled {
                    ended.cancelled += 1;
                    self.runs.tell_cancelled(id);
                } else {
                    ended.ended += 1;
                }
                if batch.has(id) {
                    ended.settled.insert(Arc::clone(id));
                }
            }
        }
        ended
    }
}
