//! Publishing in transactions of the application's own.

use std::sync::Arc;

use super::{Shared, start::conflict};
#[cfg(feature = "postgres")]
use crate::store::Postgres;
#[cfg(feature = "sqlite")]
use crate::store::Sqlite;
use crate::{
    error::{Error, ErrorKind, Result},
    publish::Published,
    store::{PublishedEvent, Target, Transactions, transactions::Within},
};

impl Shared {
    /// Publishes events in the transaction of a connection; the outcomes stand in their order.
    #[cfg(feature = "postgres")]
    pub(crate) async fn publish_in_tx(
        self: &Arc<Self>,
        connection: &mut sqlx::PgConnection,
        mut events: Vec<Within>,
    ) -> Result<Vec<Published>> {
        match self
            .store
            .transactions()
            .and_then(Transactions::store::<Postgres>)
        {
            Some(store) => {
                self.leave_out(&mut events)?;
                let answers = store.publish_within(connection, &events, self.clock.now());
                self.outcomes(&events, answers.await?)
            }
            None => Err(self.of_another_kind("in_tx", "Postgres")),
        }
    }

    /// Publishes events in a transaction; the outcomes stand in their order.
    #[cfg(feature = "sqlite")]
    pub(crate) fn publish_in_tx_sync(
        self: &Arc<Self>,
        transaction: &rusqlite::Transaction<'_>,
        mut events: Vec<Within>,
    ) -> Result<Vec<Published>> {
        match self
            .store
            .transactions()
            .and_then(Transactions::store::<Sqlite>)
        {
            Some(store) => {
                self.leave_out(&mut events)?;
                let answers = store.publish_within(transaction, &events, self.clock.now());
                self.outcomes(&events, answers?)
            }
            None => Err(self.of_another_kind("in_tx_sync", "SQLite")),
        }
    }

    /// Leaves out the functions of this program that do not want them.
    fn leave_out(&self, events: &mut [Within]) -> Result<()> {
        for Within { event, .. } in events {
            if let Target::Subscribers { except } = &mut event.target {
                self.filter(&event.event_type, &event.payload, except)?;
            }
        }
        Ok(())
    }

    fn outcomes(
        &self,
        events: &[Within],
        answers: Vec<Option<PublishedEvent>>,
    ) -> Result<Vec<Published>> {
        let outcomes = events.iter().zip(answers).map(|(within, answer)| {
            let event = &within.event;
            let published = answer.ok_or_else(|| Error::nobody_subscribes(&event.event_type))?;
            if published.conflict {
                return Err(conflict(event));
            }
            if published.runs.is_empty() && !published.duplicate {
                self.nobody_listens(event);
            }
            Ok(self.published(&published))
        });
        outcomes.collect()
    }

    fn of_another_kind(&self, method: &str, wanted: &str) -> Error {
        let store = &self.store;
        Error::new(
            ErrorKind::Config,
            format!(
                "`{method}` publishes in a transaction on a {wanted} store, and the store of this worker is another: {store:?}. \
                 Where rows and runs are in different databases, write events to an outbox table beside the rows, and have a function \
                 publish what is in it. The guide on transactions shows both"
            ),
        )
    }
}
