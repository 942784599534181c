//! `transaction!` on Postgres: rows and the record of the step are one commit.

use belts::{
    RunHandle, Worker,
    store::{Postgres, RunStatus, StepState, Store as _},
};
use belts_suite::within;

use crate::{
    debits::{
        Debit, commits, contends, debits, drops_errors, fails, in_a_helper, loops, publish_debit,
        publishes,
    },
    orders::receives,
    place::{Place, looped},
    publish::{ended, postgres_test},
};

const TABLES: &str =
    "CREATE TABLE {s}.debits (id bigserial PRIMARY KEY, account text, cents bigint);
    CREATE TABLE {s}.sums (cents bigint); INSERT INTO {s}.sums VALUES (0)";

pub(crate) fn debit(place: &Place, account: &str, cents: i64) -> Debit {
    Debit {
        schema: place.schema.name().to_owned(),
        account: account.to_owned(),
        cents,
    }
}

pub(crate) async fn with_tables() -> Place {
    let place = Place::new().await;
    place.run(TABLES).await;
    place
}

pub(crate) async fn rows(place: &Place) -> i64 {
    let mut connection = place.pool.acquire().await.unwrap();
    place
        .ask(&mut connection, "SELECT count(*) FROM {s}.debits")
        .await
        .unwrap()
}

/// Publishes, and waits for the result of the one run.
pub(crate) async fn result<T: serde::de::DeserializeOwned + Send>(
    worker: &Worker,
    handle: impl FnOnce(String) -> RunHandle<T>,
    debit: Debit,
) -> belts::Result<T> {
    let published = publish_debit(debit).via(worker).await.unwrap();
    let run = handle(published.runs[0].run_id.clone()).via(worker);
    within("the result", run.result()).await
}

macro_rules! result_of {
    ($worker:expr, $function:path, $debit:expr) => {
        $crate::step::result($worker, |id| belts::run_of($function, id), $debit).await
    };
}

pub(crate) use result_of;

postgres_test!(rows_and_record_are_one_commit, async {
    let place = with_tables().await;
    let worker = place.worker(|worker| worker.function(debits)).await;
    let running = looped(&worker);
    for n in 1..=3 {
        assert_eq!(
            result_of!(&worker, debits, debit(&place, "ada", 5)).unwrap(),
            n * 10
        );
    }
    assert_eq!(rows(&place).await, 3);
    let runs = place
        .store
        .list(belts::store::RunFilter::new())
        .await
        .unwrap()
        .runs;
    for run in runs {
        let journal = place.store.journal(&run.run_id).await.unwrap();
        let states: Vec<_> = journal
            .iter()
            .map(|entry| (&*entry.path, entry.state, entry.attempts))
            .collect();
        assert_eq!(
            states,
            [
                ("debit", StepState::Completed, 1),
                ("after", StepState::Completed, 1)
            ]
        );
        assert_eq!(&*journal[0].type_name, "i64");
    }
    worker.shutdown();
    running.await.unwrap().unwrap();
});

postgres_test!(helpers_loops_and_parallel_transactions_work, async {
    let place = with_tables().await;
    let worker = place.worker(|worker| worker.function(loops)).await;
    let running = looped(&worker);
    assert_eq!(
        result_of!(&worker, loops, debit(&place, "ada", 5)).unwrap(),
        5
    );
    assert_eq!(rows(&place).await, 5);
    worker.shutdown();
    running.await.unwrap().unwrap();
    let worker = place.worker(|worker| worker.function(in_a_helper)).await;
    let running = looped(&worker);
    assert_eq!(
        result_of!(&worker, in_a_helper, debit(&place, "ada", 5)).unwrap(),
        1
    );
    assert_eq!(rows(&place).await, 6);
    worker.shutdown();
    running.await.unwrap().unwrap();
});

