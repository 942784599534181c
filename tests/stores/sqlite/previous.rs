//! The version of the schema before the present one: its databases, and its processes that still run.

use std::path::Path;

use belts::store::{
    After, AwaitedType, Awaits, Capacity, Claim, Claimed, CommitOutcome, Entry, EventDigest,
    FunctionCapacity, Lease, Register, Release, RunFilter, RunStatus, Sqlite, StepKind, StepState,
    Store, Subscription, Target, Transition, Wait, WorkerId,
};
use rusqlite::{Connection, params};

use super::directory;
use crate::requests::{LEASE, at, commit, entry, event, publish, waiting};

fn listens(event_types: &[&str]) -> Vec<Subscription> {
    vec![Subscription::new("f", event_types.iter().copied())]
}

async fn register(store: &Sqlite, event_types: &[&str]) -> belts::Result<WorkerId> {
    let request = Register::new(at(1), LEASE).with_subscriptions(listens(event_types));
    store.register(request).await
}

/// Claims as a worker that reads only `t`.
async fn claim(store: &Sqlite, worker: WorkerId, now: i64) -> belts::Result<Claimed> {
    let functions = FunctionCapacity::new("f", 10).with_event_types(["t"]);
    let capacity = Capacity::new(worker, 10, [functions]);
    let request = Claim::new(capacity, at(now));
    store.claim(request).await
}

fn previous(path: &Path) -> Connection {
    let raw = Connection::open(path).expect("a database can be made");
    raw.execute_batch(include_str!("version2.sql"))
        .expect("the tables are those of the previous version");
    raw
}

/// Everything that was there goes on: what waits, what a process of the previous version drives, and what is over.
#[tokio::test]
async fn database_of_the_previous_version_keeps_what_it_holds() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    drop(previous(&path));
    let store = Sqlite::open(&path).await?;
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 3);
    assert_eq!(store.subscriptions().await?, listens(&["t"]));
    let worker = register(&store, &["t"]).await?;
    let claimed = claim(&store, worker, 1).await?.runs;
    assert_eq!(claimed.len(), 1);
    assert_eq!(&*claimed[0].run_id, "run-waits");
    assert!(claimed[0].lease.token > 17);
    // The session of the previous version lives on with its run, until its time is over.
    let lease = Lease::new(2, WorkerId(1), 18);
    let written = commit(&store, lease, vec![entry(1)], None).await?;
    assert_eq!(written, CommitOutcome::Applied);
    store.renew(worker, at(30_000), LEASE).await?;
    let claimed = claim(&store, worker, 30_001).await?.runs;
    assert_eq!(&*claimed[0].run_id, "run-driven");
    assert_eq!((claimed[0].journal.len(), claimed[0].crashes), (2, 1));
    // Nothing is known of the content of its events, so nothing is another one.
    let mut again = event("done");
    again.digest = EventDigest::of("t", b"{\"other\":1}");
    let again = publish(&store, again).await?;
    assert!(again.duplicate && !again.conflict);
    assert_eq!(&*again.runs[0].run_id, "run-done");
    Ok(())
}

