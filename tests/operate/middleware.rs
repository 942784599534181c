//! Middleware: its order, what it sees, and what it can stop.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use belts::{
    ErrorKind, Event,
    middleware::{Middleware, Next, Outcome, RunInfo, StepInfo},
    sleep, step,
    testing::Harness,
};
use serde::{Deserialize, Serialize};

use crate::measured::*;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Wrapped {
    tenant: String,
}

fn wrapped_event(tenant: &str) -> Wrapped {
    let tenant = tenant.to_owned();
    Wrapped { tenant }
}

#[belts::function(id = "wrapped", on = Wrapped, retries = 1)]
async fn wrapped(_event: Wrapped) -> belts::Result<u32> {
    step!("one", 1).await
}

#[belts::function(id = "flaky", on = Wrapped)]
async fn flaky(_event: Wrapped, cx: belts::Context) -> belts::Result<u32> {
    step!(
        "tries",
        {
            // The key is the same at each try, so the count is of tries.
            tried(&cx.idempotency_key("try"))
        },
        retries = 3
    )
    .await
}

/// Fails twice for each key.
fn tried(key: &str) -> Result<u32, &'static str> {
    static TRIES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut tries = TRIES.lock().unwrap();
    tries.push(key.to_owned());
    let count = tries.iter().filter(|known| *known == key).count();
    if count < 3 { Err("not yet") } else { Ok(7) }
}

#[belts::function(id = "sleepy", on = Wrapped)]
async fn sleepy(_event: Wrapped) -> belts::Result<u32> {
    sleep!("month", "720h").await?;
    step!("late", 1).await
}

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down what it sees.
struct Note(&'static str, Log);

impl Note {
    fn note(&self, what: &str) {
        self.1.lock().unwrap().push(format!("{} {what}", self.0));
    }
}

fn word(outcome: &Outcome) -> &'static str {
    outcome
        .as_ref()
        .map_or_else(|error| error.kind().as_str(), |()| "ok")
}

#[async_trait]
impl Middleware for Note {
    async fn run(&self, run: &RunInfo, next: Next<'_>) -> Outcome {
        let name = format!("{} {}", run.function_id(), run.attempt());
        self.note(&format!("before {name}"));
        let outcome = next.call().await;
        self.note(&format!("after {name} {}", word(&outcome)));
        outcome
    }

    async fn step(&self, step: &StepInfo, next: Next<'_>) -> Outcome {
        let name = format!("{} {}", step.path(), step.attempt());
        self.note(&format!("before {name}"));
        let outcome = next.call().await;
        self.note(&format!("after {name} {}", word(&outcome)));
        outcome
    }
}

/// What a middleware does to steps, or to runs, instead of calling on.
#[derive(Clone, Copy)]
enum Instead {
    Refuse,
    RefuseForGood,
    Panic,
    Skip,
}

impl Instead {
    fn outcome(self) -> Outcome {
        match self {
            Self::Refuse => Err(belts::retry_after(Duration::ZERO, "refused")),
            Self::RefuseForGood => Err(belts::terminal("refused for good")),
            Self::Panic => panic!("middleware fell over"),
            Self::Skip => Ok(()),
        }
    }
}

struct AtSteps(Instead);

#[async_trait]
impl Middleware for AtSteps {
    async fn step(&self, _: &StepInfo, _: Next<'_>) -> Outcome {
        self.0.outcome()
    }
}

struct AtRuns(Instead);

#[async_trait]
impl Middleware for AtRuns {
    async fn run(&self, _: &RunInfo, _: Next<'_>) -> Outcome {
        self.0.outcome()
    }
}

/// Fails runs for good that are older than this when they are to go on.
struct Deadline(Duration);

#[async_trait]
impl Middleware for Deadline {
    async fn run(&self, run: &RunInfo, next: Next<'_>) -> Outcome {
        if run.age() > self.0 {
            return Err(belts::terminal(format!(
                "the run is older than {:?}",
                self.0
            )));
        }
        next.call().await
    }
}

