//! Why a run waits, or was skipped, by its function's flow options.

use std::{fmt, sync::Arc};

use super::{Routing, Skipped, SkippedBy};
use crate::clock::Timestamp;

/// What flow options have made of a run, as stores keep it.
///
/// ```
/// use belts::{Timestamp, store::{Mark, Skipped, SkippedBy}};
/// let skipped = Mark::Skipped(Skipped::new(SkippedBy::Idempotent).with_run(Some("r-1".into())));
/// assert_eq!(skipped.to_string(), "skipped:idempotent:r-1");
/// assert_eq!(Mark::parse("skipped:idempotent:r-1"), Some(skipped.clone()));
/// assert_eq!(skipped.why(None).as_deref(), Some("skipped by idempotent: run r-1"));
/// let until = Timestamp::from_millis(0);
/// assert_eq!(Mark::Throttled.why(Some(until)).as_deref(), Some("throttled until 1970-01-01T00:00:00Z"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark {
    /// It goes on as soon as there is room.
    Starts,
    /// It waits for its turn by `throttle`.
    Throttled,
    /// Its event is delayed.
    Delayed,
    /// It waits for the last event by `debounce`.
    Debounced,
    /// It collects events by `batch`.
    Batched,
    /// It waits for the end of another run by `singleton`.
    Queues,
    /// It was skipped.
    Skipped(Skipped),
}

impl Mark {
    /// How far flow options have been applied.
    pub const fn routing(&self) -> Routing {
        match self {
            Self::Starts | Self::Throttled | Self::Skipped(_) => Routing::Done,
            Self::Delayed | Self::Debounced | Self::Batched | Self::Queues => Routing::Held,
        }
    }

    /// Reads a mark; `None` for one of a later version.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "starts" => Self::Starts,
            "throttled" => Self::Throttled,
            "delayed" => Self::Delayed,
            "debounced" => Self::Debounced,
            "batched" => Self::Batched,
            "queues" => Self::Queues,
            other => {
                let mut parts = other.strip_prefix("skipped:")?.splitn(2, ':');
                let by = SkippedBy::named(parts.next()?)?;
                Self::Skipped(Skipped::new(by).with_run(parts.next().map(Arc::from)))
            }
        })
    }

    /// How far flow options have been applied to a run with this mark, as a store keeps it.
    pub fn routing_of(text: Option<&str>) -> Routing {
        match text {
            None => Routing::Not,
            Some(text) => Self::parse(text).map_or(Routing::Done, |mark| mark.routing()),
        }
    }

    /// Why the run is not driven, or was not, where that is the doing of a flow option; it is due at `due_at`.
    pub fn why(&self, due_at: Option<Timestamp>) -> Option<String> {
        let until = |what: &str| due_at.map(|due_at| format!("{what} until {due_at}"));
        match self {
            Self::Starts | Self::Delayed => None,
            Self::Throttled => until("throttled"),
            Self::Debounced => until("debounced"),
            Self::Batched => until("collects a batch"),
            Self::Queues => Some("waits for the end of another run by singleton".to_owned()),
            Self::Skipped(Skipped { by, run_id }) => Some(match run_id {
                Some(run_id) => format!("skipped by {}: run {run_id}", by.as_str()),
                None => format!("skipped by {}", by.as_str()),
            }),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starts => "starts",
            Self::Throttled => "throttled",
            Self::Delayed => "delayed",
            Self::Debounced => "debounced",
            Self::Batched => "batched",
            Self::Queues => "queues",
            Self::Skipped(Skipped { by, run_id }) => {
                write!(f, "skipped:{}", by.as_str())?;
                return match run_id {
                    Some(run_id) => write!(f, ":{run_id}"),
                    None => Ok(()),
                };
            }
        })
    }
}