postgres_test!(a_pool_of_the_users_will_do, async {
    let place = with_tables().await;
    let store = Postgres::with_pool(place.pool.clone())
        .schema(place.schema.name())
        .open()
        .await
        .unwrap();
    let worker = Worker::builder()
        .store(store)
        .function(debits)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    assert_eq!(
        result_of!(&worker, debits, debit(&place, "ada", 5)).unwrap(),
        10
    );
    worker.shutdown();
    running.await.unwrap().unwrap();
});

postgres_test!(the_users_error_rolls_back_and_is_recorded, async {
    let place = with_tables().await;
    let worker = place.worker(|worker| worker.function(fails)).await;
    let running = looped(&worker);
    let error = result_of!(&worker, fails, debit(&place, "ada", 5)).unwrap_err();
    assert!(error.report().contains("no cover"), "{}", error.report());
    assert_eq!(rows(&place).await, 0);
    let run = &place
        .store
        .list(belts::store::RunFilter::new())
        .await
        .unwrap()
        .runs[0];
    let journal = place.store.journal(&run.run_id).await.unwrap();
    assert_eq!(
        (journal[0].state, journal[0].attempts),
        (StepState::Failed, 1)
    );
    worker.shutdown();
    running.await.unwrap().unwrap();
});

postgres_test!(
    an_error_that_is_dropped_is_told_and_commits_nothing,
    async {
        let place = with_tables().await;
        let worker = place.worker(|worker| worker.function(drops_errors)).await;
        let running = looped(&worker);
        let error = result_of!(&worker, drops_errors, debit(&place, "ada", 5)).unwrap_err();
        assert!(error.report().contains("savepoint"), "{}", error.report());
        assert_eq!(rows(&place).await, 0);
        worker.shutdown();
        running.await.unwrap().unwrap();
    }
);

postgres_test!(a_closure_that_commits_by_itself_is_told, async {
    let place = with_tables().await;
    let worker = place.worker(|worker| worker.function(commits)).await;
    let running = looped(&worker);
    let error = result_of!(&worker, commits, debit(&place, "ada", 5)).unwrap_err();
    assert!(
        error.report().contains("leave the end"),
        "{}",
        error.report()
    );
    // What it committed stands; it is not done again.
    assert_eq!(rows(&place).await, 1);
    worker.shutdown();
    running.await.unwrap().unwrap();
});

// Serialization failures were recorded as the step's error, elsewhere.
postgres_test!(
    those_that_contend_are_tried_again_and_record_no_attempt,
    async {
        const RUNS: i64 = 8;
        let place = with_tables().await;
        let worker = place.worker(|worker| worker.function(contends)).await;
        let running = looped(&worker);
        let all =
            (0..RUNS).map(|_| async { result_of!(&worker, contends, debit(&place, "ada", 7)) });
        let sums = futures_util::future::join_all(all).await;
        let mut sums: Vec<_> = sums.into_iter().map(Result::unwrap).collect();
        sums.sort_unstable();
        assert_eq!(sums, (1..=RUNS).map(|n| n * 7).collect::<Vec<_>>());
        for run in place
            .store
            .list(belts::store::RunFilter::new())
            .await
            .unwrap()
            .runs
        {
            let journal = place.store.journal(&run.run_id).await.unwrap();
            assert_eq!(journal[0].attempts, 1);
        }
        worker.shutdown();
        running.await.unwrap().unwrap();
    }
);

postgres_test!(what_it_publishes_shares_its_fate, async {
    let place = with_tables().await;
    let worker = place
        .worker(|worker| worker.function(publishes).function(receives))
        .await;
    let running = looped(&worker);
    result_of!(&worker, publishes, debit(&place, "ada", -1)).unwrap_err();
    assert_eq!(
        (rows(&place).await, place.runs_of("tx-receives").await),
        (0, 0)
    );
    let event = result_of!(&worker, publishes, debit(&place, "ada", 1)).unwrap();
    assert_eq!(
        (rows(&place).await, place.runs_of("tx-receives").await),
        (1, 1)
    );
    let filter = belts::store::RunFilter::new().with_event(event);
    let run = place.store.list(filter).await.unwrap().runs[0]
        .run_id
        .clone();
    ended(&place, &run, RunStatus::Completed).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
});
