//! Runs that start others, where the conformance suite cannot look: rows that nobody can read, processes of the version before, and many
//! that end at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use belts::store::{
    Awaits, ClaimedRun, Commit, CommitBatch, CommitOutcome, ENDED, NewEvent, Parent, Postgres,
    Publish, Register, Rerun, RunStatus, Store, Subscription, Target, Transition, WorkerId,
    parts::new_id,
};

use tokio::sync::oneshot;

use super::{InSchema, run, waits::begin};
use crate::requests::{LEASE, at, calling, claim, claim_named, complete, fail, paid};

/// A worker for `f` and `g`, whose runs may wait for the ends of others.
pub(super) async fn family(store: &Postgres) -> belts::Result<WorkerId> {
    let functions = ["f", "g"];
    let request = Register::new(at(0), LEASE)
        .with_subscriptions(functions.map(|id| Subscription::new(id, [id])).into())
        .with_awaits(functions.map(|id| Awaits::new(id, [ENDED])).into());
    store.register(request).await
}

pub(super) fn start(parent: &ClaimedRun, id: &str) -> NewEvent {
    let depth = parent.parent.as_ref().map_or(0, |parent| parent.depth);
    NewEvent::new(format!("e-{id}"), "targeted", *b"{}", at(0))
        .with_target(Target::function("g", Some(id.into())))
        .with_parent(Parent::new(Arc::clone(&parent.run_id), depth + 1).attached())
}

pub(super) async fn commit(
    store: &Postgres,
    commits: Vec<Commit>,
) -> belts::Result<Vec<CommitOutcome>> {
    store.commit(CommitBatch::new(commits, at(1))).await
}

/// Starts runs, and waits for their ends.
pub(super) async fn calls(
    store: &Postgres,
    parent: &ClaimedRun,
    ids: &[&str],
) -> belts::Result<()> {
    let started = Commit::new(parent.lease)
        .with_entries((0..).zip(ids).map(|(seq, id)| calling(seq, id)).collect())
        .with_starts(ids.iter().map(|id| start(parent, id)).collect())
        .with_transition(Transition::suspend(None));
    let outcomes = commit(store, vec![started]).await?;
    assert_eq!(outcomes, [CommitOutcome::Applied]);
    Ok(())
}

/// What the next claim brings for a run that has called others.
pub(super) async fn told(store: &Postgres, worker: WorkerId) -> belts::Result<Vec<String>> {
    let runs = claim(store, worker, at(1)).await?.runs;
    let arrivals = runs.iter().flat_map(|run| &run.arrivals);
    let said = arrivals.map(|arrival| String::from_utf8_lossy(&arrival.payload).into_owned());
    Ok(said.collect())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn run_that_cannot_be_read_tells_its_end() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = family(&store).await?;
    let parent = begin(&store, worker, "p").await?;
    calls(&store, &parent, &["c"]).await?;
    let child = claim_named(&store, worker, "c").await?;
    calls(&store, &child, &["d"]).await?;
    run(schema.sql("DELETE FROM {schema}.events WHERE id = 'e-c'; UPDATE {schema}.runs SET due_at = 1 WHERE id = 'c'")).await;
    let claimed = claim(&store, worker, at(1)).await?;
    assert_eq!(claimed.set_aside.len(), 1);
    let record = store.run(&parent.run_id).await?.expect("it is there");
    assert!(record.due_at.is_some(), "it is due at once");
    let said = told(&store, worker).await?;
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("{\"status\":\"failed\",\"result\":{")
            && said[0].contains("its event: it is gone")
    );
    let below = store.run("d").await?.expect("it is there");
    assert_eq!(below.status, RunStatus::Cancelled);
    Ok(())
}

/// An event may be published with a parent as well.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn published_run_keeps_its_parent() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = family(&store).await?;
    let parent = begin(&store, worker, "p").await?;
    let events = vec![
        start(&parent, "c"),
        paid("other"),
        NewEvent::new("free", "g", *b"{}", at(0)),
    ];
    let published = store.publish(Publish::new(events, at(0))).await?;
    let of = store.run("c").await?.expect("it is there").parent;
    assert_eq!(of, start(&parent, "c").parent);
    let free = claim_named(&store, worker, &published[2].runs[0].run_id).await?;
    assert_eq!(free.parent, None);
    Ok(())
}

