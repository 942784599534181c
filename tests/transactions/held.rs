//! A transaction that stays open holds up who publishes the same event, and nobody else.

use std::time::Duration;

use belts::{ErrorKind, store::RunStatus};
use belts_suite::{a_moment, within, within_time};

use crate::{
    orders::{limited, placed, publish_placed, receives, waits},
    place::{Place, looped},
    publish::{ended, postgres_test},
};

/// Returns when so many connections wait for a lock, other than advisory ones.
async fn held_up(place: &Place, many: i64) {
    within("a publisher who is held up", async {
        let mut connection = place.pool.acquire().await.unwrap();
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event <> 'advisory'
            AND query LIKE '%{s}%'";
        while place.ask::<i64>(&mut connection, sql).await.unwrap() < many {
            a_moment().await;
        }
    })
    .await;
}

postgres_test!(
    who_publishes_the_same_event_is_told_soon_and_others_go_on,
    async {
        let place = Place::new().await;
        let worker = place.worker(|worker| worker.function(receives)).await;
        let publish = |order: &str| {
            publish_placed(placed(order))
                .idempotency_key(order)
                .via(&worker)
        };
        let mut tx = place.pool.begin().await.unwrap();
        for order in ["o-0", "o-1", "o-2"] {
            publish(order).in_tx(&mut tx).await.unwrap();
        }
        let alone = tokio::spawn(publish("o-0").into_future());
        held_up(&place, 1).await;
        // These are in one batch, behind it.
        let spawn = |order: &str| tokio::spawn(publish(order).into_future());
        let same = [alone, spawn("o-1"), spawn("o-2")];
        let others: Vec<_> = (0..20).map(|n| spawn(&format!("other-{n}"))).collect();
        for other in others {
            let other = within_time(Duration::from_secs(12), "the others", other);
            other.await.unwrap().unwrap();
        }
        for same in same {
            let refused = within("an answer", same).await.unwrap().unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Busy, "{refused:?}");
            assert!(refused.to_string().contains("still open"), "{refused}");
        }
        assert_eq!(place.rows().await, (20, 20));
        tx.commit().await.unwrap();
        assert!(publish("o-1").await.unwrap().duplicate);
        assert_eq!(place.rows().await, (23, 23));
    }
);

postgres_test!(sessions_and_deploys_do_not_wait_for_it, async {
    let place = Place::new().await;
    // Its limits make the publish one of several tables, which leases the run at once.
    let worker = place.worker(|worker| worker.function(limited)).await;
    let running = looped(&worker);
    let publish = || {
        publish_placed(placed("o-1"))
            .idempotency_key("o-1")
            .via(&worker)
    };
    let mut tx = place.pool.begin().await.unwrap();
    publish().in_tx(&mut tx).await.unwrap();
    let same = tokio::spawn(publish().into_future());
    held_up(&place, 1).await;
    place
        .are_free("SELECT FROM {s}.workers FOR UPDATE NOWAIT")
        .await;
    // Another program begins to await a type.
    let other = place.another().await;
    let builder = belts::Worker::builder().store(other).function(waits);
    let deployed = within("a deploy", builder.build()).await.unwrap();
    assert_eq!(
        within("an answer", same).await.unwrap().unwrap_err().kind(),
        ErrorKind::Busy
    );
    tx.commit().await.unwrap();
    let published = publish().await.unwrap();
    ended(&place, &published.runs[0].run_id, RunStatus::Completed).await;
    drop(deployed);
    worker.shutdown();
    running.await.unwrap().unwrap();
});
