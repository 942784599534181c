//! Workers' sessions: who is there, until when, and which functions they want.

use std::{collections::HashSet, sync::Arc, time::Duration};

use belts::{
    Error, Timestamp,
    store::{
        Register, Release, RunStatus, Subscription, WorkerId,
        parts::{SESSION_RETENTION, SessionSubscriptions, is_late_renewal, merge_subscriptions},
    },
};
use redb::ReadableTable as _;

use super::{fault::Fault, rows::Session, tables::Tables};

impl Tables<'_> {
    pub(crate) fn register(&mut self, request: Register) -> Result<WorkerId, Fault> {
        let now = request.now;
        for (worker, session) in self.sessions()? {
            // A session of the same name replaces this one: that process is dead.
            let replaced = request.name.is_some() && session.name == request.name;
            let silent = session.lease_until < now.before(SESSION_RETENTION);
            if !session.ended && (replaced || silent) {
                self.end_session(worker, now, true)?;
            }
        }
        self.limit(&request)?;
        let worker = WorkerId(self.next("sessions")?);
        let session = Session {
            name: request.name,
            lease_until: now.after(request.lease),
            lease: request.lease,
            wants: request.subscriptions,
            build: request.build,
            ended: false,
        };
        self.put_session(worker, &session)?;
        self.hear_of(now)?;
        self.drop_superseded()?;
        Ok(worker)
    }

    /// Ends a session: its runs are due. Where its process died with them, that counts as a crash of each.
    pub(crate) fn end_session(
        &mut self,
        worker: WorkerId,
        now: Timestamp,
        died: bool,
    ) -> Result<(), Fault> {
        let Some(mut session) = self.session(worker)?.filter(|session| !session.ended) else {
            return Ok(());
        };
        self.give_back(&self.held_by(worker)?, now, died)?;
        session.ended = true;
        self.put_session(worker, &session)?;
        self.drop_superseded()
    }

    /// Takes runs out of the hands of their worker.
    fn give_back(&mut self, runs: &[i64], due_at: Timestamp, died: bool) -> Result<(), Fault> {
        for number in runs {
            let Some(mut run) = self.readable_run(*number)? else {
                continue;
            };
            if died {
                let progress = self.progress(*number, &run)?;
                run.crashes = run.crashes.with_crash_at(progress);
            }
            run.wait(RunStatus::Suspended, due_at);
            self.put_run(*number, &run)?;
            self.wakes = true;
        }
        Ok(())
    }

    pub(crate) fn renew(
        &mut self,
        worker: WorkerId,
        now: Timestamp,
        lease: Duration,
    ) -> Result<(), Fault> {
        let mut session = self.revive(worker, now)?;
        if !is_late_renewal(now, session.lease_until, session.lease) {
            session.lease = lease;
            session.lease_until = now.after(lease);
        }
        self.put_session(worker, &session)
    }

    /// A session that asks for something lives: if its time had ended, it has the runs that nobody has taken.
    pub(crate) fn revive(&mut self, worker: WorkerId, now: Timestamp) -> Result<Session, Fault> {
        self.hear_of(now)?;
        let known = self.session(worker)?.filter(|session| !session.ended);
        let mut session = known.ok_or_else(|| Fault::Answer(Error::unknown_session(worker)))?;
        if session.lease_until <= now {
            session.lease_until = now.after(session.lease);
            self.put_session(worker, &session)?;
        }
        Ok(session)
    }

    /// Takes note of a worker's clock. If it was set back, what was due stays due.
    fn hear_of(&mut self, now: Timestamp) -> Result<(), Fault> {
        let seen = self.seen()?.filter(|seen| *seen > now);
        self.set_counter("seen", now.as_millis())?;
        let Some(seen) = seen else {
            return Ok(());
        };
        let mut was_due = Vec::new();
        for row in self.due.iter()? {
            let (_, _, due_at, number) = row?.0.value();
            if now.as_millis() < due_at && due_at <= seen.as_millis() {
                was_due.push(number);
            }
        }
        for number in was_due {
            if let Some(mut run) = self.readable_run(number)? {
                run.due_at = Some(now);
                self.put_run(number, &run)?;
            }
        }
        Ok(())
    }

    /// What the program of a session calls its build.
    pub(crate) fn build_of(&self, worker: WorkerId) -> Result<Option<Arc<str>>, Fault> {
        Ok(self.session(worker)?.and_then(|session| session.build))
    }

    /// The latest time at which a worker was heard of.
    pub(crate) fn seen(&self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.counter("seen")?.map(Timestamp::from_millis))
    }

    pub(crate) fn release(&mut self, request: &Release) -> Result<usize, Fault> {
        let keep = request.keep.iter();
        let kept: HashSet<(i64, i64)> = keep.map(|lease| (lease.run, lease.token)).collect();
        let mut released = Vec::new();
        for number in self.held_by(request.worker)? {
            let token = self.readable_run(number)?.map_or(0, |run| run.token);
            if !kept.contains(&(number, token)) {
                released.push(number);
            }
        }
        self.give_back(&released, request.now, false)?;
        Ok(released.len())
    }

    /// Makes the runs due of every session whose time has ended.
    pub(crate) fn release_expired(&mut self, now: Timestamp) -> Result<(), Fault> {
        for (worker, session) in self.sessions()? {
            if !session.is_alive(now) {
                self.give_back(&self.held_by(worker)?, session.lease_until, true)?;
            }
        }
        Ok(())
    }

    /// Which event types start which functions, sorted by function.
    pub(crate) fn subscriptions(&self) -> Result<Vec<Subscription>, Fault> {
        let wants = wants(&self.sessions()?);
        Ok(merge_subscriptions(&wants).subscriptions())
    }

    /// Removes ended sessions that a living one of the same program has superseded.
    pub(crate) fn drop_superseded(&mut self) -> Result<(), Fault> {
        let sessions = self.sessions()?;
        for place in merge_subscriptions(&wants(&sessions)).superseded {
            self.remove_session(sessions[place].0)?;
        }
        Ok(())
    }

    /// The functions that a living session has.
    pub(crate) fn living_functions(&self, now: Timestamp) -> Result<HashSet<Arc<str>>, Fault> {
        let sessions = self.sessions()?.into_iter();
        let living = sessions.filter(|(_, session)| session.is_alive(now));
        let wants = living.flat_map(|(_, session)| session.wants);
        Ok(wants.map(|wanted| wanted.function_id).collect())
    }
}

fn wants(sessions: &[(WorkerId, Session)]) -> Vec<SessionSubscriptions> {
    let wants = |(_, session): &(_, Session)| {
        SessionSubscriptions::new(!session.ended, session.wants.clone())
    };
    sessions.iter().map(wants).collect()
}