/// The id of a run may be as long as an index takes.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn run_with_a_long_id_tells_its_end() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = family(&store).await?;
    let parent = begin(&store, worker, "p").await?;
    let long: String = (0..70).map(|_| String::from(&*new_id())).collect();
    let mut renamed = start(&parent, &long);
    renamed.id = "e-long".into();
    let started = Commit::new(parent.lease)
        .with_entries(vec![calling(0, &long)])
        .with_starts(vec![renamed])
        .with_transition(Transition::suspend(None));
    commit(&store, vec![started]).await?;
    assert!(store.cancel(&long, at(1)).await?);
    assert!(store.rerun(Rerun::new(&*long, at(1))).await?);
    // The first end has made it due.
    let woken = claim_named(&store, worker, &parent.run_id).await?;
    assert!(woken.arrivals.is_empty(), "it is taken back");
    assert!(store.cancel(&long, at(1)).await?);
    let arrived = store.arrived(&[woken.lease]).await?;
    assert_eq!(arrived[0].1.len(), 1);
    Ok(())
}

/// A process of an earlier version knows nothing of parents. It ends runs as these statements do.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn earlier_version_tells_of_the_ends_that_it_writes() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = family(&store).await?;
    let ways = [
        ("c-1", "UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = 1
            WHERE id = 'c-1' AND finished_at IS NULL", r#"{"status":"cancelled","result":null}"#),
        ("c-2", "SELECT {schema}.skip(ARRAY(SELECT number FROM {schema}.runs WHERE id = 'c-2'))",
            r#"{"status":"skipped","result":null}"#),
        ("c-3", "SELECT {schema}.commit('old', false, ARRAY[number], ARRAY[worker], ARRAY[token], '{}', '{}',
            '{1}', '{completed}', '{NULL}', '{NULL}', ARRAY['{\"v\":1,\"ok\":7}'::bytea], '{5}', '{false}',
            '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}') FROM {schema}.runs WHERE id = 'c-3'",
            r#"{"status":"completed","result":{"v":1,"ok":7}}"#),
    ];
    for (id, sql, said) in ways {
        let parent = begin(&store, worker, &format!("p-{id}")).await?;
        calls(&store, &parent, &[id]).await?;
        claim_named(&store, worker, id).await?;
        let (looked, has_looked) = oneshot::channel();
        let waiting = tokio::spawn({
            let store = store.clone();
            async move {
                let mut looked = Some(looked);
                loop {
                    let said = told(&store, worker).await?;
                    if !said.is_empty() {
                        return belts::Result::Ok(said);
                    }
                    looked.take().map(|looked| looked.send(()));
                    // What tells of the start may come late.
                    store.woken().await;
                }
            }
        });
        has_looked.await.expect("nothing is told yet");
        run(schema.sql(sql)).await;
        let heard = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        let heard = heard
            .expect("whoever waits is woken")
            .expect("it does not panic")?;
        assert_eq!(heard, [said], "{id}");
        assert!(store.cancel(&parent.run_id, at(2)).await?);
    }
    let parent = begin(&store, worker, "p").await?;
    calls(&store, &parent, &["c"]).await?;
    run(schema.sql(
        "UPDATE {schema}.runs SET status = 'failed', due_at = NULL, finished_at = 9
        WHERE number = (SELECT number << 16 | 1 FROM {schema}.events WHERE id = 'p')",
    ))
    .await;
    let child = store.run("c").await?.expect("it is there");
    assert_eq!(child.status, RunStatus::Cancelled);
    Ok(())
}

/// A start and a cancel of one run may come to the server together.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn run_that_is_started_and_cancelled_in_one_batch_is_cancelled() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = family(&store).await?;
    let parent = begin(&store, worker, "p").await?;
    let begun = || Commit::new(parent.lease);
    let commits = vec![
        begun().with_starts(vec![start(&parent, "c"), start(&parent, "d")]),
        begun().with_cancels(vec!["c".into()]),
        // It ends before it has started this one.
        begun()
            .with_starts(vec![start(&parent, "e")])
            .with_transition(fail()),
        begun().with_starts(vec![start(&parent, "f")]),
    ];
    let outcomes = commit(&store, commits).await?;
    let lost = CommitOutcome::LeaseLost;
    let applied = CommitOutcome::Applied;
    assert_eq!(outcomes, [applied, applied, applied, lost]);
    for id in ["c", "d", "e"] {
        let record = store.run(id).await?.expect("it was started");
        assert_eq!(record.status, RunStatus::Cancelled, "{id}");
    }
    assert!(store.run("f").await?.is_none());
    Ok(())
}