/// Fails runs for events of other tenants.
struct Only(&'static str);

#[derive(Deserialize)]
struct Tenant {
    tenant: String,
}

#[async_trait]
impl Middleware for Only {
    async fn run(&self, run: &RunInfo, next: Next<'_>) -> Outcome {
        let Tenant { tenant } = run.event()?;
        if tenant != self.0 {
            return Err(belts::terminal("an event of another tenant"));
        }
        next.call().await
    }
}

/// Gives steps up that take longer than this.
struct Impatient(Duration);

#[async_trait]
impl Middleware for Impatient {
    async fn step(&self, _: &StepInfo, next: Next<'_>) -> Outcome {
        match tokio::time::timeout(self.0, next.call()).await {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(belts::terminal(elapsed)),
        }
    }
}

/// A harness with what `wrap` makes, outermost first, and what `Note` wrote.
async fn harness(
    wrap: impl Fn(belts::WorkerBuilder) -> belts::WorkerBuilder + Send + Sync + 'static,
) -> (Harness, Log) {
    let log = Log::default();
    let notes = Arc::clone(&log);
    let builder = Harness::builder()
        .worker(wrap)
        .worker(move |worker| worker.middleware(Note("note", Arc::clone(&notes))));
    (builder.build().await.unwrap(), log)
}

fn lines(log: &Log) -> Vec<String> {
    log.lock().unwrap().clone()
}

#[tokio::test]
async fn the_first_that_was_given_is_outermost() {
    let log = Log::default();
    let notes = Arc::clone(&log);
    let harness = Harness::builder().worker(move |worker| {
        let note = |name| Note(name, Arc::clone(&notes));
        worker.middleware(note("a")).middleware(note("b"))
    });
    let run = harness
        .build()
        .await
        .unwrap()
        .run(wrapped, wrapped_event("x"))
        .await
        .unwrap();
    assert_eq!(run.output().unwrap(), 1);
    assert_eq!(
        lines(&log),
        [
            "a before wrapped 1",
            "b before wrapped 1",
            "a before one 1",
            "b before one 1",
            "b after one 1 ok",
            "a after one 1 ok",
            "b after wrapped 1 ok",
            "a after wrapped 1 ok",
        ]
    );
}

#[tokio::test]
async fn each_attempt_is_seen_with_its_outcome() {
    let (harness, log) = harness(|worker| worker).await;
    let run = harness.run(flaky, wrapped_event("x")).await.unwrap();
    assert_eq!(run.output().unwrap(), 7);
    let seen = lines(&log);
    let steps: Vec<_> = seen
        .iter()
        .filter(|line| line.contains("after tries"))
        .collect();
    assert_eq!(
        steps,
        [
            "note after tries 1 failed",
            "note after tries 2 failed",
            "note after tries 3 ok",
        ]
    );
}

#[tokio::test]
async fn an_error_instead_of_a_step_is_a_failed_attempt_of_it() {
    let (harness, log) = harness(|worker| worker.middleware(AtSteps(Instead::Refuse))).await;
    let run = harness.run(wrapped, wrapped_event("x")).await.unwrap();
    run.assert_failed();
    assert_eq!(run.evaluations("one"), 0);
    assert!(run.journal()[0].attempts > 1, "it was tried again");
    // What is inside was never called.
    assert!(!lines(&log).iter().any(|line| line.contains("one")));
}

#[tokio::test]
async fn a_terminal_error_instead_of_a_step_is_its_last_attempt() {
    let (harness, _) = harness(|worker| worker.middleware(AtSteps(Instead::RefuseForGood))).await;
    let run = harness.run(wrapped, wrapped_event("x")).await.unwrap();
    let error = run.error().unwrap();
    assert!(
        error.report().contains("refused for good"),
        "{}",
        error.report()
    );
    assert_eq!(run.journal()[0].attempts, 1);
}

#[tokio::test]
async fn an_error_instead_of_a_function_is_an_attempt_of_it() {
    for (instead, attempts, kind) in [
        (Instead::Refuse, 2, ErrorKind::RetryAfter),
        (Instead::RefuseForGood, 1, ErrorKind::Terminal),
        (Instead::Panic, 2, ErrorKind::Panicked),
        (Instead::Skip, 1, ErrorKind::Config),
    ] {
        let (harness, log) = harness(move |worker| worker.middleware(AtRuns(instead))).await;
        let run = harness.run(wrapped, wrapped_event("x")).await.unwrap();
        assert_eq!(run.error().unwrap().kind(), kind);
        assert_eq!(run.record().unwrap().failed_attempts, attempts, "{kind:?}");
        assert!(run.journal().is_empty() && lines(&log).is_empty());
    }
}

#[tokio::test]
async fn a_panic_around_a_step_is_a_failed_attempt_of_it() {
    let (harness, _) = harness(|worker| worker.middleware(AtSteps(Instead::Panic))).await;
    let run = harness.run(wrapped, wrapped_event("x")).await.unwrap();
    let error = run.error().unwrap();
    assert!(
        error.report().contains("middleware fell over"),
        "{}",
        error.report()
    );
    assert!(run.journal()[0].attempts > 1, "it was tried again");
}

#[tokio::test]
async fn ok_without_a_value_is_a_final_error_that_says_so() {
    let (harness, _) = harness(|worker| worker.middleware(AtSteps(Instead::Skip))).await;
    let run = harness.run(wrapped, wrapped_event("x")).await.unwrap();
    let error = run.error().unwrap();
    assert!(
        error.report().contains("let it call `next`"),
        "{}",
        error.report()
    );
    assert_eq!(run.journal()[0].attempts, 1);
}

#[tokio::test]
async fn a_deadline_ends_a_run_that_took_too_long() {
    let day = Duration::from_secs(24 * 60 * 60);
    for (limit, fails) in [(day, true), (day * 60, false)] {
        let (harness, log) = harness(move |worker| worker.middleware(Deadline(limit))).await;
        let run = harness.run(sleepy, wrapped_event("x")).await.unwrap();
        assert_eq!(
            run.error().map(|error| error.kind()),
            fails.then_some(ErrorKind::Terminal)
        );
        // The sleep dropped the drive that it began in: nobody came back from that one.
        assert_eq!(lines(&log)[0], "note before sleepy 1");
        assert_eq!(lines(&log).len(), if fails { 1 } else { 5 });
    }
}

#[tokio::test]
async fn an_event_can_be_asked_for_a_field() {
    let (harness, _) = harness(|worker| worker.middleware(Only("ours"))).await;
    let ours = harness.run(wrapped, wrapped_event("ours")).await.unwrap();
    assert_eq!(ours.output().unwrap(), 1);
    let theirs = harness.run(wrapped, wrapped_event("theirs")).await.unwrap();
    assert_eq!(theirs.error().unwrap().kind(), ErrorKind::Terminal);
}

#[tokio::test]
async fn what_is_inside_ends_when_its_future_is_dropped() {
    let impatient =
        |worker: belts::WorkerBuilder| worker.middleware(Impatient(Duration::from_millis(1)));
    let (harness, log) = harness(impatient).await;
    let gate = "never-opened".to_owned();
    let run = harness.run(held, Held { gate }).await.unwrap();
    assert!(run.error().unwrap().report().contains("elapsed"));
    assert_eq!(gate_waiters(), 0);
    assert_eq!(
        lines(&log)[1..],
        ["note before gate 1", "note after held 1 step-failed"]
    );
}

fn gate_waiters() -> usize {
    gate("never-opened").receiver_count()
}
