//! Group commit: writes that wait together go to the server together.
//!
//! One batch is under way at a time. A caller who finds none leads: it writes at once, on its own task, since a way to
//! another task and back costs time. Whoever comes meanwhile waits for the next batch, which a task of its own writes, and
//! the next, until nobody waits. Nothing waits on a timer to fill a batch.
//!
//! No write is forgotten: "is a batch under way?" with the joining, and "does anybody wait?" with the leaving, are each one
//! critical section of the same mutex.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{runtime::Handle, sync::oneshot};

use super::error::Fault;
use crate::store::finish::to_the_end;

/// The most writes of one batch, and about the most bytes.
const MAX_WRITES: usize = 256;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The most bytes of one statement, but for a single value. What is more goes in several, in one transaction: Postgres takes no
/// message of 1 GB.
pub(super) const MAX_STATEMENT: usize = 64 * 1024 * 1024;

/// A value of more bytes can never be sent.
pub(super) const MAX_VALUE: usize = 1_000_000_000;

/// How many of these go into one statement: one at least.
pub(super) fn fitting<T>(all: &[T], size: impl Fn(&T) -> usize) -> usize {
    let mut bytes = 0;
    let fits = all.iter().take_while(|one| {
        bytes += size(one);
        bytes <= MAX_STATEMENT
    });
    fits.count().max(1)
}

/// How writes of one kind are written together.
pub(super) trait Batch: Send + Sync + 'static {
    type Write: Send + Sync + 'static;
    type Answer: Send + 'static;
    /// What a batch touches.
    type Touched: Default + Send;

    /// Adds to what the batch touches, unless the write must not be in one batch with what is there.
    fn joins(write: &Self::Write, touched: &mut Self::Touched) -> bool;

    /// About how many bytes go over the wire.
    fn size(write: &Self::Write) -> usize;

    /// Writes a batch as a whole or not at all; the answers stand in the order of the writes.
    fn write(
        &self,
        writes: &[Self::Write],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Fault>> + Send;

    /// Writes one of a batch that failed. If it was held up, so long was waited that nobody is to wait again for what holds it.
    fn write_alone(
        &self,
        write: &Self::Write,
        _held: bool,
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Fault>> + Send {
        self.write(std::slice::from_ref(write))
    }
}

pub(super) struct Queue<B: Batch> {
    batch: B,
    state: Mutex<State<B>>,
}

struct State<B: Batch> {
    under_way: bool,
    waiting: Vec<Waiting<B>>,
}

type Answered<B> = Result<<B as Batch>::Answer, Fault>;
type Next<B> = (Vec<<B as Batch>::Write>, Vec<Caller<B>>);
type Caller<B> = oneshot::Sender<Answered<B>>;

struct Waiting<B: Batch> {
    write: B::Write,
    caller: Caller<B>,
}

enum Place<B: Batch> {
    Leads(Lead<B>, B::Write),
    Waits(oneshot::Receiver<Answered<B>>),
}

impl<B: Batch> Queue<B> {
    pub(super) fn new(batch: B) -> Self {
        let state = State {
            under_way: false,
            waiting: Vec::new(),
        };
        Self {
            batch,
            state: Mutex::new(state),
        }
    }

    /// Writes, perhaps together with others; returns when it is durable. A write that has begun is finished even if the
    /// caller goes away.
    pub(super) async fn submit(self: &Arc<Self>, write: B::Write) -> Result<B::Answer, Fault> {
        match self.enter(write) {
            Place::Waits(answer) => answer.await.unwrap_or(Err(Fault::Ended)),
            Place::Leads(lead, write) => to_the_end(lead.write(write)).await,
        }
    }

    fn enter(self: &Arc<Self>, write: B::Write) -> Place<B> {
        let mut state = self.state();
        if !state.under_way {
            state.under_way = true;
            return Place::Leads(Lead(Arc::clone(self)), write);
        }
        let (caller, answer) = oneshot::channel();
        state.waiting.push(Waiting { write, caller });
        Place::Waits(answer)
    }

    /// What is written next; if it is nothing, no batch is under way any more.
    fn next(&self) -> Option<Next<B>> {
        let mut state = self.state();
        if state.waiting.is_empty() {
            state.under_way = false;
            return None;
        }
        let mut touched = B::Touched::default();
        let (mut count, mut bytes, mut full) = (0, 0, false);
        let batch = state.waiting.extract_if(.., |waiting| {
            let size = B::size(&waiting.write);
            // Nothing may overtake what has no place, since both may be of one run.
            full |= count == MAX_WRITES || count > 0 && bytes + size > MAX_BYTES;
            let joins = !full && B::joins(&waiting.write, &mut touched);
            if joins {
                count += 1;
                bytes += size;
            }
            joins
        });
        Some(batch.map(|waiting| (waiting.write, waiting.caller)).unzip())
    }

    // No panic reaches the lock with the data half-changed.
    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write: of a caller, for one write. Whoever waits at the end of it gets a task.
struct Lead<B: Batch>(Arc<Queue<B>>);

impl<B: Batch> Lead<B> {
    async fn write(self, write: B::Write) -> Result<B::Answer, Fault> {
        let answers = self.0.batch.write(std::slice::from_ref(&write)).await?;
        Ok(only(answers))
    }
}

impl<B: Batch> Drop for Lead<B> {
    fn drop(&mut self) {
        {
            let mut state = self.0.state();
            if state.waiting.is_empty() {
                state.under_way = false;
                return;
            }
        }
        let rest = Rest {
            queue: Arc::clone(&self.0),
            done: false,
        };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(rest.write());
        }
    }
}

/// The right to write: of a task, for all that wait.
struct Rest<B: Batch> {
    queue: Arc<Queue<B>>,
    done: bool,
}

impl<B: Batch> Rest<B> {
    async fn write(mut self) {
        while let Some((writes, callers)) = self.queue.next() {
            self.write_batch(&writes, callers).await;
        }
        self.done = true;
    }

    async fn write_batch(&self, writes: &[B::Write], callers: Vec<Caller<B>>) {
        let batch = &self.queue.batch;
        match batch.write(writes).await {
            Ok(answers) => {
                for (caller, answer) in callers.into_iter().zip(answers) {
                    // A caller who has gone does not want to know.
                    drop(caller.send(Ok(answer)));
                }
            }
            // It may be the fault of one, which the others need not suffer for.
            Err(fault) if writes.len() > 1 && !fault.is_of_the_store() => {
                let held = matches!(fault, Fault::Held(_));
                for (write, caller) in writes.iter().zip(callers) {
                    let alone = batch.write_alone(write, held).await;
                    drop(caller.send(alone.map(only)));
                }
            }
            Err(fault) => {
                for caller in callers {
                    drop(caller.send(Err(fault.clone())));
                }
            }
        }
    }
}

impl<B: Batch> Drop for Rest<B> {
    fn drop(&mut self) {
        if !self.done {
            // The task was dropped with its runtime. Those who wait are told so, by the end of their channels.
            let mut state = self.queue.state();
            state.waiting.clear();
            state.under_way = false;
        }
    }
}

fn only<T>(mut answers: Vec<T>) -> T {
    answers.pop().expect("each write has its answer")
}

#[cfg(test)]
mod tests;
