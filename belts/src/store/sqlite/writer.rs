//! The group-commit queue: all writes of a store pass through here, and those that wait together are one transaction.
//!
//! The connection has one owner at a time. A caller who finds it without owner, and nobody waiting, owns it for one
//! transaction on its own thread, since a way to another thread and back costs half a commit. Everybody else queues.
//! An owner who finds the queue empty gives the connection up; one who does not hands it to the writer thread, which
//! drains the queue, transaction by transaction, until it is empty.
//!
//! No write is forgotten: "is it owned?" with the push, and "is the queue empty?" with the giving up, are each one
//! critical section of the same mutex. So a write is pushed only while there is an owner who has yet to look.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    builder::Synchronous,
    error::Fault,
    files::Presence,
    names::SharedNames,
    turn::{Lender, Next, Turn, Turns},
    tx::{Recall, Tx},
};
use crate::{error::Error, store::parts::Wake};

/// The most writes of one transaction, so that other processes get their turn.
const MAX_BATCH: usize = 1024;

/// The writing connection of a store and the queue before it.
pub(super) struct Writer {
    path: PathBuf,
    pub(super) presence: Presence,
    queue: Mutex<Queue>,
    handed: Condvar,
    /// Only the owner locks it, so nobody ever waits here.
    connection: Mutex<WriteConnection>,
    /// Connections for transactions of users that nobody uses.
    lent: Mutex<Vec<Connection>>,
    synchronous: Synchronous,
    pub(super) names: SharedNames,
    pub(super) wake: Wake,
}

#[derive(Default)]
struct Queue {
    /// Somebody owns the connection.
    owned: bool,
    /// The owner is the writer thread.
    handed: bool,
    closed: bool,
    waiting: Vec<Box<dyn Queued>>,
    /// Those who want the database for transactions on connections of their own.
    turns: Turns,
}

/// The writing connection, for whoever owns it.
struct WriteConnection {
    connection: Connection,
    recall: Recall,
    synchronous: Synchronous,
    /// What the connection is set to.
    present: Synchronous,
}

/// Sets how sure the next commit is.
fn prepare(
    connection: &Connection,
    present: &mut Synchronous,
    wanted: Synchronous,
) -> rusqlite::Result<()> {
    if wanted != *present {
        // SQLite sets it when the statement is prepared, so it cannot be kept.
        connection.pragma_update(None, "synchronous", wanted.name())?;
        *present = wanted;
    }
    Ok(())
}

/// What a write must outlive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lasts {
    /// The process alone: who has which lease, for where the machine fails nobody has one any more. The next write that must
    /// last takes it along.
    BeyondTheProcess,
    BeyondTheMachine,
}

/// A write in the queue.
trait Queued: Send {
    /// What it must outlive.
    fn lasts(&self) -> Lasts;

    /// Does the write; may be called again after a rollback.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Fault>;

    /// Tells the caller, after the commit.
    fn answer(self: Box<Self>, result: Result<(), Error>);
}

struct Write<W, T> {
    lasts: Lasts,
    work: W,
    done: Option<T>,
    caller: oneshot::Sender<Result<T, Error>>,
}

impl<W, T> Queued for Write<W, T>
where
    W: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn lasts(&self) -> Lasts {
        self.lasts
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        self.done = Some((self.work)(tx)?);
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<(), Error>) {
        let Self { done, caller, .. } = *self;
        let answer = result.map(|()| done.expect("a write that succeeded has its answer"));
        // A caller who has gone does not want to know.
        drop(caller.send(answer));
    }
}

