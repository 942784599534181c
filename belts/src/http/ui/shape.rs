//! What the pages show, as JSON has it.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    inspect::{
        shape::{ShownFunction, ShownRun, Time},
        why::Why,
    },
    store::{EndedLately, FunctionRecord, RunStatus},
};

/// The functions, and what became of their runs lately.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    pub(super) functions: Vec<Row>,
    /// Since when ended runs are counted, if the store can tell.
    pub(super) counted_since: Option<Time>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    #[serde(flatten)]
    pub(super) function: ShownFunction,
    /// Runs that ended since then.
    pub(super) lately: Lately,
    /// Whether deliveries to this program drive it, though no loop does.
    #[serde(skip)]
    pub(super) is_here: bool,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lately {
    pub(super) completed: usize,
    pub(super) failed: usize,
    pub(super) cancelled: usize,
    pub(super) last_failed_at: Option<Time>,
}

impl Lately {
    pub(super) fn all(&self) -> usize {
        self.completed + self.failed + self.cancelled
    }
}

impl Overview {
    pub(super) fn of(functions: &[FunctionRecord], ended: Option<&EndedLately>) -> Self {
        let mut rows: BTreeMap<String, Row> = functions
            .iter()
            .map(|known| (known.function_id.to_string(), Row::of(known)))
            .collect();
        for group in ended.into_iter().flat_map(|ended| &ended.groups) {
            let id = &group.function_id;
            let row = rows
                .entry(id.to_string())
                .or_insert_with(|| Row::of(&FunctionRecord::new(std::sync::Arc::clone(id))));
            match group.status {
                RunStatus::Completed => row.lately.completed = group.runs,
                RunStatus::Failed => {
                    row.lately.failed = group.runs;
                    row.lately.last_failed_at = Some(Time(group.last_at));
                }
                _ => row.lately.cancelled = group.runs,
            }
        }
        let mut functions: Vec<Row> = rows.into_values().collect();
        // What fails comes first, and then what does not run.
        let is_held = |row: &Row| row.function.paused_at.is_some() || !row.function.living;
        functions.sort_by_key(|row| (row.lately.failed == 0, !is_held(row)));
        Self {
            functions,
            counted_since: ended.map(|ended| Time(ended.since)),
        }
    }
}

impl Row {
    fn of(function: &FunctionRecord) -> Self {
        Self {
            function: ShownFunction::of(function),
            lately: Lately::default(),
            is_here: false,
        }
    }
}

/// Runs that pass a filter.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunList {
    pub(super) runs: Vec<ShownRun>,
    /// The `page` that follows.
    pub(super) next: Option<String>,
    /// Whether the search stopped before the page was full.
    pub(super) stopped: bool,
}

/// A run, and why it is not running.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunView {
    #[serde(flatten)]
    pub(super) run: ShownRun,
    pub(super) reasons: Vec<Why>,
    /// How many there are beside those.
    #[serde(skip_serializing_if = "is_none")]
    pub(super) more_reasons: usize,
    /// The steps that are shown, counted from the first.
    pub(super) first_step: usize,
    pub(super) all_steps: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// How often something happens.
pub(super) fn per_minute(runs: usize, time: Duration) -> String {
    let minutes = (time.as_secs_f64() / 60.0).max(1.0 / 60.0);
    let runs = u32::try_from(runs).map_or(f64::MAX, f64::from);
    let rate = runs / minutes;
    if runs == 0.0 {
        "0".to_owned()
    } else if rate >= 10.0 {
        format!("{rate:.0}")
    } else if rate >= 0.1 {
        format!("{rate:.1}")
    } else {
        "<0.1".to_owned()
    }
}

/// The share of failures, in per cent.
pub(super) fn share(failed: usize, all: usize) -> String {
    match failed * 1000 / all.max(1) {
        0 if failed > 0 => "<0.1 %".to_owned(),
        tenths if tenths < 100 => format!("{}.{} %", tenths / 10, tenths % 10),
        tenths => format!("{} %", tenths / 10),
    }
}
