//! Realistic changes of a function against its runs in flight: the check tells those that break from those that do not.

use std::{sync::Arc, time::Duration};

use belts::{
    CheckReport, Function, Worker,
    store::{RunStatus, SharedStore},
    testing::{Reopen, SqliteFile},
};
use belts_suite::{a_moment, within};

use crate::{
    breaking, harmless,
    shop::{self, Order},
    untouched::everything,
};

/// How many runs wait for a payment, and how many have not begun.
const WAITING: usize = 4;
const PENDING: usize = 2;

/// Runs of the code before the deploy, each as far as it gets.
pub(crate) async fn in_flight(store: &SharedStore) {
    let worker = Worker::builder()
        .shared_store(Arc::clone(store))
        .function(shop::process)
        .function(shop::audit)
        .build_id("before")
        .build()
        .await
        .unwrap();
    let running = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    let order = |id: String| Order { id, cents: 500 };
    for number in 0..WAITING {
        let call = shop::process(order(format!("o-{number}")));
        call.run_id(format!("waiting-{number}"))
            .via(&worker)
            .start()
            .await
            .unwrap();
    }
    for number in 0..PENDING {
        let call = shop::process(order(format!("l-{number}")));
        let call = call
            .run_id(format!("later-{number}"))
            .delay(Duration::from_secs(3600));
        call.via(&worker).start().await.unwrap();
    }
    within("every run waits for its payment", async {
        loop {
            let suspended = worker.runs().list().function("contract-process");
            let suspended = suspended.status(RunStatus::Suspended).await.unwrap().runs;
            let audited = worker.runs().list().function("contract-audit");
            let audited = audited.status(RunStatus::Completed).await.unwrap().runs;
            if (suspended.len(), audited.len()) == (WAITING, WAITING) {
                break;
            }
            a_moment().await;
        }
    })
    .await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

pub(crate) async fn check<M>(store: &SharedStore, function: impl Function<M>) -> CheckReport {
    let builder = Worker::builder().shared_store(Arc::clone(store));
    let builder = builder
        .function(function)
        .function(shop::audit)
        .function(shop::refund);
    builder.check().await.unwrap()
}

async fn every_change_is_told_apart(place: impl Reopen) {
    let store = place.open().await.unwrap();
    in_flight(&store).await;
    let before = everything(&store).await;

    macro_rules! goes_on {
        ($($version:ident)*) => {$(
            let report = check(&store, harmless::$version::process).await;
            assert!(report.is_ok(), "{}: {report}", stringify!($version));
            assert_eq!(report.runs(), WAITING + PENDING, "{report}");
        )*};
    }
    goes_on!(log_and_options added_behind added_between removed reordered renamed_type optional_field other_timeout);
    goes_on!(longer_loop wider_event);
    let report = check(&store, shop::process).await;
    assert!(report.is_ok(), "{report}");
    assert!(report.functions()[0].ignored().is_empty(), "{report}");

    macro_rules! breaks {
        ($($version:ident: $runs:expr, $text:literal;)*) => {$(
            let report = check(&store, breaking::$version::process).await;
            assert_eq!(report.failing(), $runs, "{}: {report}", stringify!($version));
            assert_eq!(report.exit_code(), 1);
            let fails = report.functions()[0].fails();
            assert!(fails.iter().any(|fail| fail.text().contains($text)), "{}: {report}", stringify!($version));
        )*};
    }
    breaks! {
        required_field: WAITING + PENDING, "missing field `country`";
        other_event: WAITING + PENDING, "takes no `contract-order` any more";
        other_type: WAITING, "`charge`";
        renamed_key: WAITING, "`charge` is done, and the code has `charge-card` in its place";
        other_kind: WAITING, "the journal has `log` as a step";
        other_kind_behind: WAITING, "the journal has `log` as a step, and the code has a sleep";
        other_wait: WAITING, "the wait `paid` is for `contract-paid`, and the code waits for `contract-settled`";
        no_timeout: WAITING, "the wait `paid` was recorded with a `timeout`";
        no_undo: WAITING, "the step `reserve` is to be undone if the run fails";
        other_call: WAITING, "the run called `contract-audit` under `audit`, but the code";
        winner_gone: WAITING, "won by its arm `fast`, which is gone";
        one_key_twice: WAITING, "the key `parcel-0` was reached twice";
        panics: WAITING, "panicked: there are a hundred shelves";
    }
    // Its id was changed, or it was removed.
    let report = check(&store, shop::refund).await;
    assert_eq!(report.failing(), WAITING + PENDING, "{report}");
    let fails = report.functions()[0].fails();
    assert!(
        fails[0]
            .text()
            .starts_with("this program has no such function")
    );

    let report = check(&store, harmless::removed::process).await;
    let ignored = report.functions()[0].ignored();
    assert_eq!((ignored[0].text(), ignored[0].runs()), ("log", WAITING));
    let report = check(&store, harmless::added_between::process).await;
    let untried: Vec<_> = report.functions()[0]
        .untried()
        .iter()
        .map(belts::Concern::text)
        .collect();
    assert!(
        untried.contains(&"charge") && untried.contains(&"parcel-0/label"),
        "{report}"
    );
    let builds: Vec<_> = report.functions()[0].builds().collect();
    assert_eq!(builds, [("before", WAITING)]);
    assert_eq!(everything(&store).await, before, "nothing was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_told_apart_on_sqlite() {
    every_change_is_told_apart(SqliteFile::temporary()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
async fn every_change_is_told_apart_on_postgres() {
    every_change_is_told_apart(crate::untouched::InSchema::new()).await;
}
