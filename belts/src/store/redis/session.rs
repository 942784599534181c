//! Workers' sessions in Redis: who is there, until when, and what they subscribe to.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    Redis,
    limits::limits,
    link::Link,
    reply::{self, Row},
    rows::lease_text,
    script::{self, Call},
};
use crate::{
    error::{Error, Result},
    store::{Awaits, Lease, Register, Release, Subscription, Timestamp, WorkerId, parts::new_id},
};

/// Sessions are forgotten this long after their lease time has ended.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest lease that is kept as it was said; Redis counts no keys down from further away.
const LONGEST_LEASE: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// The most leases that one call looks at: others wait meanwhile.
const REVOKED_BATCH: usize = 1_000;

impl Redis {
    pub(super) async fn begin_session(&self, request: &Register) -> Result<WorkerId> {
        // After the loss of all data, or of the last writes, ids that workers still hold must not come again.
        let (first_id, step) = (fastrand::u64(1 << 32..1 << 40), fastrand::u32(1..1 << 20));
        let ticket = new_id();
        let (wanted, awaits) = (request.wanted(), awaits(&request.awaits));
        let (wants, limits) = (wants(&wanted), limits(request));
        let answer = self.run_to_end(&self.inner.link, |_| {
            let mut call = self.call(&script::REGISTER);
            call.arg(request.now.as_millis()).arg(&self.inner.sender);
            add_lease(&mut call, request.now, request.lease);
            call.arg(first_id)
                .arg(step)
                .arg(&*ticket)
                .optional(request.name.as_deref())
                .arg(request.now.before(FORGET_AFTER).as_millis())
                .arg(&wants)
                .arg(&awaits)
                .arg(&limits)
                .arg(request.build.as_deref().unwrap_or_default());
            for subscription in &wanted {
                let is_handled = request.handles_cancels_of(&subscription.function_id);
                call.arg(&*subscription.function_id)
                    .arg(if is_handled { "1" } else { "" });
            }
            call
        });
        let id = reply::number(&answer.await?);
        self.wake();
        Ok(WorkerId(self.read(id)?))
    }

    pub(super) async fn end_session(&self, worker: WorkerId, now: Timestamp) -> Result<()> {
        self.run_to_end(&self.inner.link, |_| {
            let mut call = self.call(&script::DEREGISTER);
            call.arg(now.as_millis())
                .arg(&self.inner.sender)
                .arg(worker.0);
            call
        })
        .await?;
        self.wake();
        Ok(())
    }

    pub(super) async fn renew_lease(
        &self,
        worker: WorkerId,
        now: Timestamp,
        lease: Duration,
    ) -> Result<()> {
        let answer = self.run_to_end(&self.inner.lease_link, |_| {
            let mut call = self.call(&script::RENEW);
            call.arg(now.as_millis()).arg(worker.0);
            add_lease(&mut call, now, lease);
            call
        });
        match &*answer.await? {
            b"unknown" => Err(Error::unknown_session(worker)),
            _ => Ok(()),
        }
    }

    pub(super) async fn revoked_of(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        let mut revoked = Vec::new();
        for leases in leases.chunks(REVOKED_BATCH) {
            let answer = self.run_on(&self.inner.lease_link, |_| {
                let mut call = self.call(&script::REVOKED);
                for lease in leases {
                    call.arg(lease.run).arg(lease_text(lease));
                }
                call
            });
            let stand = self.read(reply::raw(answer.await?))?;
            let ended = leases.iter().zip(stand).filter(|(_, digit)| *digit != b'1');
            revoked.extend(ended.map(|(lease, _)| *lease));
        }
        Ok(revoked)
    }

