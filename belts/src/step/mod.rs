//! Steps, sleeps and scopes as generated code drives them: `step!` and its like expand to calls of this module.

mod answer;
mod attempt;
mod begun;
mod call;
mod callback;
mod caught;
mod evaluate;
mod expression;
mod failed;
mod open;
mod preset;
mod race;
mod refuse;
mod taken;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod transaction;
mod undo;
mod undoes;
mod unknown;
mod values;
mod wait;
mod within;

use std::{
    future::{Future, pending},
    sync::Arc,
    time::{Duration, SystemTime},
};

pub(crate) use answer::Answer;
pub use attempt::Step;
pub use call::ENDED_TYPES;
pub use callback::Callback;
pub use caught::{AnyError, Attempted, Caught, of_any_error};
pub(crate) use expression::Expression;
pub use expression::Slot;
pub use race::{Contend, Contender, Race, Racing};
pub(crate) use taken::taken_type;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use transaction::Recording;
#[cfg(feature = "sqlite")]
pub use transaction::in_sqlite;
#[cfg(feature = "postgres")]
pub use transaction::{PgTransaction, PgTries};
pub(crate) use undo::undo;
pub use undoes::Undone;
pub(crate) use undoes::cannot;
pub use wait::Since;
pub use within::Within;

use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    function::state::{Need, missing},
    live::{Active, Arm, CURRENT_STEP, Context, LiveRun, Place},
    run::{Backoff, Decision, Location, Request, Violation, join},
    store::{Entry, StepKind, StepState},
};

/// Waits up to this long stay in memory; longer ones leave it.
const STAYS_IN_MEMORY: Duration = Duration::from_secs(3);

/// A run and the place in it where steps are looked up.
#[derive(Debug, Clone)]
pub struct Scope {
    run: Arc<LiveRun>,
    prefix: Option<Arc<str>>,
    /// The arm of a race that this is in.
    arm: Option<Arm>,
}

/// A step's key as the macro has it.
#[derive(Debug, Clone)]
pub enum Key {
    /// A literal without captures.
    Literal(&'static str),
    /// A literal with its captures filled in.
    Formatted(String),
}

impl Key {
    fn as_str(&self) -> &str {
        match self {
            Self::Literal(key) => key,
            Self::Formatted(key) => key,
        }
    }
}

/// What stands behind the expression of a `step!`.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepOptions {
    /// Retries after the first attempt.
    pub retries: Option<u32>,
    /// The wait between attempts.
    pub backoff: Option<Backoff>,
    /// The longest that one attempt may take.
    pub timeout: Option<Duration>,
    /// The longest that one attempt may send no heartbeat.
    pub stall: Option<Duration>,
    /// What becomes of it if nobody knows how an attempt ended.
    pub unknown: Option<Unknown>,
}

/// What becomes of a step if nobody knows how an attempt of it ended: its process died, or its time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It fails, with an error of kind [`OutcomeUnknown`](ErrorKind::OutcomeUnknown).
    Fail,
    /// The run waits until a person has said what is so.
    Park,
    /// An expression is asked.
    Ask,
}

impl Scope {
    pub(crate) fn root(run: Arc<LiveRun>) -> Self {
        Self {
            run,
            prefix: None,
            arm: None,
        }
    }

    /// Notes that this program cannot read the run's event.
    pub(crate) fn cannot_read_the_event(&self) {
        self.run.misread();
    }

    /// What user code may ask about the run.
    pub fn context(&self) -> Context {
        Context::new(Arc::clone(&self.run))
    }