/// A process of the previous version that runs on writes its own way: what it registers takes nothing away from others, and what it
/// publishes is claimed.
#[tokio::test]
async fn previous_version_works_beside_the_present_one() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let old = previous(&path);
    let store = Sqlite::open(&path).await?;
    let worker = register(&store, &["t", "u"]).await?;
    // It registers again, and publishes.
    old.execute_batch(
        "DELETE FROM subscriptions WHERE function = 1;
         INSERT OR IGNORE INTO subscriptions (event_type, function) VALUES (2, 1);
         INSERT INTO workers (name, lease_until, lease) VALUES (NULL, 1700000030000, 30000);
         INSERT INTO events (id, event_type, published_at, payload) VALUES ('of-old', 2, 1700000000000, x'7b7d');",
    )
    .expect("the statements of the previous version work");
    let number = old.last_insert_rowid();
    old.execute(
        "INSERT INTO runs (id, function, event, status, due_at, token, failed_attempts)
         VALUES ('run-of-old', 1, ?1, 0, 1700000000000, 5, 0)",
        params![number],
    )
    .expect("the statements of the previous version work");
    let mut returned = event("returned");
    returned.event_type = "u".into();
    returned.target = Target::subscribers();
    assert_eq!(publish(&store, returned).await?.runs.len(), 1);
    let claimed = claim(&store, worker, 2).await?;
    let runs: Vec<&str> = claimed.runs.iter().map(|run| &*run.run_id).collect();
    assert_eq!(runs, ["run-waits", "run-of-old"]);
    assert_eq!(claimed.unknown_types.len(), 1, "the other is for others");
    // When those who are known have gone, it still wants what it wanted.
    store.deregister(worker, at(3)).await?;
    assert_eq!(store.subscriptions().await?, listens(&["t", "u"]));
    // It claims in its own way.
    old.execute_batch(
        "UPDATE runs SET status = 1, due_at = NULL, worker = 1, token = token + 1 WHERE id = 'run-of-old'",
    )
    .expect("the statements of the previous version work");
    let run = store.run("run-of-old").await?.map(|run| run.status);
    assert_eq!(run, Some(RunStatus::Running));
    Ok(())
}

/// An event of a process of the previous version arrives for those who wait for it, stays when that process purges, and a run that it
/// ends waits no more.
#[tokio::test]
async fn what_the_previous_version_publishes_arrives() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let old = previous(&path);
    let store = Sqlite::open(&path).await?;
    let request = Register::new(at(1), LEASE)
        .with_subscriptions(listens(&["t"]))
        .with_awaits(vec![Awaits::new("f", ["paid"])]);
    let worker = store.register(request).await?;
    let run = claim(&store, worker, 1).await?.runs.remove(0);
    let paid = Wait::event([AwaitedType::new("paid", After::Start)], "k");
    let entry = Entry::new(7, "paid", StepKind::Wait, StepState::Waiting, at(1)).with_wait(paid);
    let suspend = Some(Transition::suspend(None));
    commit(&store, run.lease, vec![entry], suspend).await?;
    assert!(claim(&store, worker, 2).await?.runs.is_empty());
    old.execute_batch(
        "INSERT OR IGNORE INTO names (name) VALUES ('paid');
         INSERT INTO events (id, event_type, published_at, correlation_key, idle, payload)
             SELECT 'p', id, 1700000000003, 'k', 1, x'7b7d' FROM names WHERE name = 'paid';",
    )
    .expect("the statements of the previous version work");
    tokio::time::timeout(LEASE, async {
        loop {
            let runs = claim(&store, worker, 4).await?.runs;
            if let Some(run) = runs.first() {
                assert_eq!(&*run.arrivals[0].event_id, "p");
                return belts::Result::Ok(());
            }
            store.woken().await;
        }
    })
    .await
    .expect("the event is noticed")?;
    // It purges what is idle, and what has no more runs.
    old.execute_batch(
        "DELETE FROM events WHERE number IN
             (SELECT number FROM events WHERE idle IS NOT NULL AND published_at < 1800000000000);
         DELETE FROM events WHERE id = 'p' AND NOT EXISTS (SELECT 1 FROM runs WHERE event = events.number);",
    )
    .expect("the statements of the previous version work");
    assert_eq!(
        store
            .arrived(&[again(&store, worker, &run.run_id).await?])
            .await?
            .len(),
        1
    );
    old.execute(
        "UPDATE runs SET status = 6, due_at = NULL, worker = NULL, finished_at = 1700000000005 WHERE id = ?1",
        params![&*run.run_id],
    )
    .expect("the statements of the previous version work");
    let mut later = event("later");
    (later.event_type, later.correlation_key) = ("paid".into(), Some("k".into()));
    later.target = Target::subscribers();
    publish(&store, later).await?;
    let cancelled = store.run(&run.run_id).await?;
    assert_eq!(
        cancelled.map(|run| (run.status, run.due_at)),
        Some((RunStatus::Cancelled, None))
    );
    Ok(())
}

