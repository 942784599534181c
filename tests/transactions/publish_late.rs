//! Transactions on Postgres that stay open while others publish, subscribe and wait.

use std::{collections::BTreeSet, time::Duration};

use belts::store::{RunStatus, Store as _};
use belts_suite::{a_moment, within, within_time};

use crate::{
    orders::{begun, placed, publish_begun, publish_placed, receives, waits},
    place::{Place, looped},
    publish::{ended, postgres_test},
};

// A run began, and waited, while the event was written and not committed: its number is smaller than that of the run's event.
postgres_test!(
    a_wait_finds_what_was_written_before_the_run_began_and_committed_later,
    async {
        let place = Place::new().await;
        let worker = place.worker(|worker| worker.function(waits)).await;
        let running = looped(&worker);
        let publisher = place.publisher().await;
        let mut before = place.pool.begin().await.unwrap();
        publish_placed(placed("before"))
            .via(&publisher)
            .in_tx(&mut before)
            .await
            .unwrap();
        let mut between = place.pool.begin().await.unwrap();
        publish_placed(placed("between"))
            .via(&publisher)
            .in_tx(&mut between)
            .await
            .unwrap();
        // Others publish and are found meanwhile.
        for n in 0..20 {
            let order = format!("o-{n}");
            let run = publish_begun(begun(&order)).via(&worker).await.unwrap();
            publish_placed(placed(&order))
                .via(&publisher)
                .await
                .unwrap();
            ended(&place, &run.runs[0].run_id, RunStatus::Completed).await;
        }
        let first = publish_begun(begun("before")).via(&worker).await.unwrap();
        ended(&place, &first.runs[0].run_id, RunStatus::Suspended).await;
        before.commit().await.unwrap();
        ended(&place, &first.runs[0].run_id, RunStatus::Completed).await;
        // And where it is committed after the run began and before it waits.
        worker.shutdown();
        running.await.unwrap().unwrap();
        let second = publish_begun(begun("between"))
            .via(&publisher)
            .await
            .unwrap();
        between.commit().await.unwrap();
        let worker = place.worker(|worker| worker.function(waits)).await;
        let running = looped(&worker);
        ended(&place, &second.runs[0].run_id, RunStatus::Completed).await;
        worker.shutdown();
        running.await.unwrap().unwrap();
    }
);

// What was committed before the run's event was published is no news to the run, although both counted late.
postgres_test!(
    a_wait_does_not_find_what_was_committed_before_the_run_began,
    async {
        let place = Place::new().await;
        let worker = place.worker(|worker| worker.function(waits)).await;
        let running = looped(&worker);
        publish_placed(placed("o-1"))
            .via(&worker)
            .in_tx(&mut place.pool.acquire().await.unwrap())
            .await
            .unwrap();
        within("its place", async {
            let mut connection = place.pool.acquire().await.unwrap();
            while place
                .ask::<i64>(&mut connection, "SELECT count(*) FROM {s}.arriving")
                .await
                .unwrap()
                > 0
            {
                a_moment().await;
            }
        })
        .await;
        let run = publish_begun(begun("o-1")).via(&worker).await.unwrap();
        ended(&place, &run.runs[0].run_id, RunStatus::Suspended).await;
        publish_placed(placed("o-1")).via(&worker).await.unwrap();
        ended(&place, &run.runs[0].run_id, RunStatus::Completed).await;
        worker.shutdown();
        running.await.unwrap().unwrap();
    }
);

