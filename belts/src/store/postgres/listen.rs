//! The connection that listens: it hears of runs that others made due, and its locks show that this process lives.
//!
//! Both end with the connection. A new one takes the locks again, and wakes once, since something may have been missed. Until
//! then another connection says so, and its sessions last as long as their leases.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{sync::Notify, task::JoinHandle, time::Instant};

use super::{
    connections::{in_time, settle},
    database::Database,
    error::Fault,
    sql::Parameters,
};
use crate::{plain::Clean, store::WorkerId};

/// How often the connection is tried, and a lock asked for that an earlier connection of ours still has.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Waits between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The sessions of this store and the task that holds their locks.
#[derive(Default)]
pub(super) struct Listener {
    sessions: Arc<Sessions>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// The sessions whose locks are to be held.
#[derive(Default)]
struct Sessions {
    wanted: Mutex<HashSet<WorkerId>>,
    changed: Notify,
    /// Whether others go by their locks, since one was taken.
    watched: AtomicBool,
}

impl Listener {
    /// Begins to listen, if that has not begun, or has ended with its runtime.
    pub(super) fn start(&self, database: &Arc<Database>) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let (database, sessions) = (Arc::clone(database), Arc::clone(&self.sessions));
            *task = Some(tokio::spawn(listen(database, sessions)));
        }
    }

    pub(super) fn hold(&self, database: &Arc<Database>, worker: WorkerId) {
        self.sessions.wanted().insert(worker);
        self.sessions.changed.notify_one();
        self.start(database);
    }

    pub(super) fn release(&self, worker: WorkerId) {
        self.sessions.wanted().remove(&worker);
        self.sessions.changed.notify_one();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl Sessions {
    fn wanted(&self) -> std::sync::MutexGuard<'_, HashSet<WorkerId>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait before the next connection, whatever ended the last.
#[derive(Default)]
struct Pause(Duration);

impl Pause {
    /// The wait after a connection that was of use for so long: one that fails as soon as it is open is no better than none.
    fn after(&mut self, lasted: Duration) -> Duration {
        if lasted > LOOK_EVERY {
            self.0 = Duration::ZERO;
        }
        let pause = self.0;
        self.0 = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        pause
    }
}

/// The life of the task.
async fn listen(database: Arc<Database>, sessions: Arc<Sessions>) {
    let mut pause = Pause::default();
    loop {
        let mut lasted = Duration::ZERO;
        match Ear::open(&database).await {
            Ok(mut ear) => {
                let since = Instant::now();
                database.wake.wake();
                let fault = ear.attend(&database, &sessions).await;
                lasted = since.elapsed();
                tracing::warn!(fault = %Clean(&fault), "the connection that listens to Postgres failed; reconnecting");
            }
            Err(fault) => {
                tracing::warn!(fault = %Clean(&fault), "cannot connect to listen to Postgres; runs published by other \
                 processes are found by polling");
            }
        }
        rely_on_leases(&database, &sessions).await;
        wait(pause.after(lasted)).await;
    }
}

/// Says once after each loss of the connection that nobody is to go by the locks of these sessions: the process lives, and the
/// server may have no connection left that could hold them.
async fn rely_on_leases(database: &Database, sessions: &Sessions) {
    if !sessions.watched.load(Ordering::Acquire) {
        return;
    }
    let wanted: Vec<i64> = sessions.wanted().iter().map(|worker| worker.0).collect();
    let parameters = Parameters::default().bind(wanted);
    let said = database.rows_beside(&database.sql.rely_on_leases, parameters);
    if let Ok(Ok(_)) = tokio::time::timeout(LOOK_EVERY, said).await {
        sessions.watched.store(false, Ordering::Release);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how soon a server is asked again is no matter of the worker's clock"
)]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// A connection that does not answer soon is replaced: others wait only a few seconds for a missing lock.
async fn soon<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Fault> {
    let answer = tokio::time::timeout(LOOK_EVERY, in_time(answer)).await;
    answer.unwrap_or(Err(Fault::Silent))
}

/// One connection that listens.
struct Ear {
    listener: PgListener,
    /// The sessions whose locks it has.
    held: HashSet<WorkerId>,
    pool: PgPool,
}

impl Ear {
    async fn open(database: &Database) -> Result<Self, Fault> {
        // Of its own, with what the store's pool connects with by now.
        let options = database.connections().pool().connect_options();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(|connection, _| Box::pin(settle(connection)))
            .connect_lazy_with((*options).clone());
        let mut listener = in_time(PgListener::connect_with(&pool)).await?;
        listener.eager_reconnect(false);
        in_time(listener.listen(database.schema.name())).await?;
        Ok(Self {
            listener,
            held: HashSet::new(),
            pool,
        })
    }

    /// Listens and holds locks until the connection fails.
    async fn attend(&mut self, database: &Database, sessions: &Sessions) -> Fault {
        loop {
            if let Err(fault) = self.hold_locks(database, sessions).await {
                return fault;
            }
            if let Err(fault) = self.hear(database, sessions).await {
                return fault;
            }
        }
    }

    /// Listens until it is time to look at the locks again, which also tries the connection.
    async fn hear(&mut self, database: &Database, sessions: &Sessions) -> Result<(), Fault> {
        let tick = wait(LOOK_EVERY);
        tokio::pin!(tick);
        loop {
            tokio::select! {
                heard = self.listener.try_recv() => match heard? {
                    Some(notification) if notification.payload() == database.store => {}
                    Some(_) => database.wake.wake(),
                    None => return Err(Fault::Silent),
                },
                () = sessions.changed.notified() => return Ok(()),
                () = &mut tick => {
                    let held: Vec<i64> = self.held.iter().map(|worker| worker.0).collect();
                    let rely = sqlx::query(database.sql.rely_on_locks.sql()).bind(held);
                    let alive = rely.execute(&mut self.listener);
                    return soon(alive).await.map(drop);
                }
            }
        }
    }

    /// Takes the locks of new sessions, and gives back those of ended ones.
    async fn hold_locks(&mut self, database: &Database, sessions: &Sessions) -> Result<(), Fault> {
        let wanted = sessions.wanted().clone();
        for worker in wanted.difference(&self.held).copied().collect::<Vec<_>>() {
            let watch = sqlx::query_as(database.sql.watch.sql()).bind(worker.0);
            let (known, taken): (bool, bool) = in_time(watch.fetch_one(&mut self.listener)).await?;
            if taken {
                sessions.watched.store(true, Ordering::Release);
                self.held.insert(worker);
            } else if !known {
                // Somebody else has ended the session.
                sessions.wanted().remove(&worker);
            }
        }
        for worker in self.held.difference(&wanted).copied().collect::<Vec<_>>() {
            let unwatch = sqlx::query(database.sql.unwatch.sql()).bind(worker.0);
            in_time(unwatch.execute(&mut self.listener)).await?;
            self.held.remove(&worker);
        }
        Ok(())
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // Its connection is closed as soon as it comes back.
        drop(self.pool.close());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A role that is read-only by default could connect, and then not take its locks: it connected 22 times a second.
    #[test]
    fn connection_that_fails_at_once_is_tried_less_and_less() {
        let mut pause = Pause::default();
        let mut waits = |lasted: u64| pause.after(Duration::from_millis(lasted)).as_millis();
        assert_eq!([waits(0), waits(3), waits(0), waits(9)], [0, 50, 100, 200]);
        for _ in 0..5 {
            waits(1);
        }
        assert_eq!(waits(1), 2_000);
        // One that did its work for a while may be replaced at once.
        assert_eq!([waits(60_000), waits(0)], [0, 50]);
    }
}