    /// A clone of the worker's state of this type.
    pub(crate) fn state<T: Clone + 'static>(&self) -> Result<T> {
        let states = &self.run.host.states;
        states.get().ok_or_else(|| {
            let lack = Need::of::<T>().of_function(&self.run.function_id);
            Error::new(ErrorKind::Config, missing(&[lack], states))
        })
    }

    /// A sleep of `duration` from when it is first reached.
    pub fn sleep(
        &self,
        key: Key,
        at: &'static Location,
        duration: Duration,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        self.clone().rest(key, at, move |now| now.after(duration))
    }

    /// A sleep until `time`, fixed when it is first reached.
    pub fn sleep_until<S: Into<SystemTime>>(
        &self,
        key: Key,
        at: &'static Location,
        time: S,
    ) -> impl Future<Output = Result<()>> + Send + use<S> {
        let until = Timestamp::from(time.into());
        self.clone().rest(key, at, move |_| until)
    }

    async fn rest(
        self,
        key: Key,
        at: &'static Location,
        until: impl FnOnce(Timestamp) -> Timestamp + Send,
    ) -> Result<()> {
        let path = join(self.prefix.as_deref(), key.as_str());
        let clock = Arc::clone(&self.run.host.clock);
        let resumed = match self.decide(&path, StepKind::Sleep, at).await {
            Decision::Begin { seq } => {
                let now = clock.now();
                let due_at = until(now);
                let active = self.run.activate();
                let short = due_at.since(now) <= STAYS_IN_MEMORY;
                let entry = sleep_entry(seq, path, now, due_at);
                let ticket = self.run.record_in(self.arm.as_ref(), entry, short, false);
                let Some(ticket) = ticket else {
                    return pending().await;
                };
                // A long sleep is recorded in the same write that suspends the run; a short one on its own.
                if short {
                    ticket.await;
                    self.wait_in_memory(due_at, active).await;
                } else {
                    self.wait_parked(due_at, active).await;
                }
                None
            }
            Decision::Resume { due_at, .. } => {
                if self.run.is_replayed() {
                    return Ok(());
                }
                self.wait(due_at, self.run.activate()).await;
                Some(due_at)
            }
            Decision::Replay { .. } => return Ok(()),
        };
        let run = &self.run;
        run.let_others_go_first(self.arm.as_ref(), resumed).await;
        Ok(())
    }

    /// A scope of its own for a helper's steps.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "generated code makes the key for this call"
    )]
    pub fn enter(&self, key: Key, at: &'static Location) -> Entered {
        let path = join(self.prefix.as_deref(), key.as_str());
        Entered {
            at,
            scope: Self {
                run: Arc::clone(&self.run),
                prefix: Some(path),
                arm: self.arm.clone(),
            },
        }
    }

    /// Never returns within the expression of a step, which ends the run.
    async fn not_in_a_step(&self, path: &Arc<str>, at: &'static Location) {
        if let Ok(outer) = CURRENT_STEP.try_with(|step| Arc::clone(&step.attempt.path)) {
            self.run.violate(Violation::Nested {
                path: Arc::clone(path),
                outer,
                at,
            });
            pending::<()>().await;
        }
    }

    /// What the journal says; never returns where that ends the run.
    async fn decide(&self, path: &Arc<str>, kind: StepKind, at: &'static Location) -> Decision {
        self.not_in_a_step(path, at).await;
        match self.run.decide(Request { path, kind, at }) {
            Some(decision) if self.run.is_undoing() => self.run.replayed(path, decision).await,
            Some(decision) if self.run.is_rehearsed() => {
                self.run.rehearse(path, kind, decision).await
            }
            Some(decision) => decision,
            None => pending().await,
        }
    }

    /// Returns at `until`, or never: a run that waits for long leaves memory.
    async fn wait(&self, until: Timestamp, active: Active) {
        let clock = &self.run.host.clock;
        let now = clock.now();
        if until <= now {
            return;
        }
        if until.since(now) <= STAYS_IN_MEMORY {
            self.wait_in_memory(until, active).await;
        } else {
            self.wait_parked(until, active).await;
        }
    }

    /// Waits for a moment that is near. A clock that a test moves is left to the driver, which moves it only when nothing
    /// else of the run is under way: the time limits of other steps would run out.
    async fn wait_in_memory(&self, until: Timestamp, active: Active) {
        let clock = &self.run.host.clock;
        if clock.is_manual() {
            let parked = self.run.park(until, Place::InMemory);
            drop(active);
            parked.wait(clock.expire_at(until)).await;
        } else {
            clock.sleep_until(until).await;
            drop(active);
        }
    }

    /// Waits without being under way. The run may leave memory at any moment; if others keep it there, this returns.
    async fn wait_parked(&self, until: Timestamp, active: Active) {
        let parked = self.run.park(until, Place::Anywhere);
        drop(active);
        // The run leaves memory if it can; a clock that skips sleeps is not to skip that.
        parked.wait(self.run.host.clock.expire_at(until)).await;
    }
}

fn sleep_entry(seq: u32, path: Arc<str>, now: Timestamp, due_at: Timestamp) -> Entry {
    Entry::new(seq, path, StepKind::Sleep, StepState::Waiting, now)
        .with_due_at(due_at)
        .with_value("", [])
}

/// A scope that `scope!` made.
#[derive(Debug)]
pub struct Entered {
    scope: Scope,
    at: &'static Location,
}

impl Entered {
    /// Marks the scope's key as used; never returns if it was used before.
    pub async fn begin(&self) {
        let Some(path) = &self.scope.prefix else {
            return;
        };
        if let Ok(outer) = CURRENT_STEP.try_with(|step| Arc::clone(&step.attempt.path)) {
            self.scope.run.violate(Violation::Nested {
                path: Arc::clone(path),
                outer,
                at: self.at,
            });
        } else if self.scope.run.reach(path, self.at) {
            return;
        }
        pending::<()>().await;
    }

    /// Where the helper's steps are looked up: its hidden argument.
    pub fn scope(&self) -> StepsHelpersAreCalledWithScope {
        StepsHelpersAreCalledWithScope(self.scope.clone())
    }
}

/// The hidden argument of a helper marked `#[belts::steps]`. Its name is what rustc says where a helper is called without
/// `scope!`, or `scope!` calls what is no such helper.
#[derive(Debug)]
pub struct StepsHelpersAreCalledWithScope(Scope);

impl StepsHelpersAreCalledWithScope {
    /// What the helper's body goes on with.
    pub fn scope(&self) -> &Scope {
        &self.0
    }
}