// A deploy brings a function, and one that waits for a type that nobody has waited for, while a transaction with an event of these
// types is open. It must stop nobody, and miss neither.
postgres_test!(
    who_subscribes_or_begins_to_wait_meanwhile_gets_it_and_waits_for_nobody,
    async {
        let place = Place::new().await;
        for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
            let sender = place.publisher().await;
            let mut tx = place.pool.begin().await.unwrap();
            let sql = format!("SET TRANSACTION ISOLATION LEVEL {level}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut *tx)
                .await
                .unwrap();
            sqlx::query("SELECT count(*) FROM pg_class")
                .execute(&mut *tx)
                .await
                .unwrap();
            let order = level.to_lowercase();
            let published = publish_placed(placed(&order))
                .via(&sender)
                .in_tx(&mut tx)
                .await
                .unwrap();
            let of_before = published.runs.len();
            let deployed = async {
                let worker = place
                    .worker(|worker| worker.function(receives).function(waits))
                    .await;
                let run = publish_begun(begun(&order)).via(&worker).await.unwrap();
                publish_placed(placed("another"))
                    .via(&sender)
                    .await
                    .unwrap();
                (worker, run)
            };
            let (worker, run) = within("a deploy beside an open transaction", deployed).await;
            let running = looped(&worker);
            ended(&place, &run.runs[0].run_id, RunStatus::Suspended).await;
            let before = place.runs_of("tx-receives").await;
            tx.commit().await.unwrap();
            ended(&place, &run.runs[0].run_id, RunStatus::Completed).await;
            within("the run of a function that subscribed late", async {
                while place.runs_of("tx-receives").await + of_before < before + 1 {
                    a_moment().await;
                }
            })
            .await;
            let filter = belts::store::RunFilter::new().with_event(published.event_id.as_str());
            let runs = place.store.list(filter).await.unwrap().runs;
            assert_eq!(runs.len(), 1, "{level}");
            ended(&place, &runs[0].run_id, RunStatus::Completed).await;
            worker.shutdown();
            running.await.unwrap().unwrap();
            place.run("DELETE FROM {s}.subscriptions; DELETE FROM {s}.wants; DELETE FROM {s}.awaits; DELETE FROM {s}.awaited;
            UPDATE {s}.subscriptions_version SET version = version + 1").await;
        }
    }
);

postgres_test!(
    a_thousand_at_once_beside_their_waits_lose_no_wake_up,
    async {
        const ORDERS: usize = 1_000;
        let place = Place::new().await;
        let workers = [
            place
                .worker(|worker| worker.function(waits).concurrency(64))
                .await,
            belts::Worker::builder()
                .store(place.another().await)
                .function(waits)
                .concurrency(64)
                .build()
                .await
                .unwrap(),
        ];
        let running: Vec<_> = workers.iter().map(looped).collect();
        let publisher = place.publisher().await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..ORDERS {
            let (worker, publisher, pool) = (
                workers[n % 2].clone(),
                publisher.clone(),
                place.pool.clone(),
            );
            tasks.spawn(async move {
                let order = format!("o-{n}");
                let begin = async {
                    publish_begun(begun(&order)).via(&worker).await.unwrap();
                };
                let place_it = async {
                    let mut tx = pool.begin().await.unwrap();
                    if n % 3 == 0 {
                        let level = sqlx::query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
                        level.execute(&mut *tx).await.unwrap();
                    }
                    publish_placed(placed(&order))
                        .via(&publisher)
                        .in_tx(&mut tx)
                        .await
                        .unwrap();
                    if n % 5 == 0 {
                        a_moment().await;
                    }
                    tx.commit().await.unwrap();
                };
                // The run looks for what is published after its event.
                begin.await;
                place_it.await;
            });
        }
        within_time(Duration::from_secs(120), "a thousand transactions", async {
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
        })
        .await;
        within_time(Duration::from_secs(120), "the ends of their runs", async {
            let mut connection = place.pool.acquire().await.unwrap();
            let sql = "SELECT count(*) FROM {s}.runs WHERE status = 'completed'";
            while place.ask::<i64>(&mut connection, sql).await.unwrap()
                < i64::try_from(ORDERS).unwrap()
            {
                a_moment().await;
            }
        })
        .await;
        for worker in &workers {
            worker.shutdown();
        }
        for running in running {
            running.await.unwrap().unwrap();
        }
        let statuses: BTreeSet<_> = {
            let page = place
                .store
                .list(belts::store::RunFilter::new())
                .await
                .unwrap();
            page.runs.into_iter().map(|run| run.status).collect()
        };
        assert_eq!(statuses, BTreeSet::from([RunStatus::Completed]));
    }
);
