//! The queue, with a server that only takes notes.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use tokio::sync::Semaphore;

use super::{Batch, Queue};
use crate::store::postgres::error::Fault;

/// Notes each batch. A batch is begun when it gets a permit; a negative number spoils its batch, and one below -10 panics.
struct Notes {
    permits: Arc<Semaphore>,
    batches: Arc<Mutex<Vec<Vec<i32>>>>,
}

impl Batch for Notes {
    type Write = i32;
    type Answer = i32;
    type Touched = HashSet<i32>;

    fn joins(write: &i32, touched: &mut HashSet<i32>) -> bool {
        touched.insert(*write)
    }

    fn size(_: &i32) -> usize {
        1
    }

    async fn write(&self, writes: &[i32]) -> Result<Vec<i32>, Fault> {
        self.permits
            .acquire()
            .await
            .expect("it is never closed")
            .forget();
        assert!(writes.iter().all(|write| *write >= -10), "a bug");
        if writes.iter().any(|write| *write < 0) {
            return Err(Fault::Row("number"));
        }
        self.batches
            .lock()
            .expect("nobody panics here")
            .push(writes.to_vec());
        Ok(writes.iter().map(|write| write * 10).collect())
    }
}

struct TestQueue {
    queue: Arc<Queue<Notes>>,
    permits: Arc<Semaphore>,
    batches: Arc<Mutex<Vec<Vec<i32>>>>,
}

type Submitted = tokio::task::JoinHandle<Result<i32, Fault>>;

impl TestQueue {
    fn new() -> Self {
        let (permits, batches) = (Arc::new(Semaphore::new(0)), Arc::default());
        let notes = Notes {
            permits: Arc::clone(&permits),
            batches: Arc::clone(&batches),
        };
        Self {
            queue: Arc::new(Queue::new(notes)),
            permits,
            batches,
        }
    }

    /// Submits one write after the other, each from a task of its own.
    async fn submit(&self, writes: impl IntoIterator<Item = i32>) -> Vec<Submitted> {
        let mut submitted = Vec::new();
        for write in writes {
            let queue = Arc::clone(&self.queue);
            submitted.push(tokio::spawn(async move { queue.submit(write).await }));
            tokio::task::yield_now().await;
        }
        submitted
    }

    fn batches(&self) -> Vec<Vec<i32>> {
        self.batches.lock().expect("nobody panics here").clone()
    }
}

async fn answers(submitted: Vec<Submitted>) -> Vec<Option<i32>> {
    let mut answers = Vec::new();
    for answer in submitted {
        answers.push(answer.await.expect("no caller panics").ok());
    }
    answers
}

#[tokio::test]
async fn those_who_wait_together_are_written_together() {
    let queue = TestQueue::new();
    let submitted = queue.submit(1..=4).await;
    queue.permits.add_permits(9);
    assert_eq!(
        answers(submitted).await,
        [Some(10), Some(20), Some(30), Some(40)]
    );
    assert_eq!(queue.batches(), [vec![1], vec![2, 3, 4]]);
    assert_eq!(
        queue.queue.submit(5).await.ok(),
        Some(50),
        "the next one leads again"
    );
}

#[tokio::test]
async fn what_may_not_be_in_one_batch_waits_for_the_next() {
    let queue = TestQueue::new();
    let submitted = queue.submit([1, 2, 2, 3, 2]).await;
    queue.permits.add_permits(9);
    assert_eq!(answers(submitted).await.len(), 5);
    assert_eq!(queue.batches(), [vec![1], vec![2, 3], vec![2], vec![2]]);
}

#[tokio::test]
async fn one_bad_write_does_not_spoil_the_others() {
    let queue = TestQueue::new();
    let submitted = queue.submit([1, 2, -1, 3]).await;
    queue.permits.add_permits(9);
    assert_eq!(
        answers(submitted).await,
        [Some(10), Some(20), None, Some(30)]
    );
}

/// The future of a caller was dropped while it led the batch, and everybody after it waited for ever.
#[tokio::test]
async fn a_write_is_finished_when_its_caller_goes_away() {
    let queue = TestQueue::new();
    let mut submitted = queue.submit([1, 2]).await;
    let leader = submitted.remove(0);
    leader.abort();
    assert!(leader.await.expect_err("it was aborted").is_cancelled());
    queue.permits.add_permits(9);
    assert_eq!(answers(submitted).await, [Some(20)]);
    assert_eq!(queue.batches(), [vec![1], vec![2]]);
}

#[tokio::test]
async fn a_panic_is_that_of_its_batch_alone() {
    let queue = TestQueue::new();
    let mut submitted = queue.submit([-11, 2, -12, 3]).await;
    queue.permits.add_permits(9);
    let leader = submitted.remove(0);
    assert!(leader.await.expect_err("it was the leader's").is_panic());
    assert_eq!(answers(submitted).await, [None, None, None]);
    assert_eq!(
        queue.queue.submit(5).await.ok(),
        Some(50),
        "the queue lives on"
    );
}

#[test]
fn those_who_wait_hear_of_the_end_of_the_runtime() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime can be made")
    };
    let (first, second) = (runtime(), runtime());
    let queue = TestQueue::new();
    // One leads, one is in the batch of the task behind it, and one waits for the next; the one on the other runtime as well.
    let mut submitted = first.block_on(queue.submit([1, 2]));
    queue.permits.add_permits(1);
    let led = first
        .block_on(submitted.remove(0))
        .expect("it does not panic");
    assert_eq!(led.ok(), Some(10));
    let waiting = second.block_on(queue.submit([3]));
    drop(first);
    assert_eq!(second.block_on(answers(waiting)), [None]);
    queue.permits.add_permits(9);
    assert_eq!(second.block_on(queue.queue.submit(4)).ok(), Some(40));
}
