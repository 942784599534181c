//! Transactions of a Postgres store.

use std::time::Duration;

use super::{InStep, Recording};
use crate::{
    error::{Error, ErrorKind, Result},
    step::{Attempted, Caught},
    store::{
        Postgres,
        postgres::transaction::{Opened, attempt_of, roll_back},
        transactions::{Attempt, End},
    },
};

/// How often a transaction is tried that meets others which it cannot be serialized with. Then it is left alone for a while.
const MOST: u32 = 12;

/// How long it waits before it is tried again: about twice as long each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The tries of one attempt.
#[derive(Debug)]
pub struct PgTries {
    step: Result<InStep>,
    tries: u32,
}

/// An open transaction.
#[derive(Debug)]
pub struct PgTransaction(Opened);

impl PgTransaction {
    /// As the user's closure takes it.
    pub fn lend(&mut self) -> &mut sqlx::Transaction<'static, sqlx::Postgres> {
        &mut self.0.inner
    }
}

impl PgTries {
    /// Those of the step whose expression is being polled.
    pub fn of_step() -> Self {
        Self {
            step: InStep::here(),
            tries: 0,
        }
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The store has none, or cannot be reached.
    pub async fn begin(&mut self) -> Attempted<PgTransaction> {
        if self.tries > 0 {
            pause(self.tries).await;
        }
        self.tries += 1;
        let step = self.step.as_ref().map_err(|error| Caught(error.same()))?;
        let store = step.store::<Postgres>("Postgres").map_err(Caught)?;
        let opened = store.open_transaction().await.map_err(Caught)?;
        Ok(PgTransaction(opened))
    }

    /// Commits the transaction with the record of the step, or rolls it back; `None` if all is to be done again.
    pub async fn end<T: Send>(
        &mut self,
        transaction: PgTransaction,
        recording: Recording<T>,
        outcome: Attempted<T>,
    ) -> Option<Attempted<T>> {
        let opened = transaction.0;
        let step = match &self.step {
            Ok(step) => step.clone(),
            Err(error) => return Some(Err(Caught(error.same()))),
        };
        let (value, entry) = match outcome.and_then(|value| {
            let entry = step.entry(recording, &value).map_err(Caught)?;
            Ok((value, entry))
        }) {
            Ok(recorded) => recorded,
            Err(Caught(error)) => {
                roll_back(opened).await;
                return self.failed(error);
            }
        };
        step.transaction.begin_to_end();
        let (ending, record) = (step.clone(), entry.clone());
        // On a task of its own, so that it never hangs half-way, with a lock that others wait for, where nobody polls this run.
        let end = tokio::spawn(async move {
            let store = ending.store::<Postgres>("Postgres")?;
            store
                .end_transaction(opened, ending.run.lease, &record)
                .await
        });
        let end = end.await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Store, "the transaction was cut off").with_source(error))
        });
        let end = match end {
            Ok(End::Again(error)) if self.tries >= MOST => Err(exhausted(error)),
            end => end,
        };
        step.ended(end, &entry, value).await
    }

    /// What a failure in the closure comes to.
    fn failed<T>(&self, error: Error) -> Option<Attempted<T>> {
        match attempt_of(&error) {
            Some(Attempt::Again) if self.tries < MOST => None,
            Some(Attempt::Again) => Some(Err(Caught(exhausted(error)))),
            Some(Attempt::Cut) => {
                let text = "the connection of the transaction failed";
                Some(Err(Caught(Error::store(text, error))))
            }
            None => Some(Err(Caught(error))),
        }
    }
}

/// That others change the same rows is no outcome of the step: the run goes on later.
fn exhausted(error: Error) -> Error {
    let text = format!(
        "the transaction was rolled back {MOST} times in a row, since others changed the same rows at the same time"
    );
    Error::store(text, error)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how soon a server is asked again is no matter of the worker's clock"
)]
async fn pause(tries: u32) {
    let longest = FIRST_PAUSE
        .saturating_mul(1 << tries.min(10))
        .min(LONGEST_PAUSE);
    tokio::time::sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
}
