//! Where runs and their journals live: the [`Store`] trait, its contract and its vocabulary.
//!
//! A store is a small database of runs. It decides nothing about functions: it keeps what the worker tells it to keep,
//! hands due runs to one worker at a time, and refuses writes of a worker whose lease has ended.
#![cfg_attr(feature = "sqlite", doc = "")]
#![cfg_attr(feature = "sqlite", doc = include_str!("../../docs/stores.md"))]

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

pub use crate::clock::Timestamp;
use crate::error::{Error, Result};

#[cfg(feature = "encryption")]
mod encrypted;
mod ending;
mod error;
pub(crate) mod finish;
mod memory;
pub mod parts;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod records;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod transactions;
pub(crate) mod url;

#[cfg(feature = "encryption")]
pub use encrypted::{Encrypted, Reencrypt, Reencrypted};
pub use ending::Ending;
pub use memory::Memory;
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresBuilder};
pub use records::*;
#[cfg(feature = "redis")]
pub use redis::{Redis, RedisBuilder};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteBuilder, Synchronous};
pub use transactions::Transactions;

/// Keeps runs, journals, events and subscriptions.
///
#[doc = include_str!("contract.md")]
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What this store can promise.
    fn capabilities(&self) -> Capabilities;

    /// Begins a worker's session, with what it wants to be started for.
    ///
    /// If another live session has the same name, it ends, and its runs are due.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn register(&self, request: Register) -> Result<WorkerId>;

    /// Ends a session: its runs are due at once, and its name is free.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<()>;

    /// Makes events durable and starts the runs of every subscribed function, in one write.
    ///
    /// The answers stand in the order of the events.
    ///
    /// # Errors
    /// Nothing was written, or the store cannot tell; publishing the same event ids again is safe. Runs that may have been
    /// leased all the same come back by [`release`](Self::release).
    async fn publish(&self, request: Publish) -> Result<Vec<PublishedEvent>>;

    /// Leases due runs to a worker and returns them with their whole journals.
    ///
    /// # Errors
    /// The store cannot be reached or written. Leases that may have been given all the same come back by
    /// [`release`](Self::release). The kind is [`Busy`](crate::ErrorKind::Busy) where the session is not known, or no more: see
    /// [`Error::unknown_session`](crate::Error::unknown_session).
    async fn claim(&self, request: Claim) -> Result<Claimed>;

    /// Writes journal entries and transitions, each commit only if its lease still holds.
    ///
    /// The answers stand in the order of the commits.
    ///
    /// # Errors
    /// Nothing was written, or the store cannot tell; the worker then drops the runs and claims them anew.
    /// The kind is [`TooLarge`](crate::ErrorKind::TooLarge), made with [`Error::too_large`](crate::Error::too_large), where what is
    /// to be written can never be, so that another try does not help; what was written together with it by others is not to suffer.
    async fn commit(&self, request: CommitBatch) -> Result<Vec<CommitOutcome>>;

    /// Applies flow options to a claimed run to which nobody has applied them: it goes on at once, waits, is skipped, or its event
    /// becomes one of another run's.
    ///
    /// A worker asks for this before it drives such a run of a function with flow options. A store without them is never asked.
    ///
    /// # Errors
    /// Nothing was written, or the store cannot tell; the worker then drops the run and claims it anew. The default is one of kind
    /// [`Config`](crate::ErrorKind::Config): a store in front of another that passes its capabilities on has to pass this on as well.
    async fn route(&self, request: Route) -> Result<Routed> {
        let _ = request;
        Err(error::not_passed_on("route"))
    }

    /// The events of a run, in the order of publishing: more than one if it was [batched](Flow::batch). Empty if there is no such run.
    ///
    /// # Errors
    /// The store cannot be reached. The default is one, as that of [`route`](Self::route).
    async fn batch(&self, run: &str) -> Result<Vec<StoredEvent>> {
        let _ = run;
        Err(error::not_passed_on("batch"))
    }

    /// Extends the lease of a worker for all runs that it drives.
    ///
    /// # Errors
    /// The store cannot be reached or written; the lease ends when it would have.
    /// The kind is [`Busy`](crate::ErrorKind::Busy) where the session is not known, or no more: see
    /// [`Error::unknown_session`](crate::Error::unknown_session).
    async fn renew(&self, worker: WorkerId, now: Timestamp, lease: Duration) -> Result<()>;

    /// Which of these leases stand no longer: the run was cancelled, ended, or was taken by another.
    ///
    /// A worker asks for this now and then, so that it stops driving what is no longer its own.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>>;

    /// What has arrived for the open waits of these runs, as far as their leases hold: by `seq`, then by place, of each wait the
    /// earliest that a claim would bring. Runs for which nothing has arrived are left out.
    ///
    /// A worker asks for this when it was [woken](Self::woken) while it drives runs that wait. A store that keeps no waits has no
    /// more to say than this default.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn arrived(&self, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>> {
        let _ = leases;
        Ok(Vec::new())
    }

    /// Gives back every run that a session holds, but for the leases that it keeps; how many.
    ///
    /// A worker asks for this when a `publish` or a `claim` failed: the store may have leased runs of which it never heard.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn release(&self, request: Release) -> Result<usize>;

    /// Returns when another process or worker may have made a run due; it may return without cause.
    ///
    /// A wake-up that comes while nobody waits is kept for the next who does. Where several workers share one store,
    /// a worker that polls this once before it claims, and goes on with the same future after, misses none.
    async fn woken(&self);

    /// The functions that anyone has subscribed, sorted by id.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn subscriptions(&self) -> Result<Vec<Subscription>>;

    /// The event types for which runs may wait, sorted, each once: an event of such a type is published although it starts no run.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn awaited(&self) -> Result<Vec<Arc<str>>> {
        Ok(Vec::new())
    }

    /// One run, or `None` if there is none of that id.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn run(&self, run: &str) -> Result<Option<RunRecord>>;

    /// The journal of a run in the order of `seq`; empty if there is no such run.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn journal(&self, run: &str) -> Result<Vec<Entry>>;

    /// Runs that pass the filter, newest first, a page at a time.
    ///
    /// # Errors
    /// The store cannot be reached, or the mark is one that no page gave: see [`Error::wrong_page_mark`](crate::Error::wrong_page_mark).
    async fn list(&self, filter: RunFilter) -> Result<RunPage>;

    /// How many runs ended at this time or later, by function and status; no more than the last `most` are counted. `None` if the store
    /// has no order by which it could tell that without looking at every run, as this default says.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn ended(&self, since: Timestamp, most: usize) -> Result<Option<EndedLately>> {
        let _ = (since, most);
        Ok(None)
    }

    /// How many runs of each of these functions are due and wait for a worker, in their order; no more than `most` are counted
    /// of each.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>>;

    /// Cancels a run that has not finished; whether there was one.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool>;

    /// Ends at most `most` runs whose time is over, each as [`cancel`](Self::cancel) does, with a result that says why.
    ///
    /// A worker asks for this now and then, and when the next is over. Where no run has limits it costs next to nothing.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn expire(&self, now: Timestamp, most: usize) -> Result<Expired>;

    /// Makes a failed or cancelled run due again, with its failed entries dropped, and those from [`Rerun::from`] on; whether
    /// there was such a run.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn rerun(&self, request: Rerun) -> Result<bool>;

    /// Removes at most `limit` runs that finished before `before`, and at most as many events that started nothing.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged>;

    /// Every function that somebody wants, that has runs which have not finished, or that is paused, sorted by id; of each no more
    /// than `most` runs are counted.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn functions(&self, now: Timestamp, most: usize) -> Result<Vec<FunctionRecord>>;

    /// Pauses a function, which nobody need know: its runs are not claimed until it is [resumed](Self::resume). Whether it was not
    /// paused before.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn pause(&self, function: &str, now: Timestamp) -> Result<bool>;

    /// Ends the pause of a function; whether there was one.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn resume(&self, function: &str, now: Timestamp) -> Result<bool>;

    /// Schedules of these functions that are due, the longest due first and at most `most`; none of a function that is paused.
    ///
    /// A worker asks for this when the next one is due, and now and then. Where none is due it costs next to nothing, however many
    /// there are. A store that keeps no schedules has no more to say than this default.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<DueSchedules> {
        let _ = (functions, now, most);
        Ok(DueSchedules::default())
    }

    /// Writes schedules, each only if it is still of the version that was read, and starts the runs of its ticks in the same write;
    /// which were written, in their order.
    ///
    /// One that is of the new version already was written by this call before its answer was lost, and counts as written.
    ///
    /// # Errors
    /// Nothing was written, or the store cannot tell; the same call may be repeated. The kind is
    /// [`Config`](crate::ErrorKind::Config) where the store keeps no schedules.
    async fn change_schedules(
        &self,
        changes: Vec<ScheduleChange>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        let _ = (changes, now);
        Err(Error::no_schedules())
    }

    /// Schedules in the order of their names, from behind this one and at most `most`.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn schedules(&self, after: Option<&str>, most: usize) -> Result<Vec<ScheduleRow>> {
        let _ = (after, most);
        Ok(Vec::new())
    }

    /// The schedule of this name, if there is one.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>> {
        let _ = name;
        Ok(None)
    }

    /// Cancels at most `limit` unfinished runs of a function that no living session has, drops what ended sessions wanted for it,
    /// and ends its pause.
    ///
    /// # Errors
    /// The kind is [`Conflict`](crate::ErrorKind::Conflict), made with [`Error::function_in_use`](crate::Error::function_in_use), where a
    /// living session has the function. And the store cannot be reached or written.
    async fn forget(&self, function: &str, now: Timestamp, limit: usize) -> Result<Purged>;

    /// The store, if what it writes can be part of a transaction of its users; a store that wraps another one hands on its answer.
    fn transactions(&self) -> Option<Transactions<'_>> {
        None
    }

    /// Keeps what somebody did to a run with it; whether there is such a run.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    async fn note(&self, run: &str, note: Note) -> Result<bool>;

    /// Events as they are kept, at most `limit` at a time: the first, or those behind a [mark](StoredEvents::next) of an earlier call.
    ///
    /// Whoever changes how values are written goes through them. A store that cannot be gone through has no more to say than this
    /// default.
    ///
    /// # Errors
    /// The store cannot be reached, or the mark is one that no call gave: see
    /// [`Error::wrong_page_mark`](crate::Error::wrong_page_mark). Of kind [`Config`](crate::ErrorKind::Config): it cannot do this.
    async fn events(&self, after: Option<&str>, limit: usize) -> Result<StoredEvents> {
        let _ = (after, limit);
        Err(Error::cannot_rewrite())
    }

    /// Puts values in the place of others, each where the other still is; how many.
    ///
    /// # Errors
    /// The store cannot be reached or written. Of kind [`Config`](crate::ErrorKind::Config): it cannot do this.
    async fn substitute(&self, values: Vec<Substitute>) -> Result<usize> {
        let _ = values;
        Err(Error::cannot_rewrite())
    }
}

impl RunFilter {
    /// The number of the run at which the last page ended, where that is how pages are marked.
    fn mark(&self) -> Result<Option<i64>> {
        let mark = self.after.as_ref().map(|mark| mark.parse());
        mark.transpose().map_err(Error::wrong_page_mark)
    }
}

/// A shared store of any kind.
pub type SharedStore = Arc<dyn Store>;