/// The numbers of events that are purged are used again, and those of the previous version were known by them.
#[tokio::test]
async fn what_the_previous_version_publishes_arrives_after_a_purge() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let old = previous(&path);
    let store = Sqlite::open(&path).await?;
    let request = Register::new(at(1), LEASE)
        .with_subscriptions(listens(&["t"]))
        .with_awaits(vec![Awaits::new("f", ["paid"])]);
    let worker = store.register(request).await?;
    let run = claim(&store, worker, 1).await?.runs.remove(0);
    let entries = vec![waiting(7, After::Start)];
    let suspend = Some(Transition::suspend(None));
    commit(&store, run.lease, entries, suspend).await?;
    old.execute_batch("INSERT OR IGNORE INTO names (name) VALUES ('paid'), ('sold')")
        .expect("the statements of the previous version work");
    let publish = |id: &str, event_type: &str| {
        let sql = "INSERT INTO events (id, event_type, published_at, idle, payload)
            SELECT ?1, id, 1700000000003, 1, x'7b7d' FROM names WHERE name = ?2";
        old.execute(sql, params![id, event_type])
            .expect("the statements of the previous version work");
        old.last_insert_rowid()
    };
    let number = publish("s", "sold");
    let told = || {
        let told = old.query_row("SELECT told FROM places", [], |row| row.get::<_, i64>(0));
        told.expect("it is noted")
    };
    let noticed = async {
        loop {
            assert!(claim(&store, worker, 4).await?.runs.is_empty());
            if told() == number {
                return belts::Result::Ok(());
            }
            store.woken().await;
        }
    };
    tokio::time::timeout(LEASE, noticed)
        .await
        .expect("it is noticed")?;
    old.execute_batch("DELETE FROM events WHERE id = 's'")
        .expect("the statements of the previous version work");
    assert_eq!(publish("p", "paid"), number, "the number is used again");
    let arrived = async {
        while claim(&store, worker, 4).await?.runs.is_empty() {
            store.woken().await;
        }
        belts::Result::Ok(())
    };
    tokio::time::timeout(LEASE, arrived)
        .await
        .expect("the event is noticed")
}

/// The lease of a run that is claimed by its name.
async fn again(store: &Sqlite, worker: WorkerId, run: &str) -> belts::Result<Lease> {
    store.release(Release::new(worker, at(4))).await?;
    let functions = FunctionCapacity::new("f", 10);
    let capacity = Capacity::new(worker, 10, [functions]);
    let claimed = store
        .claim(Claim::new(capacity, at(4)).with_only(run))
        .await?;
    Ok(claimed.runs[0].lease)
}

/// What was wanted before sessions had wants was that of one session. It fell as a whole when a program came that had one of its
/// functions, and another program that shared the database lost what was published for it until it came back.
#[tokio::test]
async fn what_ended_sessions_of_the_previous_version_wanted_stands_by_function() -> belts::Result<()>
{
    let directory = directory();
    let path = directory.path().join("belts.db");
    previous(&path)
        .execute_batch(
            "DELETE FROM workers; INSERT INTO names VALUES (4, 'other');
             INSERT INTO subscriptions VALUES (2, 4);",
        )
        .expect("the tables are those of the previous version");
    let store = Sqlite::open(&path).await?;
    let other = |event_types: &[&str]| Subscription::new("other", event_types.iter().copied());
    let both = |types: &[&str]| [listens(types), vec![other(&["t"])]].concat();
    assert_eq!(store.subscriptions().await?, both(&["t"]));
    register(&store, &["u"]).await?;
    assert_eq!(store.subscriptions().await?, both(&["u"]));
    let request = Register::new(at(1), LEASE).with_subscriptions(vec![other(&["u"])]);
    store.register(request).await?;
    assert_eq!(
        store.subscriptions().await?,
        [listens(&["u"]), vec![other(&["u"])]].concat()
    );
    Ok(())
}

