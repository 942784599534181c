//! Transactions of a SQLite store.

use super::{InStep, Recording};
use crate::{
    error::Error,
    step::{Attempted, Caught},
    store::{Entry, Sqlite},
};

/// Does what the closure does, and records the step with it in one commit; or nothing at all.
///
/// # Errors
/// What the closure failed with, or the store.
pub async fn in_sqlite<T: Send>(
    recording: Recording<T>,
    body: impl FnOnce(&rusqlite::Transaction<'_>) -> Attempted<T> + Send,
) -> Attempted<T> {
    let step = InStep::here().map_err(Caught)?;
    let store = step.store::<Sqlite>("SQLite").map_err(Caught)?;
    let mut body = Some(body);
    let mut recorded: Option<(T, Entry)> = None;
    let end = store
        .in_transaction(step.run.lease, &mut |transaction| {
            let Some(body) = body.take() else {
                return Err(Error::store(
                    "the transaction was begun twice",
                    "this is a bug in belts",
                ));
            };
            let value = body(transaction).map_err(|Caught(error)| error)?;
            let entry = step.entry(recording, &value)?;
            // From here on it is not left before its end, for it does not wait.
            step.transaction.begin_to_end();
            recorded = Some((value, entry.clone()));
            Ok(entry)
        })
        .await;
    match (recorded, end) {
        (Some((value, entry)), end) => {
            let again = || {
                Caught(Error::store(
                    "the transaction was rolled back",
                    "it is tried again later",
                ))
            };
            step.ended(end, &entry, value)
                .await
                .unwrap_or_else(|| Err(again()))
        }
        (None, Ok(crate::store::transactions::End::Failed(error)) | Err(error)) => {
            Err(Caught(error))
        }
        (None, Ok(end)) => Err(Caught(Error::store(
            "the transaction has no record",
            format!("{end:?}"),
        ))),
    }
}
