//! The warning of a worker without keys on a store in which others encrypt.

use futures_util::future::{BoxFuture, FutureExt as _};

use crate::store::{Postgres, Store, transactions::Transactions};

/// Warns if other workers have encrypted what they wrote to this store, which has no keys. One that cannot be asked now is left alone.
pub(super) fn warn(store: &dyn Store) -> BoxFuture<'_, ()> {
    warned(store).boxed()
}

async fn warned(store: &dyn Store) {
    let transactions = store.transactions();
    let Some(postgres) = transactions.and_then(Transactions::store::<Postgres>) else {
        return;
    };
    if postgres.is_encrypted().await.unwrap_or(false) {
        tracing::warn!(
            "other workers encrypt what they write to this store, and this one has no keys: it leaves their runs alone, and waits and \
             `cancel_on` of theirs do not hear of the events that it publishes. Give it the keys as well"
        );
    }
}
