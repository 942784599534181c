//! Transcripts: what the engine answers to a sequence of questions.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind},
    store::{Entry, StepKind, StepState, Transition},
};

static HERE: Location = Location {
    file: "a.rs",
    line: 1,
    column: 1,
};
static THERE: Location = Location {
    file: "a.rs",
    line: 2,
    column: 5,
};
const NOW: Timestamp = Timestamp::from_millis(1_000);

fn entry(seq: u32, path: &str, state: StepState) -> Entry {
    Entry {
        seq,
        path: path.into(),
        kind: StepKind::Step,
        state,
        type_name: "u32".into(),
        value: (*b"{\"v\":1,\"ok\":7}").into(),
        attempts: 2,
        due_at: (state == StepState::Waiting).then_some(Timestamp::from_millis(5_000)),
        wait: None,
        started_at: NOW,
        finished_at: None,
        undoable: false,
    }
}

fn ask(
    journal: &mut Journal,
    path: &str,
    kind: StepKind,
    at: &'static Location,
) -> Result<Decision, Violation> {
    journal.decide(Request {
        path: &path.into(),
        kind,
        at,
    })
}

#[test]
fn a_new_step_begins_under_the_next_free_place() {
    let mut journal = Journal::new(vec![
        entry(0, "a", StepState::Completed),
        entry(4, "b", StepState::Completed),
    ]);
    assert_eq!(
        ask(&mut journal, "c", StepKind::Step, &HERE),
        Ok(Decision::Begin { seq: 5 })
    );
    assert_eq!(
        ask(&mut journal, "d", StepKind::Sleep, &HERE),
        Ok(Decision::Begin { seq: 6 })
    );
}

#[test]
fn a_recorded_outcome_is_replayed_whatever_the_order() {
    let mut journal = Journal::new(vec![
        entry(0, "step-1", StepState::Completed),
        entry(1, "step-10", StepState::Failed),
    ]);
    for path in ["step-10", "step-1"] {
        assert!(matches!(
            ask(&mut journal, path, StepKind::Step, &HERE),
            Ok(Decision::Replay { .. })
        ));
    }
}

#[test]
fn a_waiting_step_goes_on_with_its_count() {
    let mut journal = Journal::new(vec![entry(0, "a", StepState::Waiting)]);
    let resume = Decision::Resume {
        seq: 0,
        due_at: Timestamp::from_millis(5_000),
        failed_attempts: 2,
        started_at: NOW,
    };
    assert_eq!(ask(&mut journal, "a", StepKind::Step, &HERE), Ok(resume));
}

#[test]
fn a_key_reached_twice_names_both_places() {
    for mut journal in [
        Journal::default(),
        Journal::new(vec![entry(0, "a", StepState::Completed)]),
    ] {
        ask(&mut journal, "a", StepKind::Step, &HERE).expect("the first time");
        let violation =
            ask(&mut journal, "a", StepKind::Step, &THERE).expect_err("the second time");
        let text = violation.to_string();
        assert!(
            text.contains("a.rs:1:1") && text.contains("a.rs:2:5"),
            "{text}"
        );
        assert!(!violation.into_error().is_retryable());
    }
}

#[test]
fn a_scope_shares_the_keys_of_its_steps() {
    let mut journal = Journal::default();
    journal.reach(&"a".into(), &HERE).expect("the first time");
    assert!(ask(&mut journal, "a", StepKind::Step, &THERE).is_err());
    assert!(journal.reach(&"a".into(), &THERE).is_err());
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let mut journal = Journal::new(vec![entry(0, "a", StepState::Completed)]);
    let violation = ask(&mut journal, "a", StepKind::Sleep, &HERE).expect_err("a step is there");
    assert_eq!(violation.into_error().kind(), ErrorKind::Mismatch);
}

#[test]
fn retries_count_beyond_the_first_attempt() {
    let policy = RetryPolicy {
        retries: 2,
        backoff: Backoff::default(),
    };
    let error = Error::from_any("offline");
    let verdicts: Vec<_> = (1..=3)
        .map(|failed| after_step_failure(&error, policy, failed, NOW, 0.5))
        .collect();
    let at = |ms: i64| StepVerdict::RetryAt(Timestamp::from_millis(1_000 + ms));
    assert_eq!(verdicts, [at(500), at(1_000), StepVerdict::GiveUp]);
}

#[test]
fn retry_after_is_a_lower_bound_and_terminal_is_final() {
    let policy = RetryPolicy::default();
    let later = crate::retry_after(Duration::from_secs(90), "busy");
    assert_eq!(
        after_step_failure(&later, policy, 1, NOW, 0.0),
        StepVerdict::RetryAt(Timestamp::from_millis(91_000))
    );
    assert_eq!(
        after_step_failure(&crate::error::terminal("no"), policy, 1, NOW, 0.0),
        StepVerdict::GiveUp
    );
}

#[test]
fn a_function_is_retried_unless_its_error_is_final() {
    let policy = RetryPolicy::default();
    let error = Error::from_any("offline");
    assert!(matches!(
        after_function(Err(&error), policy, 2, NOW, 1.0),
        Transition::Retry { failed_attempts: 3, due_at, .. } if due_at == Timestamp::from_millis(5_000)
    ));
    assert!(matches!(
        after_function(Err(&error), policy, 3, NOW, 1.0),
        Transition::Fail {
            failed_attempts: 4,
            ..
        }
    ));
    let terminal = crate::error::terminal("no");
    assert!(matches!(
        after_function(Err(&terminal), policy, 0, NOW, 1.0),
        Transition::Fail {
            failed_attempts: 1,
            ..
        }
    ));
    let output: Arc<[u8]> = (*b"x").into();
    assert_eq!(
        after_function(Ok(output.clone()), policy, 0, NOW, 1.0),
        Transition::Complete { output }
    );
}
