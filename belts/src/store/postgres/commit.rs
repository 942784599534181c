//! Fenced writes of workers: which commits go to the server together, and which must not.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use super::{
    arrays::{self, Form},
    batched::Placed,
    connections::Loan,
    database::Database,
    error::Fault,
    queue::{Batch, MAX_STATEMENT, MAX_VALUE, fitting},
    sql::Parameters,
    tags::has_tags,
};
use crate::store::{Commit, CommitBatch, CommitOutcome, Lease, Transition};

/// Writes commits for the queue.
pub(super) struct Commits(pub(super) Arc<Database>);

/// The leases under which a batch writes, and whether it ends them.
#[derive(Debug, Default)]
pub(super) struct Leases(HashMap<i64, (Lease, bool)>);

impl Leases {
    /// Adds a commit, unless one before it ends the run's lease or has another.
    fn add(&mut self, commit: &Commit) -> bool {
        let state = (commit.lease, commit.transition.is_some());
        match self.0.entry(commit.lease.run) {
            hash_map::Entry::Vacant(new) => {
                new.insert(state);
                true
            }
            hash_map::Entry::Occupied(mut known) => {
                let follows = *known.get() == (commit.lease, false);
                if follows {
                    known.insert(state);
                }
                follows
            }
        }
    }
}

impl Batch for Commits {
    type Write = CommitBatch;
    type Answer = Vec<CommitOutcome>;
    type Touched = Leases;

    fn joins(write: &CommitBatch, touched: &mut Leases) -> bool {
        if let [commit] = &*write.commits {
            return touched.add(commit);
        }
        // It may be at odds with itself, so nothing is joined half-way.
        let joins = touched.0.is_empty();
        if joins {
            for commit in &write.commits {
                touched.add(commit);
            }
        }
        joins
    }

    fn size(write: &CommitBatch) -> usize {
        write.commits.iter().map(arrays::size).sum()
    }

    async fn write(&self, writes: &[CommitBatch]) -> Result<Vec<Vec<CommitOutcome>>, Fault> {
        let commits = || {
            let each = writes.iter().map(|batch| (&batch.commits, batch.now));
            each.flat_map(|(commits, now)| commits.iter().map(move |commit| (commit, now)))
        };
        if commits().any(|(commit, _)| arrays::largest(commit) > MAX_VALUE) {
            return Err(Fault::TooLarge);
        }
        let parts: Vec<Vec<Commit>> = commits().map(|(commit, _)| parts(commit)).collect();
        let mut placed: Vec<Placed<'_>> = Vec::with_capacity(parts.len());
        for (index, ((commit, now), parts)) in commits().zip(&parts).enumerate() {
            // The last part speaks for all.
            let before = parts.iter().map(|commit| (PART, commit));
            let last = std::iter::once((index, parts.last().unwrap_or(commit)));
            let before = before.take(parts.len().saturating_sub(1));
            placed.extend(
                before
                    .chain(last)
                    .map(|(index, commit)| Placed { index, commit, now }),
            );
        }
        // Everybody locks runs in this order, so that nobody waits in a circle.
        placed.sort_by_key(|placed| placed.commit.lease.run);
        let commit = async |resent| {
            let (lost, told) = self.0.commit(&placed, resent).await?;
            // What the first time has told is known to nobody.
            Ok((lost, told || resent))
        };
        let (lost, told) = self.0.insist(commit).await?;
        if let Some(now) = placed.iter().map(|placed| placed.now).max() {
            self.0.show_ends(told, now).await;
        }
        let mut outcomes = vec![CommitOutcome::Applied; parts.len()];
        for index in lost.into_iter().filter(|index| *index != PART) {
            outcomes[index] = CommitOutcome::LeaseLost;
        }
        let left_due = placed.iter().any(|placed| {
            (placed.leaves_due() || !placed.commit.starts.is_empty())
                && outcomes.get(placed.index) == Some(&CommitOutcome::Applied)
        });
        self.0.wake_if(left_due);
        let mut outcomes = outcomes.into_iter();
        Ok(writes
            .iter()
            .map(|batch| outcomes.by_ref().take(batch.commits.len()).collect())
            .collect())
    }
}

/// The place of what is only a part of a commit.
const PART: usize = usize::MAX;

