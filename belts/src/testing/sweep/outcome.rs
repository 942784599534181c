//! The final state of a case of a sweep, and how it may differ from the case without a crash.

use std::collections::BTreeMap;

use crate::{error::Result, store::Entry, testing::Harness};

/// Everything that a case leaves behind, except what may differ from case to case.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Sorted.
    runs: Vec<RunView>,
    /// Types and payloads, sorted.
    events: Vec<(String, String)>,
    /// Evaluations by function and step, over all runs.
    evaluations: BTreeMap<(String, String), u32>,
    /// Steps that were evaluated although they were recorded.
    repeated: Vec<(String, String)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RunView {
    function_id: String,
    event: String,
    status: &'static str,
    failed_attempts: u32,
    result: Option<String>,
    /// Path and state, sorted by path, since parallel steps begin in any order. Their results may differ: steps are
    /// the place for randomness, and for a publish that says whether it was the first.
    steps: Vec<(String, String)>,
}

impl Snapshot {
    pub(super) async fn of(harness: &Harness) -> Result<Self> {
        let store = harness.store();
        let (mut runs, mut evaluations) = (Vec::new(), BTreeMap::new());
        for listed in harness.runs().await? {
            // A list has no values.
            let Some(run) = store.shared().run(&listed.run_id).await? else {
                continue;
            };
            let mut steps: Vec<_> = store.journal(&run.run_id).await?.iter().map(step).collect();
            steps.sort();
            for (path, count) in harness.evaluations(&run.run_id) {
                *evaluations
                    .entry((run.function_id.to_string(), path))
                    .or_default() += count;
            }
            runs.push(RunView {
                function_id: run.function_id.to_string(),
                event: format!("{} {}", run.event_type, text(&run.payload)),
                status: run.status.as_str(),
                failed_attempts: run.failed_attempts,
                result: run.result.as_deref().map(text),
                steps,
            });
        }
        runs.sort();
        let published = harness.faults().events();
        let mut events: Vec<_> = published
            .iter()
            .map(|event| (event.event_type.to_string(), text(&event.payload)))
            .collect();
        events.sort();
        Ok(Self {
            runs,
            events,
            evaluations,
            repeated: harness.probe().repeated(),
        })
    }

    /// Asserts that this equals the case without a crash, except for steps that the crashes interrupted.
    pub(super) fn assert_like(&self, expected: &Self, crashes: u32, case: &str) {
        assert!(
            self.repeated.is_empty(),
            "with {case}, recorded steps were evaluated again: {:?}",
            self.repeated
        );
        assert_eq!(
            self.events, expected.events,
            "with {case}, other events were published than without a crash"
        );
        assert_eq!(
            self.runs.len(),
            expected.runs.len(),
            "with {case}, there are other runs than without a crash:\n{:#?}\nwithout a crash:\n{:#?}",
            self.runs,
            expected.runs
        );
        for (run, undisturbed) in self.runs.iter().zip(&expected.runs) {
            assert!(
                run == undisturbed,
                "with {case}, a run ended differently than without a crash:\n{run:#?}\nwithout a crash:\n{undisturbed:#?}"
            );
        }
        for ((function, path), count) in &expected.evaluations {
            let here = self
                .evaluations
                .get(&(function.clone(), path.clone()))
                .copied()
                .unwrap_or(0);
            assert!(
                here >= *count && here <= count + crashes,
                "with {case}, the step `{path}` of `{function}` was evaluated {here} times, without a crash {count} times"
            );
        }
    }
}

fn step(entry: &Entry) -> (String, String) {
    (
        entry.path.to_string(),
        format!("{:?} {:?}", entry.kind, entry.state),
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
