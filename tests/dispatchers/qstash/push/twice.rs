//! Deliveries that are made twice or at once, or whose answers are lost.

use belts_qstash_mock::{Delivery, Faults, When};

use super::{
    MESSAGES_BY_STEP, MESSAGES_IN_ONE_GO, as_if_nothing_had_happened, by_step, no_more_than,
    one_go, pushed, sqlite, store_of,
};
use crate::qstash::{clock::FastClock, mail::SOON};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_made_twice_and_answers_that_are_lost_change_nothing() {
    made_twice_and_lost(&["memory", "sqlite"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
async fn nor_do_they_on_redis() {
    made_twice_and_lost(&["redis"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
async fn nor_do_they_on_postgres() {
    made_twice_and_lost(&["postgres"]).await;
}

async fn made_twice_and_lost(kinds: &[&str]) {
    for kind in kinds {
        for (how, messages) in [("go", MESSAGES_IN_ONE_GO), ("step", MESSAGES_BY_STEP)] {
            let name = format!("twice {kind} {how}");
            let (store, _kept) = store_of(kind).await;
            let clock = FastClock::new();
            let mock = clock.service().start().unwrap();
            mock.set_faults(Faults {
                deliver_twice: When::Always,
                lose_answer: When::Share(0.5),
                ..Faults::default()
            });
            let worker = pushed(&mock, clock, store).await;
            let publish = if how == "go" {
                one_go(&name)
            } else {
                by_step(&name)
            };
            publish.via(&worker).await.unwrap();
            mock.idle(SOON * 2).await.unwrap();
            as_if_nothing_had_happened(&worker, &name).await;
            no_more_than(messages, &mock, &name);
            // Twice for each message, and twice more for each answer that was lost or put it off.
            let deliveries = mock.deliveries();
            let again = |delivery: &&Delivery| delivery.lost || delivery.status() == 409;
            let most = 2 * (messages + deliveries.iter().filter(again).count());
            assert!(deliveries.len() <= most, "{} > {most}", deliveries.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_deliveries_at_the_same_moment_drive_one_run() {
    for (how, messages) in [("go", MESSAGES_IN_ONE_GO), ("step", MESSAGES_BY_STEP)] {
        let name = format!("at once {how}");
        let directory = tempfile::tempdir().unwrap();
        let clock = FastClock::new();
        let mock = clock.service().start().unwrap();
        mock.set_faults(Faults {
            deliver_at_once: When::Always,
            lose_answer: When::Share(0.5),
            ..Faults::default()
        });
        let worker = pushed(&mock, clock, sqlite(&directory).await).await;
        let publish = if how == "go" {
            one_go(&name)
        } else {
            by_step(&name)
        };
        publish.via(&worker).await.unwrap();
        mock.idle(SOON * 2).await.unwrap();
        as_if_nothing_had_happened(&worker, &name).await;
        no_more_than(messages, &mock, &name);
    }
}