/// Cuts a commit that is too big for one statement. They go in one transaction, the end of the lease with the last; a commit
/// that fits has no parts. Of one that removes its run nothing else is sent.
fn parts(commit: &Commit) -> Vec<Commit> {
    let fits =
        arrays::size(commit) <= MAX_STATEMENT || commit.entries.len() + commit.starts.len() < 2;
    if fits || commit.transition == Some(Transition::Skip) {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let mut rest = &*commit.entries;
    while !rest.is_empty() {
        let (part, later) = rest.split_at(fitting(rest, |entry| entry.value.len()));
        parts.push(Commit::new(commit.lease).with_entries(part.to_vec()));
        rest = later;
    }
    let mut rest = &*commit.starts;
    while !rest.is_empty() {
        let (part, later) = rest.split_at(fitting(rest, arrays::start_size));
        parts.push(Commit::new(commit.lease).with_starts(part.to_vec()));
        rest = later;
    }
    if let Some(last) = parts.last_mut() {
        last.watches.clone_from(&commit.watches);
        last.cancels.clone_from(&commit.cancels);
        last.tags.clone_from(&commit.tags);
        last.transition.clone_from(&commit.transition);
    }
    parts
}

impl Database {
    /// Writes commits in one transaction; answers with the indices of those whose lease was lost, and whether ends were told.
    async fn commit(
        &self,
        commits: &[Placed<'_>],
        resent: bool,
    ) -> Result<(Vec<usize>, bool), Fault> {
        if commits.is_empty() {
            return Ok((Vec::new(), false));
        }
        let rounds = rounds(commits);
        let has_tags = has_tags(commits);
        let mut loan = self.lend().await?;
        if let [step] = commits
            && !resent
            && !has_tags
            && Form::of(commits) == Form::Plain
            && self.commit_step(&mut loan, step).await?
        {
            return loan.keep(Ok((Vec::new(), false)));
        }
        if let [round] = &*rounds
            && !has_tags
        {
            let done = self.commit_round(&mut loan, round, resent).await;
            return loan.keep(done);
        }
        // What fails in here takes the connection with it, and so the transaction.
        loan.run("BEGIN").await?;
        let (mut lost, mut told) = (Vec::new(), false);
        for round in &rounds {
            let (of_round, so_far) = self.commit_round(&mut loan, round, resent).await?;
            lost.extend(of_round);
            told = so_far;
        }
        if has_tags {
            self.add_tags(&mut loan, commits, &lost).await?;
        }
        loan.run("COMMIT").await?;
        loan.keep(Ok((lost, told)))
    }

    /// Writes what is no more than a new step; whether it was that.
    async fn commit_step(&self, loan: &mut Loan<'_>, placed: &Placed<'_>) -> Result<bool, Fault> {
        let Commit {
            lease,
            entries,
            transition: None,
            ..
        } = placed.commit
        else {
            return Ok(false);
        };
        let [entry] = &**entries else {
            return Ok(false);
        };
        let written = loan
            .rows(&self.sql.step, arrays::bind_step(*lease, entry))
            .await?;
        Ok(!written.is_empty())
    }

    async fn commit_round(
        &self,
        loan: &mut Loan<'_>,
        round: &[Placed<'_>],
        resent: bool,
    ) -> Result<(Vec<usize>, bool), Fault> {
        let parameters = Parameters::default().bind(&self.store).bind(resent);
        let form = Form::of(round);
        let parameters = arrays::bind(parameters, round, form)?;
        let statement = match form {
            Form::Plain => &self.sql.commit,
            Form::Waits => &self.sql.commit_waits,
            Form::Others => &self.sql.commit_others,
        };
        let (lost, told): (Option<Vec<i32>>, bool) = loan.row(statement, parameters).await?;
        let indices = lost.unwrap_or_default().into_iter().map(|place| {
            // Postgres counts from 1.
            let index = usize::try_from(place - 1).ok().and_then(|at| round.get(at));
            index
                .map(|lost| lost.index)
                .ok_or(Fault::Row("place of a commit"))
        });
        Ok((indices.collect::<Result<_, _>>()?, told))
    }
}

/// Cuts the commits where one must see what an earlier one has changed, and where they are too much for one statement.
fn rounds<'a, 'c>(commits: &'a [Placed<'c>]) -> Vec<&'a [Placed<'c>]> {
    if commits.len() == 1 {
        return vec![commits];
    }
    let mut rounds = Vec::new();
    let mut rest = commits;
    while !rest.is_empty() {
        let mut leases = Leases::default();
        let most = fitting(rest, |placed| arrays::size(placed.commit));
        let together = rest[..most]
            .iter()
            .take_while(|placed| leases.add(placed.commit))
            .count();
        let (round, later) = rest.split_at(together);
        rounds.push(round);
        rest = later;
    }
    rounds
}