impl Writer {
    pub(super) fn new(path: PathBuf, connection: Connection, synchronous: Synchronous) -> Self {
        Self {
            presence: Presence::new(&path),
            path,
            queue: Mutex::default(),
            handed: Condvar::new(),
            connection: Mutex::new(WriteConnection {
                connection,
                recall: Recall::default(),
                synchronous,
                present: synchronous,
            }),
            lent: Mutex::default(),
            synchronous,
            names: SharedNames::default(),
            wake: Wake::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn synchronous(&self) -> Synchronous {
        self.synchronous
    }

    /// Connections for transactions of users that nobody uses.
    pub(super) fn lent(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else of this process writes.
    pub(super) async fn turn(self: &Arc<Self>) -> Turn {
        loop {
            let turn = {
                let mut queue = self.queue();
                if !queue.owned {
                    queue.owned = true;
                    return Turn::new(Arc::clone(self) as Arc<dyn Lender>);
                }
                queue.turns.wait(Arc::clone(self) as Arc<dyn Lender>)
            };
            if let Ok(turn) = turn.await {
                return turn;
            }
        }
    }

    /// Does a write in a transaction, perhaps together with others; returns after the commit.
    ///
    /// A queued write is done even if the caller goes away.
    pub(super) async fn submit<T, W>(&self, work: W) -> Result<T, Error>
    where
        W: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        self.submit_as(Lasts::BeyondTheMachine, work).await
    }

    /// The same for a write about leases alone, for which nobody waits until the disk has it.
    pub(super) async fn submit_leases<T, W>(&self, work: W) -> Result<T, Error>
    where
        W: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        self.submit_as(Lasts::BeyondTheProcess, work).await
    }

    async fn submit_as<T, W>(&self, lasts: Lasts, mut work: W) -> Result<T, Error>
    where
        W: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let (caller, answer) = if self.own() {
            match self.transact(Patience::None, lasts, &mut work) {
                // Another process writes. Waiting for it is the thread's business, not that of an async caller.
                Err(fault) if fault.is_busy() => {
                    let (caller, answer) = oneshot::channel();
                    self.queue().waiting.insert(
                        0,
                        Box::new(Write {
                            lasts,
                            work,
                            done: None,
                            caller,
                        }),
                    );
                    self.give_up(Next::Turn);
                    return self.received(answer.await);
                }
                result => {
                    self.give_up(Next::Turn);
                    return result.map_err(|fault| fault.into_error(&self.path));
                }
            }
        } else {
            oneshot::channel()
        };
        self.enqueue(Box::new(Write {
            lasts,
            work,
            done: None,
            caller,
        }));
        self.received(answer.await)
    }

    fn received<T>(
        &self,
        answer: Result<Result<T, Error>, oneshot::error::RecvError>,
    ) -> Result<T, Error> {
        answer.unwrap_or_else(|_| Err(Fault::Panicked.into_error(&self.path)))
    }

    /// Looks whether another process has committed, unless the connection is in use; answers whether it looked.
    pub(super) fn look(&self) -> bool {
        if !self.own() {
            return false;
        }
        let changed = {
            let owned = &mut *self.connection();
            // What fails here fails the next write as well, where somebody hears of it.
            owned.recall.look(&owned.connection).unwrap_or(false)
        };
        self.give_up(Next::Turn);
        if changed {
            self.wake.wake();
        }
        true
    }

