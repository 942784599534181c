//! `transaction!`: the user's rows and the record of the step in one commit.

use std::sync::Arc;

use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    live::{Attempt, CURRENT_RUN, CURRENT_STEP, InTransaction, LiveRun},
    panic,
    step::{Attempted, Caught},
    store::{Entry, StepKind, StepState, Transactions, transactions::End},
};

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "postgres")]
pub use postgres::{PgTransaction, PgTries};
#[cfg(feature = "sqlite")]
pub use sqlite::in_sqlite;

/// What is recorded of a value, and what is read back of that.
type Write<T> = fn(&T, &LiveRun) -> Result<(Arc<[u8]>, T)>;

/// How a value is written, with the function that has the bounds on its type.
#[derive(Debug)]
pub struct Recording<T>(pub(super) Write<T>);

impl<T> Clone for Recording<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Recording<T> {}

/// The attempt that a transaction is part of.
#[derive(Debug, Clone)]
struct InStep {
    run: Arc<LiveRun>,
    attempt: Attempt,
    transaction: Arc<InTransaction>,
}

impl InStep {
    /// That of the step whose expression is being polled.
    fn here() -> Result<Self> {
        let run = CURRENT_RUN.try_with(Arc::clone).ok();
        let step = CURRENT_STEP.try_with(|step| {
            let transaction = step.transaction.clone()?;
            Some((step.attempt.clone(), transaction))
        });
        let step = step.ok().flatten();
        match (run, step) {
            (Some(run), Some((attempt, transaction))) => Ok(Self {
                run,
                attempt,
                transaction,
            }),
            _ => Err(Error::new(
                ErrorKind::Config,
                "`transaction!` was polled outside of its run",
            )),
        }
    }

    /// The store, if it has transactions of this kind.
    fn store<S: 'static>(&self, wanted: &str) -> Result<&S> {
        let store = &self.run.host.store;
        let found = store.transactions().and_then(Transactions::store::<S>);
        found.ok_or_else(|| {
            crate::error::terminal(format!(
                "this `transaction!` is one of a {wanted} store, and the store is another: {store:?}. In a test kit preset the step, or \
                 build the harness on a {wanted} store"
            ))
        })
    }

    /// The record of a value, which ends the attempt once it is committed.
    fn entry<T>(&self, recording: Recording<T>, value: &T) -> Result<Entry> {
        let (bytes, copy) = panic::catch("to write or read the result", || {
            (recording.0)(value, &self.run)
        })?;
        panic::discard(copy);
        let attempt = &self.attempt;
        let now = self.run.host.clock.now();
        let entry = Entry::new(
            attempt.seq,
            Arc::clone(&attempt.path),
            StepKind::Step,
            StepState::Completed,
            Timestamp::min(attempt.started_at, now),
        );
        Ok(entry
            .with_attempts(attempt.failed_attempts + 1)
            .with_value((attempt.type_name)(), bytes)
            .with_finished_at(now)
            .with_undoable(self.transaction.is_undoable()))
    }

    /// What the end of a transaction comes to; `None` where the same is tried again. Never returns if the lease is lost.
    async fn ended<T>(&self, end: Result<End>, entry: &Entry, value: T) -> Option<Attempted<T>> {
        let error = match end {
            Ok(End::Committed(before)) => {
                self.transaction
                    .commit(before.unwrap_or_else(|| Arc::clone(&entry.value)));
                return Some(Ok(value));
            }
            Ok(End::Lost) => {
                panic::discard(value);
                self.run.lose_lease();
                return std::future::pending().await;
            }
            Ok(End::Again(error)) => {
                panic::discard(value);
                self.transaction.begin_again();
                tracing::debug!(error = %error.report(), "a transaction was rolled back and is tried again");
                return None;
            }
            Ok(End::Failed(error)) | Err(error) => error,
        };
        panic::discard(value);
        self.transaction.begin_again();
        Some(Err(Caught(error)))
    }
}
