//! Schedules as JSON, for the router and for the command line.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ScheduleRecord, shape::Time};
use crate::schedule::{Counts, Schedule};

/// A schedule, and how far it has come.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownSchedule {
    pub(crate) name: String,
    pub(crate) function_id: String,
    #[serde(flatten)]
    pub(crate) schedule: Schedule,
    /// Whether it is in the attribute of the function.
    pub(crate) in_code: bool,
    /// Whether a running worker has the function.
    pub(crate) living: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paused_at: Option<Time>,
    /// Whether that is its function's pause alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) held_by_function: bool,
    /// The next ticks, as many as were asked for.
    pub(crate) next: Vec<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<ShownLast>,
    pub(crate) queued: usize,
    pub(crate) counts: Counts,
    /// The last ticks that started nothing, and why.
    pub(crate) skips: Vec<ShownSkip>,
}

/// The last tick that started a run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownLast {
    pub(crate) scheduled_at: Time,
    pub(crate) run_id: String,
    pub(crate) started_at: Time,
}

/// A tick that started nothing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownSkip {
    pub(crate) scheduled_at: Time,
    pub(crate) reason: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownSchedules {
    pub(crate) schedules: Vec<ShownSchedule>,
    /// What to ask for as `after`, if there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// The result of changing a schedule.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangedSchedule {
    pub(crate) name: String,
    /// Whether the change was made; otherwise the schedule was like that before.
    pub(crate) changed: bool,
    /// The run that was started, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run_id: Option<String>,
}

/// What is done to a schedule of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Pause,
    Resume,
    Trigger,
    Remove,
}

impl Action {
    /// The word for it, in paths.
    #[cfg(feature = "cli")]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Trigger => "trigger",
            Self::Remove => "remove",
        }
    }

    pub(crate) async fn of(
        self,
        schedules: &super::Schedules,
        name: &str,
    ) -> crate::Result<ChangedSchedule> {
        let mut run_id = None;
        let changed = match self {
            Self::Pause => schedules.pause(name).await?,
            Self::Resume => schedules.resume(name).await?,
            Self::Remove => schedules.remove(name).await?,
            Self::Trigger => {
                run_id = Some(schedules.trigger_now(name).await?);
                true
            }
        };
        Ok(ChangedSchedule {
            name: name.to_owned(),
            changed,
            run_id,
        })
    }
}

/// A schedule to be put.
#[derive(Debug, Clone)]
pub(crate) struct PutSchedule {
    pub(crate) name: String,
    pub(crate) function_id: String,
    pub(crate) schedule: Schedule,
    pub(crate) data: Option<Box<RawValue>>,
}

impl PutSchedule {
    pub(crate) async fn put(self, schedules: &super::Schedules) -> crate::Result<ChangedSchedule> {
        let name = self.name.clone();
        schedules
            .put_json(
                self.name.into(),
                self.function_id.into(),
                self.schedule,
                self.data,
            )
            .await?;
        Ok(ChangedSchedule {
            name,
            changed: true,
            run_id: None,
        })
    }
}

impl ShownSchedule {
    /// With so many of its next ticks; none where this program cannot follow it.
    pub(crate) fn of(record: &ScheduleRecord, count: usize) -> Self {
        let next = record.next(count).unwrap_or_default();
        Self {
            name: record.name.to_string(),
            function_id: record.function_id.to_string(),
            schedule: record.schedule.clone(),
            in_code: record.in_code,
            living: record.living,
            paused_at: record.paused_at.map(Time),
            held_by_function: record.is_held_by_function,
            next: next.into_iter().map(Time).collect(),
            last: record.last.as_ref().map(|last| ShownLast {
                scheduled_at: Time(last.scheduled_at),
                run_id: last.run_id.to_string(),
                started_at: Time(last.started_at),
            }),
            queued: record.queued,
            counts: record.counts,
            skips: record
                .skips
                .iter()
                .map(|skip| ShownSkip {
                    scheduled_at: Time(skip.scheduled_at),
                    reason: skip.reason.clone(),
                })
                .collect(),
        }
    }
}