    /// The life of the writer thread.
    pub(super) fn serve(&self) {
        let mut queue = self.queue();
        loop {
            while !queue.handed {
                if queue.closed {
                    return;
                }
                queue = self
                    .handed
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            // A turn was last, or the first write has waited for as long.
            let mut next = Next::Write;
            loop {
                let writes_wait = !queue.waiting.is_empty();
                if let Some(turn) = queue.turns.next(next, writes_wait) {
                    queue.handed = false;
                    drop(queue);
                    let given = turn.give();
                    queue = self.queue();
                    if given {
                        break;
                    }
                    queue.handed = true;
                    continue;
                }
                if queue.waiting.is_empty() {
                    queue.handed = false;
                    queue.owned = false;
                    break;
                }
                let size = queue.waiting.len().min(MAX_BATCH);
                let batch: Vec<_> = queue.waiting.drain(..size).collect();
                drop(queue);
                self.write(batch);
                queue = self.queue();
                next = Next::Turn;
            }
        }
    }

    /// Ends the writer thread once the queue is empty.
    pub(super) fn close(&self) {
        self.queue().closed = true;
        self.handed.notify_one();
    }

    fn own(&self) -> bool {
        let mut queue = self.queue();
        let free = !queue.owned;
        queue.owned = true;
        free
    }

    fn enqueue(&self, write: Box<dyn Queued>) {
        let mut queue = self.queue();
        queue.waiting.push(write);
        // The owner may have given up since the caller looked.
        if !queue.owned {
            queue.owned = true;
            queue.handed = true;
            drop(queue);
            self.handed.notify_one();
        }
    }

    fn give_up(&self, next: Next) {
        loop {
            let mut queue = self.queue();
            let writes_wait = !queue.waiting.is_empty();
            if let Some(turn) = queue.turns.next(next, writes_wait) {
                drop(queue);
                if turn.give() {
                    return;
                }
                continue;
            }
            if queue.waiting.is_empty() {
                queue.owned = false;
            } else {
                queue.handed = true;
                drop(queue);
                self.handed.notify_one();
            }
            return;
        }
    }

    /// Writes a batch on the writer thread, where waiting for another process is allowed.
    fn write(&self, mut batch: Vec<Box<dyn Queued>>) {
        let longest = batch.iter().map(|write| write.lasts()).max();
        let lasts = longest.unwrap_or(Lasts::BeyondTheMachine);
        let together = self.transact(Patience::Wait, lasts, |tx| {
            tx.look()?;
            batch.iter_mut().try_for_each(|write| write.run(tx))
        });
        match together {
            // It may be the fault of one, which the others need not suffer for.
            Err(fault) if batch.len() > 1 && !fault.is_of_the_store() => {
                for mut write in batch {
                    let lasts = write.lasts();
                    let alone = self.transact(Patience::Wait, lasts, |tx| write.run(tx));
                    write.answer(alone.map_err(|fault| fault.into_error(&self.path)));
                }
            }
            result => {
                for write in batch {
                    write.answer(result.clone().map_err(|fault| fault.into_error(&self.path)));
                }
            }
        }
    }

    /// Does `body` in one transaction on this thread. Only for the owner.
    fn transact<T>(
        &self,
        patience: Patience,
        lasts: Lasts,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let owned = &mut *self.connection();
        let wanted = match lasts {
            Lasts::BeyondTheMachine => owned.synchronous,
            Lasts::BeyondTheProcess => Synchronous::Normal,
        };
        let (connection, present) = (&owned.connection, &mut owned.present);
        let mut tx = Tx::new(connection, &self.names, &mut owned.recall);
        let whole = || {
            prepare(connection, present, wanted)?;
            begin(&tx, patience)?;
            let done = body(&mut tx)?;
            self.presence.check()?;
            tx.execute("COMMIT", [])?;
            Ok(done)
        };
        let result = catch_unwind(AssertUnwindSafe(whole)).unwrap_or(Err(Fault::Panicked));
        let wakes = tx.wakes;
        if result.is_ok() {
            tx.names.share();
        } else {
            tx.forget();
            if !connection.is_autocommit() {
                // After some errors SQLite has rolled back already; where it cannot, the next BEGIN says so.
                drop(connection.execute_batch("ROLLBACK"));
            }
        }
        if wakes {
            self.wake.wake();
        }
        result
    }

    // No panic reaches these locks with the data half-changed: writes are caught above.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> MutexGuard<'_, WriteConnection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether to wait while another process writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    None,
    Wait,
}

/// Begins to write. Where another process does, it is mostly done within a millisecond; the end is after about 5 s.
fn begin(tx: &Tx<'_>, patience: Patience) -> Result<(), Fault> {
    for times in 0_u32.. {
        let pause = match times {
            0..20 => Duration::from_micros(100),
            20..100 => Duration::from_millis(1),
            _ => Duration::from_millis(5),
        };
        match tx.execute("BEGIN IMMEDIATE", []) {
            Err(fault) if fault.is_busy() && patience == Patience::Wait && times < 1_000 => {
                std::thread::sleep(pause);
            }
            result => return result.map(drop),
        }
    }
    Ok(())
}

impl Lender for Writer {
    fn take_back(&self) {
        self.give_up(Next::Write);
    }
}

#[cfg(test)]
mod tests;
