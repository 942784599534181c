//! Workers' sessions in memory: who is there, until when, and what they subscribe to.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use super::tables::{Session, Tables};
use crate::{
    error::{Error, Result},
    store::{Register, Release, RunStatus, Subscription, Timestamp, WorkerId, unknown_session},
};

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
                wakes |= self.end_session(worker, request.now);
            }
        }
        for subscription in &request.subscriptions {
            let function = self.function(&subscription.function_id);
            self.functions[function].event_types =
                subscription.event_types.iter().cloned().collect();
        }
        self.index_subscribers();
        self.last_session += 1;
        let worker = WorkerId(self.last_session);
        let session = Session {
            name: request.name,
            lease_until: request.now.after(request.lease),
            lease: request.lease,
            runs: BTreeSet::new(),
        };
        self.sessions.insert(worker, session);
        (worker, wakes)
    }

    /// Ends a session; whether that made runs due.
    pub(super) fn end_session(&mut self, worker: WorkerId, now: Timestamp) -> bool {
        let made_due = self.release_runs(worker, now);
        self.sessions.remove(&worker);
        made_due
    }

    pub(super) fn renew(
        &mut self,
        worker: WorkerId,
        now: Timestamp,
        lease: Duration,
    ) -> Result<()> {
        self.revive(worker, now)?;
        if let Some(session) = self.sessions.get_mut(&worker) {
            session.lease = lease;
            session.lease_until = now.after(lease);
        }
        Ok(())
    }

    /// Makes sure that a session lives. One whose time had ended begins anew, without the runs that it had.
    pub(super) fn revive(&mut self, worker: WorkerId, now: Timestamp) -> Result<(), Error> {
        let session = self
            .sessions
            .get(&worker)
            .ok_or_else(|| unknown_session(worker))?;
        if session.lease_until <= now {
            let lease_until = now.after(session.lease);
            self.release_runs(worker, session.lease_until);
            if let Some(session) = self.sessions.get_mut(&worker) {
                session.lease_until = lease_until;
            }
        }
        Ok(())
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
            self.release_runs(worker, lease_until);
        }
    }

    pub(super) fn subscriptions(&self) -> Vec<Subscription> {
        let mut all: Vec<Subscription> = self
            .functions
            .iter()
            .filter(|function| !function.event_types.is_empty())
            .map(|function| Subscription {
                function_id: Arc::clone(&function.id),
                event_types: function.event_types.iter().cloned().collect(),
            })
            .collect();
        all.sort_by(|a, b| a.function_id.cmp(&b.function_id));
        all
    }

    pub(super) fn is_alive(&self, worker: WorkerId, now: Timestamp) -> bool {
        self.sessions
            .get(&worker)
            .is_some_and(|session| now < session.lease_until)
    }

    fn release_runs(&mut self, worker: WorkerId, due_at: Timestamp) -> bool {
        let runs = self
            .sessions
            .get_mut(&worker)
            .map(|session| std::mem::take(&mut session.runs))
            .unwrap_or_default();
        for run in &runs {
            self.enqueue(*run, RunStatus::Suspended, due_at);
        }
        !runs.is_empty()
    }

    fn index_subscribers(&mut self) {
        let mut functions: Vec<usize> = (0..self.functions.len()).collect();
        functions.sort_by(|a, b| self.functions[*a].id.cmp(&self.functions[*b].id));
        let mut subscribers: std::collections::HashMap<Arc<str>, Vec<usize>> =
            std::collections::HashMap::new();
        for function in functions {
            for event_type in &self.functions[function].event_types {
                subscribers
                    .entry(Arc::clone(event_type))
                    .or_default()
                    .push(function);
            }
        }
        self.subscribers = subscribers
            .into_iter()
            .map(|(event_type, list)| (event_type, list.into()))
            .collect();
    }
}