/// It ends runs its own way, and knows nothing of what can be undone: a trigger has them go on to that.
#[tokio::test]
async fn previous_version_has_runs_undone_that_it_ends() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let old = previous(&path);
    let store = Sqlite::open(&path).await?;
    let worker = register(&store, &["t"]).await?;
    let claimed = claim(&store, worker, 1).await?.runs.remove(0);
    let reserved = entry(0).with_undoable(true);
    let written = commit(&store, claimed.lease, vec![reserved], None).await?;
    assert_eq!(written, CommitOutcome::Applied);
    let cancel =
        "UPDATE runs SET status = 6, due_at = NULL, worker = NULL, finished_at = 1700000000002
         WHERE id = 'run-waits'";
    for times in 0..2 {
        assert_eq!(old.execute(cancel, []).expect("it can write"), 1);
        let run = store.run("run-waits").await?.expect("it is there");
        assert_eq!((run.status, run.finished_at), (RunStatus::Undoing, None));
        let again = claim(&store, worker, 3).await?.runs.remove(0);
        let undoing = again.undoing.expect("it is decided");
        assert_eq!(undoing.status, RunStatus::Cancelled);
        if times == 1 {
            let undone = Some(Transition::undone(&undoing));
            commit(&store, again.lease, Vec::new(), undone).await?;
        }
    }
    let run = store.run("run-waits").await?.expect("it is there");
    assert_eq!(run.status, RunStatus::Cancelled);
    // It has it run again, and end again.
    old.execute_batch("UPDATE runs SET status = 2, due_at = 1700000000002, finished_at = NULL WHERE id = 'run-waits'")
        .expect("it can write");
    assert_eq!(old.execute(cancel, []).expect("it can write"), 1);
    let run = store.run("run-waits").await?.expect("it is there");
    assert_eq!(run.status, RunStatus::Undoing);
    Ok(())
}

/// It writes what its steps came to behind the cancel itself, where the entry stands that tells it of the decision. And what encrypted
/// stores keep stands far behind that.
#[tokio::test]
async fn previous_version_keeps_what_tells_of_a_handled_cancel() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let old = previous(&path);
    let store = Sqlite::open(&path).await?;
    let request = Register::new(at(1), LEASE)
        .with_subscriptions(listens(&["t"]))
        .with_cancel_handled(vec!["f".into()]);
    let worker = store.register(request).await?;
    let claimed = claim(&store, worker, 1).await?.runs.remove(0);
    let last = claimed.journal.last().map_or(0, |entry| entry.seq + 1);
    let run = claimed.lease.run;
    let write = |seq: u32| {
        old.execute(
            "INSERT INTO steps (run, seq, path, kind, state, type_name, attempts, started_at, finished_at, value)
             VALUES (?1, ?2, 'late', 0, 0, 1, 1, 1, 1, x'')
             ON CONFLICT (run, seq) DO UPDATE SET path = excluded.path, kind = excluded.kind, state = excluded.state,
                 attempts = excluded.attempts, value = excluded.value
             WHERE (state = 1 OR excluded.state <> 1) AND attempts <= excluded.attempts",
            params![run, seq],
        )
    };
    assert_eq!(write((1 << 26) + 7).expect("it can write"), 1);
    let cancel =
        "UPDATE runs SET status = 6, due_at = NULL, worker = NULL, finished_at = 1700000000002
         WHERE id = 'run-waits'";
    assert_eq!(old.execute(cancel, []).expect("it can write"), 1);
    assert_eq!(write(last).expect("it can write"), 0, "the entry stays");
    let again = claim(&store, worker, 3).await?.runs.remove(0);
    assert_eq!(&*again.run_id, "run-waits");
    let undoing = again.undoing.expect("it is decided");
    assert_eq!(undoing.status, RunStatus::Cancelled);
    Ok(())
}
