//! Connections that break while a write is under way: each is written once, and the caller hears what became of it.

use std::time::Duration;

use belts::{
    ErrorKind,
    store::{
        Commit, CommitOutcome, Flow, Lease, NewEvent, Once, Postgres, Rate, Release, Rerun,
        RunStatus, Singleton, Store, Then, Transition, WorkerId,
    },
};

use super::{
    InSchema, ask,
    families::{self, calls, family},
    pool, run, waits,
};
use crate::{
    proxy::Proxy,
    requests::{at, begin, claim, claim_named, commit, entry, event, publish, publish_to, worker},
};

/// A store whose answers can be lost, with a worker.
async fn open(schema: &InSchema) -> belts::Result<(Proxy, Postgres, WorkerId)> {
    let proxy = super::proxy().await;
    let store = Postgres::with_pool(pool(&proxy))
        .schema(&schema.0)
        .open()
        .await?;
    let worker = worker(&store).await?;
    // The statements are prepared from here on, so that the first answer is that of the write.
    let (_, lease) = begin(&store, "warm", worker).await?;
    commit(&store, lease, vec![entry(0)], None).await?;
    commit(&store, lease, vec![entry(1)], Some(Transition::Stop)).await?;
    claim(&store, worker, at(0)).await?;
    store.run("nobody").await?;
    store.cancel("nobody", at(0)).await?;
    store.rerun(Rerun::new("nobody", at(0))).await?;
    // And the one that listens is connected.
    while ask::<i64>(schema.sql("SELECT count(*) FROM {schema}.workers WHERE watched")).await == 0 {
        belts_suite::a_moment().await;
    }
    Ok((proxy, store, worker))
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step_whose_answer_was_lost_is_written_once() -> belts::Result<()> {
    let schema = InSchema::new();
    let (proxy, store, worker) = open(&schema).await?;
    let (run_id, lease) = begin(&store, "e", worker).await?;
    proxy.lose_next_answer();
    assert_eq!(
        commit(&store, lease, vec![entry(0)], None).await?,
        CommitOutcome::Applied
    );
    assert!(proxy.has_lost());
    assert_eq!(store.journal(&run_id).await?.len(), 1);
    assert_eq!(
        commit(&store, lease, vec![entry(1)], None).await?,
        CommitOutcome::Applied
    );
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn end_whose_answer_was_lost_is_applied_once() -> belts::Result<()> {
    let schema = InSchema::new();
    let (proxy, store, worker) = open(&schema).await?;
    let bytes = || *b"{}";
    let ends = [
        Transition::suspend(at(9)),
        Transition::retry(at(9), 2, bytes()),
        Transition::complete(bytes()),
        Transition::fail(4, bytes()),
        Transition::Stop,
        Transition::Skip,
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let (_, lease) = begin(&store, &number.to_string(), worker).await?;
        proxy.lose_next_answer();
        let outcome = commit(&store, lease, vec![entry(0)], Some(end.clone())).await?;
        assert!(proxy.has_lost());
        assert_eq!(outcome, CommitOutcome::Applied, "{end:?}");
        let late = commit(
            &store,
            lease,
            vec![entry(1)],
            Some(Transition::suspend(at(8))),
        )
        .await?;
        assert_eq!(late, CommitOutcome::LeaseLost, "{end:?}");
    }
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_lease_stays_lost_when_the_answer_is_lost() -> belts::Result<()> {
    let schema = InSchema::new();
    let (proxy, store, worker) = open(&schema).await?;
    let (run_id, lease) = begin(&store, "e", worker).await?;
    store.cancel(&run_id, at(1)).await?;
    proxy.lose_next_answer();
    let end = Transition::complete("{}".as_bytes());
    assert_eq!(
        commit(&store, lease, vec![entry(0)], Some(end)).await?,
        CommitOutcome::LeaseLost
    );
    assert!(proxy.has_lost());
    assert!(store.journal(&run_id).await?.is_empty());
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publish_whose_answer_was_lost_is_new_and_keeps_its_lease() -> belts::Result<()> {
    let schema = InSchema::new();
    let (proxy, store, worker) = open(&schema).await?;
    proxy.lose_next_answer();
    let published = publish_to(&store, event("e"), Some(worker)).await?;
    assert!(proxy.has_lost());
    assert!(!published.duplicate, "it is our own write");
    let lease: Lease = published.runs[0]
        .lease
        .expect("it was given in the lost answer");
    assert_eq!(
        commit(&store, lease, vec![entry(0)], None).await?,
        CommitOutcome::Applied
    );
    assert!(
        publish_to(&store, event("e"), Some(worker))
            .await?
            .duplicate,
        "this one is another's"
    );
    Ok(())
}

/// The write is sent again, and would wait in line behind itself.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flow_of_a_publish_whose_answer_was_lost_is_applied_once() -> belts::Result<()> {
    let schema = InSchema::new();
    let (proxy, store, worker) = open(&schema).await?;
    let single = |then| Flow::new().with_singleton(Singleton::new("k", then));
    let throttle = Flow::new().with_throttle(Rate::new("k", 1, Duration::from_secs(9)));
    let flows = [
        ("queue", single(Then::Queue)),
        ("skip", single(Then::Skip)),
        ("throttle", throttle),
    ];
    for (name, flow) in flows {
        let event = event(name).with_flows(vec![("f".into(), flow)]);
        // What a publish with flow options sends is prepared, so that the first answer is that of the write.
        let other = NewEvent::new(format!("warm-{name}"), "t", *b"{}", at(0));
        let idle = Flow::new().with_idempotent(Once::new(name, Duration::from_secs(9)));
        publish(&store, other.with_flows(vec![("g".into(), idle)])).await?;
        proxy.lose_next_answer();
        let published = publish(&store, event).await?;
        assert!(proxy.has_lost(), "{name}");
        assert!(!published.duplicate, "{name}: it is our own write");
        assert_eq!(published.runs[0].routed, None, "{name}");
        let run = claim_named(&store, worker, &published.runs[0].run_id).await?;
        let end = Transition::complete("{}".as_bytes());
        commit(&store, run.lease, vec![], Some(end)).await?;
    }
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_whose_answer_was_lost_fails_and_its_leases_come_back() -> belts::Result<()> {
    let schema = InSchema::new();
    let (proxy, store, worker) = open(&schema).await?;
    publish(&store, event("e")).await?;
    proxy.lose_next_answer();
    let error = claim(&store, worker, at(0))
        .await
        .expect_err("nobody knows what was leased");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(proxy.has_lost());
    assert!(
        claim(&store, worker, at(0)).await?.runs.is_empty(),
        "they are leased to nobody who knows"
    );
    let release = Release::new(worker, at(1));
    assert_eq!(store.release(release).await?, 1);
    assert_eq!(claim(&store, worker, at(1)).await?.runs.len(), 1);
    Ok(())
}

/// A store gave up on a claim that was still on its way to the server. It arrived after the leases had been given back, and
/// nobody ever drove the run that it leased.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_that_comes_after_the_release_leases_nothing() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = worker(&store).await?;
    publish(&store, event("e")).await?;
    let release = Release::new(worker, at(1));
    store.release(release).await?;
    let barred = "SELECT count(*) FROM {schema}.workers AS w, {schema}.claim(w.barred_store, w.barred_call - 1, w.id, \
         1700000000001, 9, '{f}', '{9}', NULL, false, 0)";
    assert_eq!(ask::<i64>(schema.sql(barred)).await, 0);
    assert_eq!(claim(&store, worker, at(1)).await?.runs.len(), 1);
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_do_to_runs_is_done_once() -> belts::Result<()> {
    let schema = InSchema::new();
    let (proxy, store, worker) = open(&schema).await?;
    let (run_id, _) = begin(&store, "e", worker).await?;
    proxy.lose_next_answer();
    assert!(
        store.cancel(&run_id, at(5)).await?,
        "it was cancelled, whatever was lost"
    );
    assert!(proxy.has_lost());
    assert!(!store.cancel(&run_id, at(6)).await?);
    proxy.lose_next_answer();
    assert!(store.rerun(Rerun::new(&*run_id, at(7))).await?);
    assert!(proxy.has_lost());
    let record = store.run(&run_id).await?.expect("the run is there");
    assert_eq!(
        (record.status, record.due_at),
        (RunStatus::Suspended, Some(at(7)))
    );
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ends_are_replaced() -> belts::Result<()> {
    let schema = InSchema::new();
    let url = format!("{}?application_name={}", super::url(), schema.0);
    let store = Postgres::builder(&url).schema(&schema.0).open().await?;
    let worker = worker(&store).await?;
    let writing: Vec<_> = (0..8)
        .map(|part| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..20 {
                    let (run_id, lease) =
                        begin(&store, &format!("{part}-{number}"), worker).await?;
                    for seq in 0..3 {
                        assert_eq!(
                            commit(&store, lease, vec![entry(seq)], None).await?,
                            CommitOutcome::Applied
                        );
                    }
                    let end = Transition::complete("{}".as_bytes());
                    assert_eq!(
                        commit(&store, lease, vec![entry(3)], Some(end)).await?,
                        CommitOutcome::Applied
                    );
                    assert_eq!(store.journal(&run_id).await?.len(), 4);
                }
                belts::Result::Ok(())
            })
        })
        .collect();
    while !writing.iter().all(tokio::task::JoinHandle::is_finished) {
        let end = "DO $$ BEGIN PERFORM pg_sleep(0.05), pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = '{schema}'; END $$";
        run(schema.sql(end)).await;
    }
    for part in writing {
        part.await.expect("writing does not panic")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn id_that_no_index_takes_spoils_no_other() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    worker(&store).await?;
    // Too long even when it is compressed.
    let mut seed = 1_u64;
    let long: String = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + seed.to_be_bytes()[0] % 90)
    })
    .take(20_000)
    .collect();
    let publishing: Vec<_> = (0..20)
        .map(|number| {
            let (store, long) = (store.clone(), long.clone());
            tokio::spawn(async move {
                let id = if number == 10 {
                    long
                } else {
                    number.to_string()
                };
                publish(&store, event(&id)).await
            })
        })
        .collect();
    for (number, published) in publishing.into_iter().enumerate() {
        match published.await.expect("publishing does not panic") {
            Ok(published) => assert!(number != 10 && !published.duplicate),
            Err(error) => {
                assert_eq!(number, 10, "{error:?}");
                assert!(
                    error
                        .to_string()
                        .starts_with("an id or a value is too large"),
                    "{error}"
                );
            }
        }
    }
    Ok(())
}

