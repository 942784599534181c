//! `undo` of a `transaction!`: what it has committed is undone if the run fails or is cancelled.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use belts::{
    Worker, sleep, step,
    store::{Entry, RunStatus, Sqlite, StepKind, StepState, Store as _},
    testing::{Case, Harness, SqliteFile, sweep},
    transaction,
};
use belts_suite::{a_moment, within, within_time};

use crate::{
    crashes::{in_the_commit, on_postgres, slow_commits},
    debits::{Debit, insert, publish_debit},
    place::looped,
    publish::{ended, postgres_test},
    sqlite::{self, FileDebit},
    step::{debit, rows, with_tables},
};

/// What was given back, by account. A test uses accounts that no other has.
static GIVEN_BACK: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

fn give_back(account: &str) {
    let mut all = GIVEN_BACK.lock().unwrap();
    *all.entry(account.to_owned()).or_default() += 1;
}

fn given_back(account: &str) -> u32 {
    let all = GIVEN_BACK.lock().unwrap();
    all.get(account).copied().unwrap_or_default()
}

/// Debits, and fails, or sleeps if it is told to.
#[belts::function(id = "tx-undone", on = Debit, retries = 0)]
pub(crate) async fn undone(debit: Debit) -> belts::Result<()> {
    let account = debit.account.clone();
    transaction!(
        "debit",
        async |tx| insert(tx, &debit, 1).await,
        retries = 1,
        undo = move |rows: u64| {
            let account = account.clone();
            async move {
                assert_eq!(rows, 1);
                give_back(&account);
            }
        }
    )
    .await?;
    if debit.cents == 0 {
        sleep!("rest", "30d").await?;
    }
    step!("fail", async { Err::<(), _>(belts::terminal("no cover")) }).await
}

#[track_caller]
fn assert_undone(journal: &[Entry]) {
    let undos = journal.iter().filter(|entry| entry.kind == StepKind::Undo);
    let undos: Vec<_> = undos.map(|undo| (&*undo.path, undo.state)).collect();
    assert_eq!(undos, [("undo:debit", StepState::Completed)]);
    let debit = journal
        .iter()
        .find(|entry| &*entry.path == "debit")
        .unwrap();
    assert_eq!((debit.state, debit.undoable), (StepState::Completed, true));
}

postgres_test!(what_was_committed_is_undone, async {
    let place = with_tables().await;
    let worker = place.worker(|worker| worker.function(undone)).await;
    let running = looped(&worker);
    for (account, cents) in [("undo-fails", 5), ("undo-cancelled", 0)] {
        let published = publish_debit(debit(&place, account, cents)).via(&worker);
        let run = published.await.unwrap().runs[0].run_id.clone();
        let mut status = RunStatus::Failed;
        if cents == 0 {
            ended(&place, &run, RunStatus::Suspended).await;
            // Whoever asks what became of its transaction finds it.
            let mut connection = place.pool.acquire().await.unwrap();
            let recorded = format!(
                "SELECT {{s}}.recorded((SELECT number FROM {{s}}.runs WHERE id = '{run}'), 0) IS NOT NULL"
            );
            assert!(place.ask::<bool>(&mut connection, &recorded).await.unwrap());
            assert!(worker.runs().cancel(&run).await.unwrap());
            status = RunStatus::Cancelled;
        }
        ended(&place, &run, status).await;
        assert_eq!(given_back(account), 1, "{account}");
        assert_undone(&place.store.journal(&run).await.unwrap());
    }
    assert_eq!(rows(&place).await, 2);
    worker.shutdown();
    running.await.unwrap().unwrap();
});

// Killed while the server commits: the next process finds the step, and that it can be undone.
postgres_test!(killed_in_the_commit_it_is_undone_by_the_next, async {
    let place = with_tables().await;
    slow_commits(&place).await;
    let sender = place
        .worker(|worker| worker.function(undone).max_crashes(1_000))
        .await;
    let published = publish_debit(debit(&place, "undo-killed", 5)).via(&sender);
    let run = published.await.unwrap().runs[0].run_id.clone();
    drop(sender);
    let mut child = on_postgres(&place);
    in_the_commit(&place).await;
    child.kill().await.unwrap();
    let worker = place
        .worker(|worker| worker.function(undone).max_crashes(1_000))
        .await;
    let running = looped(&worker);
    within_time(
        Duration::from_secs(60),
        "the end of the run",
        ended(&place, &run, RunStatus::Failed),
    )
    .await;
    assert_eq!((rows(&place).await, given_back("undo-killed")), (1, 1));
    assert_undone(&place.store.journal(&run).await.unwrap());
    worker.shutdown();
    running.await.unwrap().unwrap();
});

#[belts::function(id = "tx-file-undone", on = FileDebit, retries = 0)]
async fn undone_on_a_file(debit: FileDebit) -> belts::Result<()> {
    let account = debit.account.clone();
    transaction!(
        "debit",
        |tx| {
            tx.execute_batch("CREATE TABLE IF NOT EXISTS debits (account TEXT, cents INTEGER)")?;
            Ok(sqlite::insert(tx, &debit)?)
        },
        undo = move |_: usize| {
            give_back(&account);
            async {}
        }
    )
    .await?;
    step!("fail", async { Err::<(), _>(belts::terminal("no cover")) }).await
}

fn check(case: &Case<'_, ()>) {
    assert_eq!(
        case.run.status(),
        Some(RunStatus::Failed),
        "{:?}",
        case.crash
    );
    assert_undone(case.run.journal());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_write_leaves_it_undone_on_a_file() {
    let sweep = sweep(SqliteFile::temporary)
        .function(undone_on_a_file)
        .event(sqlite::debit("undo-swept", 5))
        .check(check);
    let report = within_time(Duration::from_secs(120), "the sweep", sweep.into_future());
    let report = report.await.unwrap();
    assert!(report.writes >= 3, "{report:?}");
    assert!(given_back("undo-swept") >= 1);
}

/// In a test without the store, the preset value is what is undone.
#[tokio::test]
async fn a_preset_is_undone() {
    let harness = Harness::builder()
        .function(undone_on_a_file)
        .preset("debit", Ok(1_usize))
        .build()
        .await
        .unwrap();
    let run = harness
        .run(undone_on_a_file, sqlite::debit("undo-preset", 5))
        .await
        .unwrap();
    assert_eq!(run.status(), Some(RunStatus::Failed));
    assert_undone(run.journal());
    assert_eq!(given_back("undo-preset"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_to_a_file_is_undone() {
    let (file, connection) = sqlite::file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let builder = Worker::builder().store(store.clone());
    let worker = builder.function(undone_on_a_file).build().await.unwrap();
    let running = looped(&worker);
    let published = sqlite::publish_file_debit(sqlite::debit("undo-file", 5)).via(&worker);
    let run = published.await.unwrap().runs[0].run_id.clone();
    within("its end", async {
        while store.run(&run).await.unwrap().unwrap().status != RunStatus::Failed {
            a_moment().await;
        }
    })
    .await;
    assert_undone(&store.journal(&run).await.unwrap());
    assert_eq!(
        (
            sqlite::count(&connection, "debits"),
            given_back("undo-file")
        ),
        (1, 1)
    );
    worker.shutdown();
    running.await.unwrap().unwrap();
}