    pub(super) async fn give_back(&self, request: &Release) -> Result<usize> {
        loop {
            // The same however often it is sent, so that a copy that comes late does nothing.
            let round = self.round();
            let answer = self.run(|_| {
                let mut call = self.call(&script::GIVE_BACK);
                call.arg(request.now.as_millis())
                    .arg(&self.inner.sender)
                    .arg(request.worker.0)
                    .arg(round)
                    .arg(request.keep.len());
                for lease in &request.keep {
                    call.arg(lease.run).arg(lease_text(lease));
                }
                call
            });
            let (given_back, round, is_done) = self.read(given_back(answer.await?))?;
            self.join_round(round);
            if given_back > 0 {
                self.wake();
            }
            if is_done {
                return Ok(given_back);
            }
        }
    }

    /// The round in which claims are sent.
    pub(super) fn round(&self) -> u64 {
        self.inner.round.load(Ordering::Acquire)
    }

    pub(super) fn join_round(&self, round: u64) {
        self.inner.round.fetch_max(round, Ordering::AcqRel);
    }

    pub(super) async fn read_subscriptions(&self) -> Result<Vec<Subscription>> {
        let answer = self.run(|_| self.call(&script::SUBSCRIPTIONS)).await?;
        self.read(subscriptions(answer))
    }

    pub(super) async fn read_awaited(&self) -> Result<Vec<Arc<str>>> {
        let answer = self.run(|_| self.call(&script::AWAITED)).await?;
        self.read(awaited(answer))
    }

    /// Runs a script that may release many runs, a part of them at each call.
    async fn run_to_end(
        &self,
        link: &Link,
        build: impl Fn(bool) -> Call + Send + Sync,
    ) -> Result<Vec<u8>> {
        loop {
            let answer = reply::raw(self.run_on(link, &build).await?);
            let word = self.read(answer)?;
            if word != b"again" {
                return Ok(word);
            }
        }
    }
}

/// The end of a lease, its length, and how long the session is remembered, in milliseconds.
fn add_lease(call: &mut Call, now: Timestamp, lease: Duration) {
    let millis = |duration| Timestamp::from_millis(0).after(duration).as_millis();
    let lease = lease.min(LONGEST_LEASE);
    call.arg(now.after(lease).as_millis())
        .arg(millis(lease))
        .arg(millis(lease + FORGET_AFTER));
}

/// What a session wants, as JSON: the event types of each function.
fn wants(subscriptions: &[Subscription]) -> String {
    let all = subscriptions.iter();
    types_by_function(all.map(|wanted| (&*wanted.function_id, &*wanted.event_types)))
}

/// What runs of its functions may wait for, in the same form.
fn awaits(awaits: &[Awaits]) -> String {
    let all = awaits.iter();
    types_by_function(all.map(|awaits| (&*awaits.function_id, &*awaits.event_types)))
}

fn types_by_function<'a>(all: impl Iterator<Item = (&'a str, &'a [Arc<str>])>) -> String {
    let mut functions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (function, event_types) in all {
        let types = functions.entry(function).or_default();
        types.extend(event_types.iter().map(|known| &**known));
    }
    serde_json::to_string(&functions).expect("texts can be written as JSON")
}

/// How many runs were given back, the round that began with it, and whether that was done.
fn given_back(answer: redis::Value) -> Result<(usize, u64, bool), super::Fault> {
    let mut row = Row::of(answer)?;
    let count = reply::count(&row.value())?;
    Ok((count, row.number()?, reply::count(&row.value())? == 1))
}

fn awaited(answer: redis::Value) -> Result<Vec<Arc<str>>, super::Fault> {
    let mut row = Row::of(answer)?;
    let mut types = Vec::new();
    while !row.is_empty() {
        types.push(row.text()?);
    }
    types.sort_unstable();
    Ok(types)
}

fn subscriptions(answer: redis::Value) -> Result<Vec<Subscription>, super::Fault> {
    let mut row = Row::of(answer)?;
    let mut all = Vec::new();
    while !row.is_empty() {
        let function_id = row.text()?;
        let mut types = row.row()?;
        let mut event_types = Vec::new();
        while !types.is_empty() {
            event_types.push(types.text()?);
        }
        event_types.sort_unstable();
        all.push(Subscription::new(function_id, event_types));
    }
    all.sort_unstable_by(|a, b| a.function_id.cmp(&b.function_id));
    Ok(all)
}
