//! A page of runs that pass a filter, with those above them that pass it too.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{super::chosen, under_way::Bulk};
use crate::{
    error::Result,
    store::{Parent, RunFilter, RunRecord},
};

/// The runs to be cancelled next.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) runs: Vec<RunRecord>,
    /// The ids of these runs.
    ids: HashSet<Arc<str>>,
    /// The parents of these runs, and of all runs above them.
    parents: HashMap<Arc<str>, Option<Parent>>,
    /// How many of the runs were listed; the others are above them.
    pub(super) listed: usize,
    /// Where the next one begins.
    pub(super) next: Option<String>,
    /// Those of the runs that were cancelled.
    pub(super) gone: HashSet<Arc<str>>,
    /// Those of the runs that have ended with one that was.
    pub(super) settled: HashSet<Arc<str>>,
}

/// How many runs are above this one.
pub(super) fn depth(run: &RunRecord) -> u32 {
    run.parent.as_ref().map_or(0, |parent| parent.depth)
}

impl Batch {
    pub(super) fn has(&self, run_id: &str) -> bool {
        self.ids.contains(run_id)
    }

    fn add(&mut self, runs: Vec<RunRecord>) {
        self.ids
            .extend(runs.iter().map(|run| Arc::clone(&run.run_id)));
        self.runs.extend(runs);
    }

    /// The parents above a run, the nearest first.
    fn above<'a>(&'a self, run: &'a RunRecord) -> impl Iterator<Item = &'a Parent> {
        let nearest = run.parent.as_ref();
        let above =
            std::iter::successors(nearest, |parent| self.parents.get(&parent.run_id)?.as_ref());
        above.take(depth(run) as usize)
    }

    /// Whether a run is below one of these.
    pub(super) fn is_below(&self, run: &RunRecord, these: &HashSet<Arc<str>>) -> bool {
        self.above(run).any(|parent| these.contains(&parent.run_id))
    }

    /// Whether a run ends with one that was cancelled, to which it is attached, though others may be between them.
    pub(super) fn is_held(&self, run: &RunRecord) -> bool {
        self.above(run)
            .take_while(|parent| parent.attached)
            .any(|parent| self.gone.contains(&parent.run_id))
    }
}

impl Bulk<'_> {
    /// The next page, as far as there is room for its runs and for those above them.
    pub(super) async fn batch(&mut self, asked: &mut RunFilter) -> Result<Batch> {
        loop {
            let page = self.runs.store.list(asked.clone()).await?;
            let listed = page.runs.len();
            let mut batch = Batch::default();
            let fitting = self.fill(&mut batch, page.runs).await;
            (batch.listed, batch.next) = (fitting, page.next);
            if fitting == listed || self.gives_up {
                return Ok(batch);
            }
            if fitting == 0 && asked.after.is_some() {
                // Only what is above the first one fits: that one is listed again.
                batch.next.clone_from(&asked.after);
                return Ok(batch);
            }
            if listed == 1 {
                return Ok(batch);
            }
            // Only the store knows where a shorter page ends.
            asked.limit = fitting.max(1);
        }
    }

    /// Adds runs and those above them, as many as there is room for; how many of them fit. If not even the first one does, what is
    /// above it is added.
    async fn fill(&mut self, batch: &mut Batch, runs: Vec<RunRecord>) -> usize {
        let room = self.room();
        let mut fitting = 0;
        for run in runs {
            let run_id = Arc::clone(&run.run_id);
            match self.line(batch, run).await {
                Ok(mut line) => {
                    let left = room - batch.runs.len();
                    if line.len() > left {
                        if fitting == 0 {
                            line.truncate(left);
                            batch.add(line);
                        }
                        break;
                    }
                    batch.add(line);
                }
                Err(error) => self.fail(&run_id, error),
            }
            if self.gives_up {
                break;
            }
            fitting += 1;
        }
        fitting
    }

    /// A run and those above it that pass the filter too and may be on a later page, the highest first, but for those in the batch.
    /// Once it has heard of the end of a child, a run may no longer have the status that the filter names.
    ///
    /// Nothing if one of them could not be cancelled.
    async fn line(&self, batch: &mut Batch, run: RunRecord) -> Result<Vec<RunRecord>> {
        if batch.has(&run.run_id) || self.stuck.contains(&run.run_id) {
            return Ok(Vec::new());
        }
        let levels = depth(&run);
        let mut above = run.parent.clone();
        batch.parents.insert(Arc::clone(&run.run_id), above.clone());
        let mut line = vec![run];
        // All that have one parent are below the same ones, and none of these is its child.
        let levels = if self.filter.parent.is_some() {
            0
        } else {
            levels
        };
        for _ in 0..levels {
            let Some(Parent { run_id, .. }) = above.take() else {
                break;
            };
            if self.stuck.contains(&run_id) {
                return Ok(Vec::new());
            }
            if let Some(known) = batch.parents.get(&run_id) {
                above.clone_from(known);
                continue;
            }
            let record = self.runs.store.run(&run_id).await?;
            above = record.as_ref().and_then(|record| record.parent.clone());
            batch.parents.insert(run_id, above.clone());
            line.extend(
                record
                    .filter(|record| chosen::passes(&self.filter, record))
                    .map(RunRecord::listed),
            );
        }
        line.reverse();
        Ok(line)
    }
}
