//! Workers' sessions in memory: who is there, until when, and what they subscribe to.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use super::tables::{SessionRow, Tables, Wants};
use crate::{
    error::{Error, Result},
    store::{Register, Release, RunStatus, Timestamp, WorkerId, parts::is_late_renewal},
};

/// A session is forgotten this long after its lease time has ended.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

impl Tables {
    pub(super) fn register(&mut self, request: Register) -> (WorkerId, bool) {
        let mut wakes = false;
        if let Some(name) = &request.name {
            let same: Vec<WorkerId> = self
                .sessions
                .iter()
                .filter(|(_, session)| session.name.as_ref() == Some(name))
                .map(|(worker, _)| *worker)
                .collect();
            for worker in same {
                wakes |= self.replace_session(worker, request.now);
            }
        }
        let forgotten = request.now.before(FORGET_AFTER);
        let silent = self
            .sessions
            .iter()
            .filter(|(_, session)| session.lease_until < forgotten);
        let silent: Vec<WorkerId> = silent.map(|(worker, _)| *worker).collect();
        for worker in silent {
            wakes |= self.replace_session(worker, request.now);
        }
        let subscriptions = request.wanted();
        for subscription in &subscriptions {
            self.function(&subscription.function_id);
        }
        self.limit(&request);
        self.handle_cancels(&request);
        self.last_session += 1;
        let worker = WorkerId(self.last_session);
        let session = SessionRow {
            name: request.name,
            lease_until: request.now.after(request.lease),
            lease: request.lease,
            build: request.build,
            runs: BTreeSet::new(),
            wants: Wants {
                subscriptions: subscriptions.into(),
                awaits: request.awaits.into(),
            },
        };
        self.sessions.insert(worker, session);
        self.hear_of(request.now);
        self.settle_wants(request.now);
        (worker, wakes)
    }

    /// Ends a session that takes its leave; whether that made runs due.
    pub(super) fn end_session(&mut self, worker: WorkerId, now: Timestamp) -> bool {
        let made_due = self.release_runs(worker, |tables, run| {
            tables.enqueue(run, RunStatus::Suspended, now);
        });
        self.drop_session(worker, now);
        made_due
    }

    /// Ends a session whose name another takes, since its process has died, or that is silent; whether that made runs due.
    pub(super) fn replace_session(&mut self, worker: WorkerId, now: Timestamp) -> bool {
        let made_due = self.release_runs(worker, |tables, run| tables.crash(run, now));
        self.drop_session(worker, now);
        made_due
    }

    fn drop_session(&mut self, worker: WorkerId, now: Timestamp) {
        if let Some(session) = self.sessions.remove(&worker) {
            if !session.wants.subscriptions.is_empty() {
                self.ended.push(session.wants);
            }
            self.settle_wants(now);
        }
    }

    pub(super) fn renew(
        &mut self,
        worker: WorkerId,
        now: Timestamp,
        lease: Duration,
    ) -> Result<()> {
        self.revive(worker, now)?;
        if let Some(session) = self.sessions.get_mut(&worker)
            && !is_late_renewal(now, session.lease_until, session.lease)
        {
            session.lease = lease;
            session.lease_until = now.after(lease);
        }
        Ok(())
    }

    /// Makes sure that a session lives, with the runs that nobody has taken from it.
    pub(super) fn revive(&mut self, worker: WorkerId, now: Timestamp) -> Result<(), Error> {
        self.hear_of(now);
        let session = self
            .sessions
            .get_mut(&worker)
            .ok_or_else(|| Error::unknown_session(worker))?;
        if session.lease_until <= now {
            session.lease_until = now.after(session.lease);
        }
        Ok(())
    }

    /// Takes note of a worker's clock. If it was set back, what was due stays due.
    pub(super) fn hear_of(&mut self, now: Timestamp) {
        let seen = self.seen.replace(now);
        let Some(seen) = seen.filter(|seen| *seen > now) else {
            return;
        };
        self.show_due(seen, now);
        let was_due: Vec<i64> = self
            .runs
            .iter()
            .filter(|(_, run)| {
                run.due_at
                    .is_some_and(|due_at| now < due_at && due_at <= seen)
            })
            .map(|(number, _)| *number)
            .collect();
        for number in was_due {
            let status = self.runs[&number].status;
            self.enqueue(number, status, now);
        }
    }

    /// Makes the runs of a session due, but for those that it keeps.
    pub(super) fn release(&mut self, request: &Release) -> usize {
        let Some(session) = self.sessions.get(&request.worker) else {
            return 0;
        };
        let kept: HashSet<(i64, i64)> = request
            .keep
            .iter()
            .map(|lease| (lease.run, lease.token))
            .collect();
        let given_back: Vec<i64> = session
            .runs
            .iter()
            .copied()
            .filter(|run| !kept.contains(&(*run, self.runs[run].token)))
            .collect();
        for run in &given_back {
            self.enqueue(*run, RunStatus::Suspended, request.now);
        }
        given_back.len()
    }

    /// Makes the runs of all sessions due whose time has ended.
    pub(super) fn release_expired(&mut self, now: Timestamp) {
        let ended: Vec<(WorkerId, Timestamp)> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.lease_until <= now && !session.runs.is_empty())
            .map(|(worker, session)| (*worker, session.lease_until))
            .collect();
        for (worker, lease_until) in ended {
            self.release_runs(worker, |tables, run| tables.crash(run, lease_until));
        }
    }

    pub(super) fn is_alive(&self, worker: WorkerId, now: Timestamp) -> bool {
        self.sessions
            .get(&worker)
            .is_some_and(|session| now < session.lease_until)
    }

    fn release_runs(&mut self, worker: WorkerId, release: impl Fn(&mut Self, i64)) -> bool {
        let runs = self
            .sessions
            .get_mut(&worker)
            .map(|session| std::mem::take(&mut session.runs))
            .unwrap_or_default();
        for run in &runs {
            release(self, *run);
        }
        !runs.is_empty()
    }
}