/// Starts two runs, three of each of these, and eight of each of those; all are leased, the two first.
async fn trees(store: &Postgres, worker: WorkerId, round: usize) -> belts::Result<Vec<ClaimedRun>> {
    let mut runs = Vec::new();
    for tree in ["a", "b"] {
        runs.push(begin(store, worker, &format!("{tree}-{round}")).await?);
    }
    let mut above = runs.clone();
    for number in [3, 8] {
        // Those of the two are mixed.
        above.sort_by(|one, other| one.run_id.chars().rev().cmp(other.run_id.chars().rev()));
        let commits = above.iter().map(|of| {
            let ids = (0..number).map(|nth| format!("{}-{nth}", of.run_id));
            let starts = ids.map(|id| start(of, &id)).collect();
            Commit::new(of.lease).with_starts(starts)
        });
        commit(store, commits.collect()).await?;
        above = claim(store, worker, at(1)).await?.runs;
        runs.extend_from_slice(&above);
    }
    assert_eq!(runs.len(), 2 + 6 + 48);
    Ok(runs)
}

/// Cancels from above cross with batches that end runs from below, of several trees at once and in the wrong order. Nobody sees an error,
/// each run ends once, and each end is told once.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trees_that_end_from_all_sides_lose_no_end() -> belts::Result<()> {
    let schema = InSchema::new();
    let open = async || schema.builder().max_connections(3).open().await;
    let store = open().await?;
    let worker = family(&store).await?;
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(open().await?);
    }
    for round in 0..25 {
        let runs = trees(&store, worker, round).await?;
        let (roots, below) = runs.split_at(2);
        let witness = begin(&store, worker, &format!("witness-{round}")).await?;
        let entries = (0..).zip(below).map(|(seq, run)| calling(seq, &run.run_id));
        let waits = Commit::new(witness.lease)
            .with_entries(entries.collect())
            .with_transition(Transition::suspend(None));
        commit(&store, vec![waits]).await?;
        let mut tasks = Vec::new();
        for (nth, other) in stores.iter().cloned().enumerate() {
            let ends = below.iter().skip(nth % 2).step_by(nth + 1);
            let ends = ends.map(|run| Commit::new(run.lease).with_transition(complete()));
            let mut ends: Vec<Commit> = ends.collect();
            let roots = [roots[0].clone(), roots[1].clone()];
            tasks.push(tokio::spawn(async move {
                match nth {
                    0 => ends.truncate(5),
                    1 => ends.push(Commit::new(roots[0].lease).with_transition(fail())),
                    2 => drop(other.cancel(&roots[1].run_id, at(2)).await?),
                    _ => {}
                }
                commit(&other, ends).await?;
                belts::Result::Ok(())
            }));
        }
        for task in tasks {
            task.await.expect("it does not panic")?;
        }
        let mut statuses = HashMap::new();
        let mut ended = 0;
        for run in &runs {
            let status = store.run(&run.run_id).await?.expect("it is there").status;
            statuses.insert(&run.run_id, status);
            let Some(parent) = &run.parent else { continue };
            ended += usize::from(status.is_finished());
            // One that has completed leaves those below alone.
            let goes_on = statuses[&parent.run_id] == RunStatus::Completed;
            assert!(status.is_finished() || goes_on, "round {round}: {status}");
        }
        let woken = claim(&store, worker, at(3)).await?.runs;
        let [woken] = &*woken else {
            panic!("round {round}: the witness alone is due, not {woken:?}");
        };
        assert_eq!(woken.arrivals.len(), ended, "round {round}");
        for run in below {
            store.cancel(&run.run_id, at(3)).await?;
        }
        assert!(store.cancel(&woken.run_id, at(3)).await?);
    }
    Ok(())
}
