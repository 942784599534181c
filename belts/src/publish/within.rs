//! Publishing in a transaction of the user's own: what is published exists if that is committed, and never otherwise.

use super::{
    all::{PublishAll, is_same},
    one::{Publish, Ready},
    published::Published,
};
use crate::{
    error::{Error, ErrorKind, Result},
    store::transactions::Within,
    worker::Worker,
};

/// Events that are to be published by one worker.
type Together = (Worker, Vec<Within>);

impl Publish {
    /// Publishes in a transaction on the Postgres database of the worker's store: the event and the runs that it starts exist if, and
    /// only if, that transaction is committed, and then other workers hear of them.
    ///
    /// It takes whatever dereferences to sqlx's `PgConnection`: `&mut tx` of a transaction, `&mut *connection` of a pool, or
    /// `&mut **tx` in a [`transaction!`](macro@crate::transaction). It is one statement, so on a connection outside of any transaction
    /// it is whole as well. A [dispatcher](crate::dispatch) is passed by: some worker with a [loop](crate::Worker::run) starts what is in the store.
    /// [The guide](crate::guide::transactions) tells more.
    ///
    /// ```no_run
    /// # use belts::{Event, sqlx};
    /// # #[derive(serde::Serialize, serde::Deserialize, Event)]
    /// # struct OrderCreated { order_id: String }
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut tx = pool.begin().await?;
    /// sqlx::query("INSERT INTO orders (id) VALUES ($1)").bind("o-17").execute(&mut *tx).await?;
    /// publish_order_created(OrderCreated { order_id: "o-17".into() }).in_tx(&mut tx).await?;
    /// tx.commit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for each publish; and of kind [`Config`](ErrorKind::Config) where the store is another one, or the transaction is on another
    /// database or has no right to publish. An error of the server is the [source](std::error::Error::source), and has ended the
    /// transaction as each error of Postgres does.
    #[cfg(feature = "postgres")]
    pub async fn in_tx(self, connection: &mut sqlx::PgConnection) -> Result<Published> {
        let (worker, events) = one(self)?;
        only(worker.shared().publish_in_tx(connection, events).await?)
    }

    /// Publishes in a transaction on the SQLite database of the worker's store: the event and the runs that it starts exist if, and
    /// only if, that transaction is committed, and then workers hear of them.
    ///
    /// The transaction is one of the connection that the application has opened on the same file. Begin it with
    /// [`TransactionBehavior::Immediate`](crate::rusqlite::TransactionBehavior::Immediate), so that it waits for other writers at its
    /// beginning and not in the middle. [The guide](crate::guide::transactions) tells more.
    ///
    /// ```
    /// # use belts::{Event, Worker, rusqlite::{self, TransactionBehavior}, store::Sqlite};
    /// # #[derive(serde::Serialize, serde::Deserialize, Event)]
    /// # struct OrderCreated { order_id: String }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = std::env::temp_dir().join(format!("belts-in-tx-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("app.db");
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let worker = Worker::builder().publish_only().store(Sqlite::open(&path).await?).build().await?;
    ///
    /// let mut connection = rusqlite::Connection::open(&path)?;
    /// connection.execute("CREATE TABLE orders (id TEXT PRIMARY KEY)", [])?;
    /// let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    /// tx.execute("INSERT INTO orders (id) VALUES ('o-17')", [])?;
    /// publish_order_created(OrderCreated { order_id: "o-17".into() }).via(&worker).in_tx_sync(&tx)?;
    /// tx.commit()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for each publish; and of kind [`Config`](ErrorKind::Config) where the store is another one, or the transaction is on another
    /// database. What fails leaves nothing behind in the transaction, which goes on.
    #[cfg(feature = "sqlite")]
    pub fn in_tx_sync(self, transaction: &rusqlite::Transaction<'_>) -> Result<Published> {
        let (worker, events) = one(self)?;
        only(worker.shared().publish_in_tx_sync(transaction, events)?)
    }
}

impl PublishAll {
    /// Publishes them all in a transaction, as [`Publish::in_tx`] does, in one statement. If one of them is refused, roll the
    /// transaction back.
    ///
    /// # Errors
    /// As for each event; the first error if any failed. And all must go by one worker.
    #[cfg(feature = "postgres")]
    pub async fn in_tx(self, connection: &mut sqlx::PgConnection) -> Result<Vec<Published>> {
        match together(self)? {
            Some((worker, events)) => worker.shared().publish_in_tx(connection, events).await,
            None => Ok(Vec::new()),
        }
    }

    /// Publishes them all in a transaction, as [`Publish::in_tx_sync`] does. If one of them is refused, roll the transaction back.
    ///
    /// # Errors
    /// As for each event; the first error if any failed. And all must go by one worker.
    #[cfg(feature = "sqlite")]
    pub fn in_tx_sync(self, transaction: &rusqlite::Transaction<'_>) -> Result<Vec<Published>> {
        match together(self)? {
            Some((worker, events)) => worker.shared().publish_in_tx_sync(transaction, events),
            None => Ok(Vec::new()),
        }
    }
}

fn one(event: Publish) -> Result<Together> {
    let ready = event.checked(None)?;
    ready.warn_outside_step();
    Ok((ready.worker.clone(), vec![within(ready)]))
}

fn only(mut published: Vec<Published>) -> Result<Published> {
    published.pop().ok_or_else(|| {
        let text = "the store returned no result for a published event";
        Error::new(ErrorKind::Store, text)
    })
}

fn within(ready: Ready) -> Within {
    Within {
        event: ready.event,
        must_start: ready.check.0.is_some(),
    }
}

/// The events with the worker that they all go by; `None` if there are none.
fn together(all: PublishAll) -> Result<Option<Together>> {
    let mut together: Option<Together> = None;
    let mut warned = false;
    for event in all.events {
        let ready = event.checked(all.worker.clone())?;
        warned = warned || ready.warn_outside_step();
        let (worker, events) = together.get_or_insert_with(|| (ready.worker.clone(), Vec::new()));
        if !is_same(worker, &ready.worker) {
            return Err(Error::new(
                ErrorKind::Config,
                "the events of one transaction go by different workers, and so to different stores: name the same one for all",
            ));
        }
        events.push(within(ready));
    }
    Ok(together)
}
