//! The metrics: their names, kinds, units, labels and meanings. The handles, the descriptions for a recorder and
//! the table in `docs/operations.md` are derived from this table.

use metrics::{Key, Label, Level, Metadata, Unit};

/// One metric.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) labels: &'static [&'static str],
    pub(super) text: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

macro_rules! table {
    ($($constant:ident: $kind:ident $name:literal $unit:ident [$($label:literal),*] $text:literal;)*) => {
        $(pub(super) const $constant: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            text: $text,
        };)*
        /// Every metric.
        pub(super) const ALL: &[Metric] = &[$($constant),*];
    };
}

table! {
    RUNS_STARTED: Counter "belts_runs_started_total" Count ["function"]
        "runs driven that had nothing recorded yet";
    RUNS_RESUMED: Counter "belts_runs_resumed_total" Count ["function"]
        "times a run resumed from its journal: after a sleep, a retry, a hand-over, a crash";
    RUNS_COMPLETED: Counter "belts_runs_completed_total" Count ["function"]
        "runs that returned `Ok`";
    RUNS_FAILED: Counter "belts_runs_failed_total" Count ["function"]
        "runs that failed for good, except those that the store itself cannot read";
    RUNS_RUNNING: Gauge "belts_runs_running" Count ["function"]
        "runs that this worker drives now";
    STEPS_EXECUTED: Counter "belts_steps_executed_total" Count ["function"]
        "attempts of steps";
    STEPS_FAILED: Counter "belts_steps_failed_total" Count ["function"]
        "attempts of steps that failed, whether they are retried or not";
    STEPS_REPLAYED: Counter "belts_steps_replayed_total" Count ["function"]
        "steps that returned their recorded result";
    STEP_DURATION: Histogram "belts_step_duration_seconds" Seconds ["function"]
        "how long an attempt of a step took, without its write";
    TICKS: Counter "belts_ticks_total" Count ["function", "outcome"]
        "ticks of schedules that this worker dealt with, with the `outcome` `started`, `missed` or `skipped`";
    TICK_LATE: Histogram "belts_tick_late_seconds" Seconds ["function"]
        "how long after its time, with the jitter, a tick started its run";
    PUBLISHED: Counter "belts_published_total" Count []
        "events published by this program, without duplicates";
    DELIVERIES: Counter "belts_deliveries_total" Count ["via", "outcome"]
        "deliveries received, `via` `http` or `message`, with the `outcome` `accepted`, `duplicate` or `refused`";
    REFUSED: Counter "belts_refused_total" Count ["door", "status"]
        "unauthorized requests, at the `door` `inspection` or `delivery`, with `status` `401`, `403` or `404`";
    COMMIT_BATCH_SIZE: Histogram "belts_commit_batch_size" Count []
        "records in one write of a run: steps that finished together, and the run's end or pause";
    COMMIT_SECONDS: Histogram "belts_commit_seconds" Seconds []
        "how long such a write took, including the time in the queue";
    LEASES_LOST: Counter "belts_leases_lost_total" Count []
        "runs abandoned after losing the lease: another worker claimed the run, or it was cancelled";
    SEALED: Counter "belts_runs_sealed_total" Count []
        "times a run was left waiting since a value of it is sealed and does not open";
    RUNS_DUE: Gauge "belts_runs_due" Count ["function"]
        "runs in the store that are due and waiting for a worker, counted every 10 s; 10,000 means that or more";
    OLDEST_DUE: Gauge "belts_oldest_due_seconds" Seconds []
        "how long the oldest run that this worker knows of, but does not drive, has been due; 0 if there is none";
}

static METADATA: Metadata<'static> = Metadata::new("belts", Level::INFO, None);

impl Metric {
    fn key(&self, values: &[&str]) -> Key {
        debug_assert_eq!(self.labels.len(), values.len());
        let labels = self.labels.iter().zip(values);
        let labels = labels.map(|(name, value)| Label::new(*name, (*value).to_owned()));
        Key::from_parts(self.name, labels.collect::<Vec<_>>())
    }

    pub(super) fn counter(&self, values: &[&str]) -> metrics::Counter {
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_counter(&key, &METADATA))
    }

    pub(super) fn gauge(&self, values: &[&str]) -> metrics::Gauge {
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_gauge(&key, &METADATA))
    }

    pub(super) fn histogram(&self, values: &[&str]) -> metrics::Histogram {
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_histogram(&key, &METADATA))
    }
}

/// Describes the metrics to the recorder.
pub(super) fn describe() {
    metrics::with_recorder(|recorder| {
        for metric in ALL {
            let (name, unit, text) = (metric.name.into(), Some(metric.unit), metric.text.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, unit, text),
                Kind::Gauge => recorder.describe_gauge(name, unit, text),
                Kind::Histogram => recorder.describe_histogram(name, unit, text),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(metric: &Metric) -> String {
        let unit = match metric.unit {
            Unit::Seconds => "seconds",
            _ => "count",
        };
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let labels: Vec<_> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (name, labels, text) = (metric.name, labels.join(", "), metric.text);
        format!("| `{name}` | {kind} | {unit} | {labels} | {text} |")
    }

    #[test]
    fn the_page_on_operations_lists_every_metric_as_it_is() {
        let page = include_str!("../../docs/operations.md");
        let listed: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `belts_"))
            .collect();
        let expected: Vec<String> = ALL.iter().map(row).collect();
        assert_eq!(
            listed,
            expected,
            "the table should read:\n{}",
            expected.join("\n")
        );
    }
}
