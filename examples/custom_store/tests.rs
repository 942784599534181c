//! The conformance suite over the store, and what no suite can know of it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use belts::{
    Result, Timestamp,
    conformance::store::Storage,
    store::{
        Capacity, Claim, Commit, CommitBatch, Entry, FunctionCapacity, NewEvent, Publish, Register,
        RunStatus, SharedStore, StepKind, StepState, Store, Target,
    },
};
use redb::TableDefinition;
use tempfile::TempDir;

use crate::store::FileStore;

/// A file of its own for each case. Clients at one time share it, since one process has it open once; where none is left it is
/// closed, and the next client opens it again.
struct InFile {
    directory: TempDir,
    open: Mutex<Weak<dyn Store>>,
}

impl InFile {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Self {
            directory,
            open: Mutex::new(Weak::<FileStore>::new()),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("runs.redb")
    }
}

#[async_trait]
impl Storage for InFile {
    async fn open(&self) -> Result<SharedStore> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.upgrade() {
            return Ok(store);
        }
        let store: SharedStore = Arc::new(FileStore::open(self.path())?);
        *open = Arc::downgrade(&store);
        Ok(store)
    }
}

mod conformance {
    belts::store_conformance!(super::InFile::new());
}

/// Writes a run with one step into a new file, spoils the step, and claims the run again: its record, and when it is due.
async fn spoiled(row: &[u8]) -> Result<(RunStatus, Option<Timestamp>)> {
    type Row = (&'static [u8], &'static [u8]);
    const STEPS: TableDefinition<'_, (i64, u32), Row> = TableDefinition::new("steps");
    let [now, later] = [1_000, 1_000_000].map(Timestamp::from_millis);
    let storage = InFile::new();
    let store = storage.open().await?;
    let worker = store.register(Register::new(now, LEASE)).await?;
    let capacity = Capacity::new(worker, 1, [FunctionCapacity::new("f", 1)]);
    let target = Target::function("f", Some("spoiled".into()));
    let event = NewEvent::new("e", "t", *b"{}", now).with_target(target);
    let publish = Publish::new(vec![event], now).with_claim(capacity);
    let published = store.publish(publish).await?;
    let lease = published[0].runs[0].lease.expect("the worker has room");
    let step = Entry::new(0, "one", StepKind::Step, StepState::Completed, now);
    let commit = Commit::new(lease).with_entries(vec![step]);
    store.commit(CommitBatch::new(vec![commit], now)).await?;
    drop(store);

    let file = redb::Database::create(storage.path()).expect("the file is closed");
    let transaction = file.begin_write().expect("it can be written");
    let mut steps = transaction.open_table(STEPS).expect("the table is there");
    steps
        .insert((lease.run, 0), (row, &b""[..]))
        .expect("it can be written");
    drop(steps);
    transaction.commit().expect("it can be written");
    drop(file);

    let store = storage.open().await?;
    let worker = store.register(Register::new(later, LEASE)).await?;
    let capacity = Capacity::new(worker, 1, [FunctionCapacity::new("f", 1)]);
    let claimed = store.claim(Claim::new(capacity, later)).await?;
    assert!(claimed.runs.is_empty());
    assert_eq!(&*claimed.set_aside[0].run_id, "spoiled");
    let record = store.run("spoiled").await?.expect("it is there");
    assert!(record.result.is_some(), "the record tells the error");
    Ok((record.status, record.due_at))
}

const LEASE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn row_that_is_broken_fails_its_run() -> Result<()> {
    assert_eq!(spoiled(b"{").await?, (RunStatus::Failed, None));
    Ok(())
}

#[tokio::test]
async fn row_of_a_newer_version_puts_its_run_off() -> Result<()> {
    let (status, due_at) = spoiled(br#"{"kind":"dance"}"#).await?;
    assert!(!status.is_finished());
    assert_eq!(due_at, Some(Timestamp::from_millis(1_060_000)));
    Ok(())
}
