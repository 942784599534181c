//! The conformance suite over the store, and what no suite can know of it.

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use belts::{
    Result, Timestamp,
    conformance::store::Storage,
    store::{
        Capacity, Claim, Commit, CommitBatch, Entry, FunctionCapacity, NewEvent, Publish, Register,
        Rerun, RunFilter, RunRecord, RunStatus, SharedStore, StepKind, StepState, Store, Target,
    },
};
use redb::TableDefinition;
use tempfile::TempDir;
use tokio::sync::Mutex;

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
        let mut open = self.open.lock().await;
        if let Some(store) = open.upgrade() {
            return Ok(store);
        }
        let store: SharedStore = Arc::new(FileStore::open(self.path()).await?);
        *open = Arc::downgrade(&store);
        Ok(store)
    }
}

mod conformance {
    belts::store_conformance!(super::InFile::new());
}

/// The row of a step, and that of a run.
#[derive(Debug, Clone, Copy)]
enum Spoiled {
    Step,
    Run,
}

/// Writes two runs into a new file, each with one step, spoils a row of the first, and claims both again: the first is set aside, and
/// the second is there. Then what the store says of the first.
async fn spoil(which: Spoiled, row: &[u8]) -> Result<(InFile, SharedStore)> {
    let [now, later] = [1_000, 1_000_000].map(Timestamp::from_millis);
    let storage = InFile::new();
    let store = storage.open().await?;
    let worker = store.register(Register::new(now, LEASE)).await?;
    let mut spoiled = None;
    for name in ["spoiled", "sound"] {
        let capacity = Capacity::new(worker, 1, [FunctionCapacity::new("f", 1)]);
        let target = Target::function("f", Some(name.into()));
        let event = NewEvent::new(name, "t", *b"{}", now).with_target(target);
        let publish = Publish::new(vec![event], now).with_claim(capacity);
        let published = store.publish(publish).await?;
        let lease = published[0].runs[0].lease.expect("the worker has room");
        let step = Entry::new(0, "one", StepKind::Step, StepState::Completed, now);
        let commit = Commit::new(lease).with_entries(vec![step]);
        store.commit(CommitBatch::new(vec![commit], now)).await?;
        spoiled.get_or_insert(lease.run);
    }
    store.deregister(worker, now).await?;
    drop(store);
    write_row(&storage, which, spoiled.expect("there are two runs"), row);

    let store = storage.open().await?;
    let worker = store.register(Register::new(later, LEASE)).await?;
    let capacity = Capacity::new(worker, 2, [FunctionCapacity::new("f", 2)]);
    let claimed = store.claim(Claim::new(capacity, later)).await?;
    assert_eq!(claimed.set_aside.len(), 1);
    assert_eq!(&*claimed.set_aside[0].run_id, "spoiled");
    assert_eq!(claimed.runs.len(), 1, "the other run does not suffer");
    assert_eq!(&*claimed.runs[0].run_id, "sound");
    let listed = store.list(RunFilter::default()).await?;
    assert!(listed.runs.iter().any(|run| &*run.run_id == "sound"));
    Ok((storage, store))
}

fn write_row(storage: &InFile, which: Spoiled, run: i64, row: &[u8]) {
    type Row = (&'static [u8], &'static [u8]);
    const STEPS: TableDefinition<'_, (i64, u32), Row> = TableDefinition::new("steps");
    const RUNS: TableDefinition<'_, i64, &[u8]> = TableDefinition::new("runs");
    let file = redb::Database::create(storage.path()).expect("the file is closed");
    let transaction = file.begin_write().expect("it can be written");
    match which {
        Spoiled::Step => {
            let mut steps = transaction.open_table(STEPS).expect("the table is there");
            let written = steps.insert((run, 0), (row, &b""[..]));
            written.expect("it can be written");
        }
        Spoiled::Run => {
            let mut runs = transaction.open_table(RUNS).expect("the table is there");
            runs.insert(run, row).expect("it can be written");
        }
    }
    transaction.commit().expect("it can be written");
}

async fn record(store: &SharedStore) -> Result<RunRecord> {
    let record = store.run("spoiled").await?.expect("it is there");
    assert!(record.result.is_some(), "the record tells the error");
    Ok(record)
}

const LEASE: Duration = Duration::from_secs(30);
const NEWER: &[u8] = br#"{"kind":"dance"}"#;
const A_MINUTE_LATER: Timestamp = Timestamp::from_millis(1_060_000);

#[tokio::test]
async fn step_that_is_broken_fails_its_run() -> Result<()> {
    let (_file, store) = spoil(Spoiled::Step, b"{").await?;
    let record = record(&store).await?;
    assert_eq!((record.status, record.due_at), (RunStatus::Failed, None));
    Ok(())
}

#[tokio::test]
async fn step_of_a_newer_version_postpones_its_run() -> Result<()> {
    let (_file, store) = spoil(Spoiled::Step, NEWER).await?;
    let record = record(&store).await?;
    assert!(!record.status.is_finished());
    assert_eq!(record.due_at, Some(A_MINUTE_LATER));
    Ok(())
}

#[tokio::test]
async fn run_that_is_broken_fails_and_can_be_rerun() -> Result<()> {
    let (_file, store) = spoil(Spoiled::Run, b"{").await?;
    let record = record(&store).await?;
    assert_eq!((record.status, record.due_at), (RunStatus::Failed, None));
    assert_eq!(
        (&*record.event_id, &*record.payload),
        ("spoiled", &b"{}"[..])
    );
    assert!(store.rerun(Rerun::new("spoiled", A_MINUTE_LATER)).await?);
    Ok(())
}

#[tokio::test]
async fn run_of_a_newer_version_is_postponed() -> Result<()> {
    let (_file, store) = spoil(Spoiled::Run, NEWER).await?;
    let early = A_MINUTE_LATER.before(Duration::from_secs(1));
    let worker = store.register(Register::new(early, LEASE)).await?;
    let claim = |now| {
        let capacity = Capacity::new(worker, 2, [FunctionCapacity::new("f", 2)]);
        store.claim(Claim::new(capacity, now))
    };
    let early = claim(early).await?;
    assert!(
        early.set_aside.is_empty(),
        "nobody looks at it for a minute"
    );
    assert_eq!(early.next_due, Some(A_MINUTE_LATER));
    assert_eq!(claim(A_MINUTE_LATER).await?.set_aside.len(), 1);
    Ok(())
}