/// What was told of an end makes the run above due at once, and not with the next claim.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn end_whose_answer_was_lost_is_heard_of() -> belts::Result<()> {
    let schema = InSchema::new();
    let (proxy, store, _) = open(&schema).await?;
    let worker = family(&store).await?;
    store.forget("nobody", at(1), 1).await?;
    for way in ["commit", "cancel", "forget"] {
        let parent = waits::begin(&store, worker, way).await?;
        let id = format!("c-{way}");
        calls(&store, &parent, &[&id]).await?;
        let child = claim_named(&store, worker, &id).await?;
        if way == "forget" {
            // Nobody else knows the function of the child.
            run(schema.sql("UPDATE {schema}.runs SET function_id = 'h' WHERE id = 'c-forget'"))
                .await;
        }
        proxy.lose_next_answer();
        match way {
            "commit" => {
                let end = Transition::complete("{}".as_bytes());
                commit(&store, child.lease, Vec::new(), Some(end)).await?;
            }
            "cancel" => assert!(store.cancel(&id, at(1)).await?),
            _ => drop(store.forget("h", at(1), 1).await?),
        }
        assert!(proxy.has_lost(), "{way}");
        let above = store.run(&parent.run_id).await?.expect("it is there");
        assert!(above.due_at.is_some(), "{way}: it is due");
    }
    Ok(())
}

/// A commit that ends its lease, and is sent again, does nothing to others a second time.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn end_whose_answer_was_lost_does_nothing_to_others_again() -> belts::Result<()> {
    let schema = InSchema::new();
    let (proxy, store, _) = open(&schema).await?;
    let worker = family(&store).await?;
    let parent = waits::begin(&store, worker, "p").await?;
    calls(&store, &parent, &["c"]).await?;
    assert!(store.cancel("c", at(1)).await?);
    let parent = claim_named(&store, worker, &parent.run_id).await?;
    let watches = Commit::new(parent.lease)
        .with_watches(vec!["c".into()])
        .with_transition(Transition::Stop);
    proxy.lose_next_answer();
    let outcomes = families::commit(&store, vec![watches]).await?;
    assert!(proxy.has_lost());
    assert_eq!(outcomes, [CommitOutcome::Applied]);
    let told = "SELECT count(*) FROM {schema}.events WHERE correlation_key = 'c'";
    // When it was cancelled, and by this.
    assert_eq!(ask::<i64>(schema.sql(told)).await, 2);
    Ok(())
}
