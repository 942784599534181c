//! What a store keeps of a schedule: its plan, how far it has come, and what happened to its last ticks.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::spec::{Overlap, Schedule};
use crate::{
    clock::Timestamp,
    codec::sealed,
    error::{Error, ErrorKind, Result},
};

/// The version of what is written.
const VERSION: u32 = 1;

/// How many ticks are made up for, or wait for the end of a run.
pub(super) const MOST: usize = 100;

/// How many ticks that started nothing are kept with the reason.
const TOLD: usize = 20;

/// A schedule as a store keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    v: u32,
    pub(crate) schedule: Schedule,
    /// Whether the attribute of the function has it, so that its newest registration decides about it.
    pub(crate) in_code: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paused_at: Option<Timestamp>,
    /// Ticks up to here are dealt with.
    pub(crate) taken: Timestamp,
    /// The next tick, without its jitter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<Timestamp>,
    /// The time at which it was last written.
    pub(crate) seen: Timestamp,
    /// Ticks whose runs start when the last one has ended.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(crate) queue: VecDeque<Queued>,
    /// Ticks that were missed and of which no run was told yet.
    #[serde(default)]
    pub(crate) untold: u32,
    /// The last tick that started a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<LastTick>,
    /// The moment of the last run, of a tick or [triggered](crate::Schedules::trigger_now): the next one begins there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) covered: Option<Timestamp>,
    /// The run that gave way to that of the last tick, and may have to be cancelled still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gives_way: Option<Arc<str>>,
    #[serde(default)]
    pub(crate) counts: Counts,
    /// Those that started nothing, the newest last.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(crate) skips: VecDeque<SkippedTick>,
}

/// A tick that waits for the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Queued {
    pub(crate) scheduled_at: Timestamp,
    pub(crate) missed: u32,
}

/// A tick that started a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LastTick {
    /// The moment for which it was planned.
    pub scheduled_at: Timestamp,
    /// The run that it started.
    pub run_id: Arc<str>,
    /// When it started it.
    pub started_at: Timestamp,
}

/// What became of ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Counts {
    /// So many started runs.
    pub started: u64,
    /// So many were missed and started none.
    pub missed: u64,
    /// So many started none, since the run of the last one went on.
    pub skipped: u64,
}

/// A tick that started no run, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SkippedTick {
    /// The moment for which it was planned.
    pub scheduled_at: Timestamp,
    /// When it was passed over.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Kept {
    /// A schedule whose ticks count from now.
    pub(crate) fn new(
        schedule: Schedule,
        in_code: bool,
        data: Option<Box<RawValue>>,
        now: Timestamp,
    ) -> Self {
        Self {
            v: VERSION,
            schedule,
            in_code,
            data,
            paused_at: None,
            taken: now,
            next: None,
            seen: now,
            queue: VecDeque::new(),
            untold: 0,
            last: None,
            covered: None,
            gives_way: None,
            counts: Counts::default(),
            skips: VecDeque::new(),
        }
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        if let Some(key) = sealed::key_of(value) {
            return Err(sealed::error(key));
        }
        let wrong = |error| {
            Error::new(ErrorKind::Store, "a schedule in the store cannot be read")
                .with_source(error)
        };
        let Version { v } = serde_json::from_slice(value).map_err(wrong)?;
        if v > VERSION {
            let text = format!(
                "a schedule in the store has version {v}, and this belts knows {VERSION}; upgrade belts"
            );
            return Err(Error::new(ErrorKind::Store, text));
        }
        serde_json::from_slice(value).map_err(wrong)
    }

    pub(crate) fn write(&self) -> Arc<[u8]> {
        let value = serde_json::to_vec(self);
        value
            .expect("texts, numbers and JSON can be written as JSON")
            .into()
    }

    /// Whether it matters if the run of the last tick goes on.
    pub(crate) fn heeds_the_last(&self) -> bool {
        self.schedule.overlap != Overlap::Allow || !self.queue.is_empty()
    }

    /// Notes that a run is for this moment; the one up to which those before it were.
    pub(crate) fn cover(&mut self, moment: Timestamp) -> Option<Timestamp> {
        let before = self.covered;
        self.covered = before.max(Some(moment));
        // A tick that has waited may be earlier than one that was triggered, which has done its part.
        before.map(|before| before.min(moment))
    }

    /// Has a tick wait for the end of a run; how many had to give way to it.
    pub(super) fn queue(&mut self, tick: Queued, now: Timestamp) -> u32 {
        self.queue.push_back(tick);
        if self.queue.len() <= MOST {
            return 0;
        }
        if let Some(dropped) = self.queue.pop_front() {
            let reason = format!("overlap: more than {MOST} ticks wait for the runs before them");
            self.pass_over(dropped.scheduled_at, now, reason);
            if let Some(first) = self.queue.front_mut() {
                first.missed = first.missed.saturating_add(dropped.missed);
            }
        }
        1
    }

    /// Keeps why a tick started no run.
    pub(super) fn pass_over(&mut self, scheduled_at: Timestamp, at: Timestamp, reason: String) {
        if self.skips.len() == TOLD {
            self.skips.pop_front();
        }
        self.skips.push_back(SkippedTick {
            scheduled_at,
            at,
            reason,
        });
    }
}
