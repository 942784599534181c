//! Changes of one kind each, on journals as they would be written down: what a replay says of them.

use std::time::Duration;

use belts::testing::{Harness, Replayed};
use belts_suite::within_time;
use serde_json::{Value, json};

use crate::shop::{Order, Paid, Settled, Stock, release, reserve};

/// What is recorded under a path.
fn recorded(seq: u32, path: &str, kind: &str, type_name: &str, value: &Value) -> Value {
    json!({
        "seq": seq, "path": path, "kind": kind, "state": "completed", "type": type_name, "value": {"v": 1, "ok": value},
        "attempts": 1, "startedAt": 1_700_000_000_000_i64, "finishedAt": 1_700_000_000_000_i64,
    })
}

fn step(seq: u32, path: &str, type_name: &str, value: impl Into<Value>) -> Value {
    recorded(seq, path, "step", type_name, &value.into())
}

/// A run with this journal, an hour after it was begun.
fn run(journal: &[Value]) -> String {
    json!({
        "belts": 1, "runId": "r-1", "functionId": "contract-kinds", "eventId": "e-1", "eventType": "contract-order",
        "status": "suspended", "failedAttempts": 0, "startedAt": 1_700_000_000_000_i64, "exportedAt": 1_700_003_600_000_i64,
        "event": {"id": "o-1", "cents": 5}, "journal": journal,
    })
    .to_string()
}

/// The same run by code of its own for each change.
macro_rules! code {
    ($name:ident: $order:ident => $body:block) => {
        mod $name {
            #[allow(unused_imports, clippy::wildcard_imports)]
            use super::*;
            #[allow(unused_imports)]
            use belts::{sleep, step, wait};

            #[belts::function(id = "contract-kinds", on = Order)]
            pub(super) async fn function($order: Order) -> belts::Result<()> $body
        }
    };
}

macro_rules! replay {
    ($json:expr, $code:ident) => {{
        let builder = Harness::builder().function($code::function);
        let harness = builder.build().await.unwrap();
        let replay = harness.replay(&$json, $code::function);
        within_time(Duration::from_secs(60), "a replay", replay)
            .await
            .unwrap()
    }};
}

#[track_caller]
fn assert_fails(replayed: &Replayed, text: &str) {
    assert!(
        replayed.fails().any(|why| why.contains(text)),
        "{replayed:?}"
    );
}

fn all<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    paths.collect()
}

code!(waits_twice: order => {
    wait!("paid", Paid, key = &order.id, timeout = "30d").await?;
    wait!("settled", Settled, key = &order.id).await?;
    Ok(())
});
code!(renames_its_wait: order => {
    wait!("money", Paid, key = &order.id, timeout = "30d").await?;
    wait!("settled", Settled, key = &order.id).await?;
    Ok(())
});
code!(asks_for_another_key: order => {
    wait!("paid", Paid, key = &order.id, timeout = "30d").await?;
    wait!("settled", Settled, key = format!("c-{}", order.id)).await?;
    Ok(())
});
code!(gives_its_wait_a_timeout: order => {
    wait!("paid", Paid, key = &order.id, timeout = "30d").await?;
    wait!("settled", Settled, key = &order.id, timeout = "1d").await?;
    Ok(())
});

/// A run that has taken one event and waits for another, as a store has it.
async fn with_waits() -> String {
    let builder = Harness::builder().function(waits_twice::function);
    let harness = builder.build().await.unwrap();
    let id = || "o-1".to_owned();
    let order = Order { id: id(), cents: 5 };
    let run = harness.run(waits_twice::function, order).await.unwrap();
    harness.publish(Paid { id: id(), cents: 5 }).await.unwrap();
    harness.travel(Duration::from_secs(1)).await.unwrap();
    let runs = harness.worker().runs();
    let journal = runs.journal(run.run_id()).await.unwrap();
    let paths: Vec<_> = journal.iter().map(|entry| &*entry.path).collect();
    assert_eq!(paths, ["paid", "settled"]);
    runs.export(run.run_id()).await.unwrap()
}

/// It looks behind the event that was taken, which does not come again.
#[tokio::test]
async fn a_wait_that_is_over_is_not_to_be_renamed() {
    let json = with_waits().await;
    replay!(json, waits_twice).assert_fits();
    let replayed = replay!(json, renames_its_wait);
    assert_fails(
        &replayed,
        "`paid` has taken its event, and the code has `money`",
    );
}

