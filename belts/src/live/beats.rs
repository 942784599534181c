//! Heartbeats: what an attempt of a step says of how far it is.
//!
//! The last one is kept in the step's own entry, which waits meanwhile, and so goes wherever that goes: it is there for the next
//! attempt after a crash, dropped with the step by a rerun, and refused with it in an arm that has lost its race. The record of the
//! attempt's end carries it as well, so that one more write is never needed for it.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;

use super::{
    pulse::{Heard, Pulse},
    races::Arm,
    run::LiveRun,
    state::State,
};
use crate::{
    clock::Timestamp,
    codec,
    store::{Entry, StepKind, StepState},
};

/// No step is written more often than once in this time for its heartbeats.
const PAUSE: Duration = Duration::from_secs(1);

/// The attempt whose heartbeats these are, as its entry says it.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) kind: StepKind,
    pub(crate) path: Arc<str>,
    pub(crate) seq: u32,
    pub(crate) failed_attempts: u32,
    /// How often it was undone before.
    pub(crate) times_undone: u32,
    pub(crate) started_at: Timestamp,
    pub(crate) type_name: fn() -> Arc<str>,
    pub(crate) arm: Option<Arm>,
    /// The failure of the attempt before, as an envelope.
    pub(crate) failure: Option<Arc<[u8]>>,
    /// The last heartbeat of earlier attempts.
    pub(crate) progress: Option<Arc<RawValue>>,
}

impl LiveRun {
    /// Takes a heartbeat, and returns once it is durable, or at once if it is written later.
    pub(super) async fn beat(self: &Arc<Self>, attempt: &Attempt, progress: Box<RawValue>) {
        let seq = attempt.seq;
        if !self.hear(seq, progress.into()) {
            return;
        }
        let _waiting = Waiting::new(self, seq);
        // A store that takes its time over the one before holds up the next, so that no more than these two can be lost.
        if self.is_writing(seq) {
            self.recorded_for_step().await;
        }
        if self.is_written(seq) {
            self.recorded_for_step().await;
        } else {
            self.write_beat(attempt).await;
        }
    }

    /// Takes a heartbeat; whether it is time to write it.
    fn hear(&self, seq: u32, latest: Arc<RawValue>) -> bool {
        let now = self.host.clock.now();
        let is_time = self.state().hear(seq, latest, now);
        self.beaten
            .store(true, std::sync::atomic::Ordering::Relaxed);
        is_time
    }

    fn is_writing(&self, seq: u32) -> bool {
        self.state()
            .pulse(seq)
            .is_some_and(|pulse| pulse.writes > 0)
    }

    fn is_written(&self, seq: u32) -> bool {
        self.state().pulse(seq).is_none_or(|pulse| pulse.is_written)
    }

    /// Writes what the heartbeats have left, once it is time for that.
    pub(crate) async fn write_later(self: Arc<Self>, attempt: Attempt) {
        let clock = &self.host.clock;
        let written_at = self
            .state()
            .pulse(attempt.seq)
            .and_then(|pulse| pulse.written_at);
        if let Some(written_at) = written_at {
            clock.expire_at(written_at.after(PAUSE)).await;
        }
        if self.leaves_beats(attempt.seq) {
            self.write_beat(&attempt).await;
        }
    }

    /// Whether there is a heartbeat of this step that nobody writes.
    pub(crate) fn leaves_beats(&self, seq: u32) -> bool {
        let mut state = self.state();
        let pulse = state.pulse(seq);
        pulse.is_some_and(|pulse| !pulse.is_written && pulse.writes == 0)
    }

    /// Whether any attempt has sent a heartbeat in this drive.
    pub(crate) fn has_beaten(&self) -> bool {
        self.beaten.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// When this attempt was heard of, if it was.
    pub(crate) fn heard(&self, seq: u32) -> Option<Heard> {
        if !self.has_beaten() {
            return None;
        }
        Some(self.state().pulse(seq)?.heard)
    }

    /// The last heartbeat of an attempt that is over.
    pub(crate) fn end_beats(&self, seq: u32) -> Option<Arc<RawValue>> {
        if !self.has_beaten() {
            return None;
        }
        let mut state = self.state();
        let place = state.pulses.iter().position(|pulse| pulse.seq == seq)?;
        Some(state.pulses.swap_remove(place).latest)
    }

    async fn write_beat(self: &Arc<Self>, attempt: &Attempt) {
        let now = self.host.clock.now();
        let Some(entry) = self.state().begin_beat(attempt, now) else {
            return;
        };
        let _writing = Writing(self, attempt.seq);
        if self
            .record_in(attempt.arm.as_ref(), entry, false, false)
            .is_none()
        {
            return std::future::pending().await;
        }
        self.recorded_for_step().await;
    }
}

impl State {
    fn pulse(&mut self, seq: u32) -> Option<&mut Pulse> {
        self.pulses.iter_mut().find(|pulse| pulse.seq == seq)
    }

    /// Whether it is time to write the heartbeat.
    fn hear(&mut self, seq: u32, latest: Arc<RawValue>, now: Timestamp) -> bool {
        let Some(pulse) = self.pulse(seq) else {
            self.pulses.push(Pulse {
                seq,
                latest,
                heard: Heard {
                    times: 1,
                    at: now,
                    waiting: 0,
                },
                written_at: None,
                is_written: false,
                writes: 0,
            });
            return true;
        };
        pulse.latest = latest;
        pulse.heard.at = now;
        pulse.heard.times += 1;
        pulse.is_written = false;
        pulse
            .written_at
            .is_none_or(|at| now < at || now.since(at) >= PAUSE)
    }

    fn begin_beat(&mut self, attempt: &Attempt, now: Timestamp) -> Option<Entry> {
        let pulse = self.pulse(attempt.seq)?;
        pulse.written_at = Some(now);
        pulse.is_written = true;
        pulse.writes += 1;
        let value = codec::with_progress(attempt.failure.as_deref(), &pulse.latest);
        self.replaceable.insert(attempt.seq);
        let entry = Entry::new(
            attempt.seq,
            Arc::clone(&attempt.path),
            attempt.kind,
            StepState::Waiting,
            attempt.started_at,
        );
        let entry = entry.with_attempts(attempt.failed_attempts);
        Some(entry.with_value((attempt.type_name)(), value))
    }
}

/// A write of a heartbeat that is under way.
struct Writing<'a>(&'a LiveRun, u32);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if let Some(pulse) = self.0.state().pulse(self.1) {
            // The pulse may be that of a later attempt, if the heartbeat has outlived its own.
            pulse.writes = pulse.writes.saturating_sub(1);
        }
    }
}

/// A heartbeat that waits for the store. Meanwhile its step is not silent.
struct Waiting<'a>(&'a LiveRun, u32);

impl<'a> Waiting<'a> {
    fn new(run: &'a LiveRun, seq: u32) -> Self {
        if let Some(pulse) = run.state().pulse(seq) {
            pulse.heard.waiting += 1;
        }
        Self(run, seq)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let now = self.0.host.clock.now();
        if let Some(Pulse { heard, .. }) = self.0.state().pulse(self.1) {
            heard.waiting = heard.waiting.saturating_sub(1);
            heard.at = now;
            heard.times += 1;
        }
    }
}
