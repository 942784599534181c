//! The run and the step that the code which asks belongs to.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{beats::Attempt, races::Arm, run::LiveRun};
use crate::{id::stable_id, store::EventDigest};

tokio::task_local! {
    /// The run whose function is being polled.
    pub(crate) static CURRENT_RUN: Arc<LiveRun>;
    /// The arm of a race that is being polled.
    pub(crate) static CURRENT_ARM: Arm;
    /// The step whose expression is being polled.
    pub(crate) static CURRENT_STEP: CurrentStep;
}

/// The run whose function asks, outside of its steps: whatever it does there it does again whenever it resumes.
pub(crate) fn outside_of_a_step() -> Option<Arc<LiveRun>> {
    let in_a_step = CURRENT_STEP.try_with(|_| ()).is_ok();
    let run = CURRENT_RUN.try_with(Arc::clone).ok();
    run.filter(|_| !in_a_step)
}

/// The step whose expression is being polled.
#[derive(Debug)]
pub(crate) struct CurrentStep {
    /// Which attempt of it.
    pub(crate) attempt: Attempt,
    /// What becomes of its transaction, where it has one.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite")),
        allow(dead_code, reason = "no store has transactions then")
    )]
    pub(crate) transaction: Option<Arc<InTransaction>>,
    /// The events that this attempt has published, so that each has an idempotency key of its own.
    pub(crate) published: PublishedHere,
}

/// The transaction of an attempt, as far as others have to know of it.
#[derive(Debug, Default)]
pub(crate) struct InTransaction {
    /// Whether what it records is to be undone if the run fails or is cancelled.
    undoable: bool,
    /// It is about to be committed: nothing may be made of the attempt before that has an end.
    ends: AtomicBool,
    /// What it has recorded.
    value: OnceLock<Arc<[u8]>>,
}

#[cfg_attr(
    not(any(feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "no store has transactions then")
)]
impl InTransaction {
    pub(crate) fn new(undoable: bool) -> Self {
        Self {
            undoable,
            ..Self::default()
        }
    }

    pub(crate) fn is_undoable(&self) -> bool {
        self.undoable
    }

    pub(crate) fn begin_to_end(&self) {
        self.ends.store(true, Ordering::Release);
    }

    /// It was rolled back after all.
    pub(crate) fn begin_again(&self) {
        self.ends.store(false, Ordering::Release);
    }

    pub(crate) fn ends(&self) -> bool {
        self.ends.load(Ordering::Acquire)
    }

    pub(crate) fn commit(&self, value: Arc<[u8]>) {
        let _ = self.value.set(value);
    }

    /// What it has recorded, if it is committed.
    pub(crate) fn committed(&self) -> Option<&Arc<[u8]>> {
        self.value.get()
    }
}

/// How often an attempt of a step has published what, by digest.
#[derive(Debug, Default)]
pub(crate) struct PublishedHere(Mutex<HashMap<EventDigest, u32>>);

impl PublishedHere {
    /// How often it published the same before.
    fn count(&self, digest: EventDigest) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(digest).or_default();
        *count += 1;
        *count - 1
    }
}

/// The id of something in a step, of these parts: another one where the step was undone and is done anew.
pub(crate) fn id_in_step(attempt: &Attempt, parts: &[&str]) -> String {
    match attempt.times_undone {
        0 => stable_id(parts),
        times => stable_id(&[parts, &["undone", &times.to_string()]].concat()),
    }
}

/// The key of an event that this step publishes; `None` outside a step.
///
/// What a retried attempt publishes again is found by it, in whatever order, and what it publishes otherwise is an event of
/// its own: a list that was fetched anew may hold other items.
pub(crate) fn step_key(run_id: &str, digest: EventDigest) -> Option<String> {
    CURRENT_STEP
        .try_with(|step| {
            let count = step.published.count(digest).to_string();
            let digest = format!("{digest:?}");
            let parts = [run_id, &step.attempt.path, &digest, &count];
            id_in_step(&step.attempt, &parts)
        })
        .ok()
}