#[tokio::test]
async fn a_wait_that_is_open_is_compared_whole() {
    let json = with_waits().await;
    let replayed = replay!(json, asks_for_another_key);
    assert_fails(&replayed, "the wait `settled` was begun with another `key`");
    let replayed = replay!(json, gives_its_wait_a_timeout);
    let notes = all(replayed.assert_fits().notes());
    assert!(notes[0].contains("`settled` was begun without a `timeout`"));
}

code!(reserves: order => {
    step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
    step!("mail", ()).await
});
code!(reserves_nothing: _order => {
    step!("mail", ()).await
});

#[tokio::test]
async fn a_step_that_is_to_be_undone_is_not_to_be_removed() {
    let stock = std::any::type_name::<Stock>();
    let mut reserved = step(0, "reserve", stock, json!({"shelf": 7}));
    reserved["undoable"] = true.into();
    let json = run(&[reserved]);
    replay!(json, reserves).assert_fits();
    let replayed = replay!(json, reserves_nothing);
    assert_fails(
        &replayed,
        "`reserve` is to be undone if the run fails, and the code no longer reaches it",
    );
}

code!(asks_a_person: _order => {
    step!("charge", (), unknown = "park").await
});
code!(asks_nobody: _order => {
    step!("charge", ()).await
});

#[tokio::test]
async fn a_step_that_may_have_happened_is_not_done_again_unasked() {
    let mut begun = step(0, "charge", "()", Value::Null);
    begun["state"] = "waiting".into();
    begun["value"] = json!({"v": 1, "begins": {"times": 1, "open": true}});
    let mut asked = recorded(
        1,
        "settle:charge#0.1",
        "callback",
        "settle",
        &json!({"id": "c-1"}),
    );
    asked["state"] = "completed".into();
    let json = run(&[begun, asked]);
    let replayed = replay!(json, asks_a_person);
    assert!(
        replayed.assert_fits().untried().next().is_none(),
        "{replayed:?}"
    );
    let replayed = replay!(json, asks_nobody);
    assert_fails(
        &replayed,
        "`charge` may have happened, and the code no longer asks",
    );
}

code!(drafts: _order => {
    step!("draft", Some(1_u64)).await?;
    Ok(())
});
code!(notifies: order => {
    let who = order.id;
    step!("notify-{who}", 1_u64).await?;
    Ok(())
});
code!(counts_to_two: order => {
    for number in 0..2 {
        step!("count-{number}", number).await?;
    }
    wait!("settled", Settled, key = &order.id).await?;
    Ok(())
});

/// The step that it is in has no row before it has failed or succeeded.
#[tokio::test]
async fn a_step_that_is_gone_is_not_taken_for_the_one_that_is_under_way() {
    let json = run(&[step(0, "plan", "core::option::Option<u64>", 1)]);
    let replayed = replay!(json, drafts);
    assert_eq!(all(replayed.assert_fits().ignored()), ["plan"]);
}

#[tokio::test]
async fn a_key_that_is_made_at_run_time_claims_no_step_of_another_kind() {
    let json = run(&[recorded(0, "notify-later", "sleep", "", &Value::Null)]);
    let replayed = replay!(json, notifies);
    assert_eq!(all(replayed.assert_fits().ignored()), ["notify-later"]);
}

#[tokio::test]
async fn what_a_shorter_loop_leaves_is_ignored() {
    let counts = (0..3).map(|seq| step(seq, &format!("count-{seq}"), "i32", seq));
    let mut journal: Vec<_> = counts.collect();
    journal.push(json!({
        "seq": 3, "path": "settled", "kind": "wait", "state": "waiting", "type": "", "attempts": 0,
        "startedAt": 1_700_000_000_000_i64,
        "wait": {"types": [{"eventType": "contract-settled", "after": "start"}], "key": "o-1"},
    }));
    let waiting: Value = serde_json::from_str(&with_waits().await).unwrap();
    journal[3]["wait"] = waiting["journal"][1]["wait"].clone();
    let json = run(&journal);
    let replayed = replay!(json, counts_to_two);
    assert_eq!(all(replayed.assert_fits().ignored()), ["count-2"]);
    assert!(replayed.untried().next().is_none());
}

code!(spins: _order => {
    loop {
        tokio::task::yield_now().await;
    }
});

/// A replay of what wakes itself for ever did not end.
#[tokio::test]
async fn code_that_never_rests_costs_a_replay_its_time_and_no_more() {
    let json = run(&[]);
    let replayed = replay!(json, spins);
    assert_fails(&replayed, "does not end");
}
