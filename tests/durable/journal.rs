//! What happens when the code and the journal do not fit: a hard error, nothing overwritten, and a rerun after a fix.

use std::sync::atomic::{AtomicBool, Ordering};

use belts::{ErrorKind, sleep, step, testing::Harness};
use serde::{Deserialize, Serialize};

use crate::gated::{Named, effect, effects, named, within};

static KEYS_ARE_FIXED: AtomicBool = AtomicBool::new(false);

#[belts::function(id = "same-key", on = Named)]
async fn same_key(event: Named) -> belts::Result<()> {
    let (first, second) = (
        "twin",
        if KEYS_ARE_FIXED.load(Ordering::SeqCst) {
            "other"
        } else {
            "twin"
        },
    );
    step!("{first}", effect(format!("{} first", event.name))).await?;
    step!("{second}", effect(format!("{} second", event.name))).await
}

#[tokio::test]
async fn a_key_reached_twice_fails_the_run_and_names_both_places() {
    let harness = Harness::builder().function(same_key).build().await.unwrap();
    let run = within("the run", harness.run(same_key, named("twins")).run_id("r"))
        .await
        .unwrap();
    run.assert_failed();
    let error = run.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    assert_eq!(
        error.to_string().matches("journal.rs:").count(),
        2,
        "{error}"
    );
    assert_eq!((effects("twins first"), effects("twins second")), (1, 0));

    KEYS_ARE_FIXED.store(true, Ordering::SeqCst);
    let run = within("the rerun", harness.rerun(same_key, "r"))
        .await
        .unwrap();
    run.assert_completed().assert_steps(&["twin", "other"]);
    assert_eq!((effects("twins first"), effects("twins second")), (1, 1));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Payment {
    cents: u64,
}

/// The same shape under another name.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Charge {
    cents: u64,
}

/// Another shape.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Invoice {
    lines: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Version {
    First,
    Renamed,
    Changed,
}

static VERSION: std::sync::Mutex<Version> = std::sync::Mutex::new(Version::First);

#[belts::function(id = "evolving", on = Named)]
async fn evolving(event: Named) -> belts::Result<u64> {
    let version = *VERSION.lock().unwrap();
    // Three versions of one function's code, told apart here instead of by a deploy.
    let (first, renamed, changed) = ("pay", "pay", "pay");
    let cents = match version {
        Version::First => step!("{first}", Payment { cents: 5 }).await?.cents,
        Version::Renamed => step!("{renamed}", Charge { cents: 6 }).await?.cents,
        Version::Changed => step!("{changed}", Invoice { lines: vec![7] }).await?.lines[0],
    };
    sleep!("wait", "1h").await?;
    step!("after", effect(format!("{} after", event.name))).await?;
    Ok(cents)
}

fn deploy(version: Version) {
    *VERSION.lock().unwrap() = version;
}

#[tokio::test]
async fn a_changed_type_parks_the_run_and_a_fix_lets_it_go_on() {
    let harness = Harness::builder().function(evolving).build().await.unwrap();
    let start = async |run: &'static str| {
        harness
            .run(evolving, named("evolving"))
            .run_id(run)
            .until("pay")
            .await
            .unwrap();
    };
    // A renamed type of the same shape is no change.
    start("renamed").await;
    deploy(Version::Renamed);
    let run = within(
        "the run",
        harness.run(evolving, named("evolving")).run_id("renamed"),
    )
    .await
    .unwrap();
    assert_eq!(run.output().unwrap(), 5);

    deploy(Version::First);
    start("changed").await;
    let before = harness.store().journal("changed").await.unwrap();
    deploy(Version::Changed);
    let run = within(
        "the run",
        harness.run(evolving, named("evolving")).run_id("changed"),
    )
    .await
    .unwrap();
    run.assert_failed().assert_steps(&["pay"]);
    assert_eq!(
        harness.store().journal("changed").await.unwrap(),
        before,
        "nothing was overwritten"
    );
    let error = run.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    for part in ["`pay`", "Payment", "Invoice"] {
        assert!(error.to_string().contains(part), "{error}");
    }

    deploy(Version::Renamed);
    let run = within("the rerun", harness.rerun(evolving, "changed"))
        .await
        .unwrap();
    assert_eq!(run.output().unwrap(), 5);
    assert_eq!(run.evaluations("pay"), 1);
}

static IS_SLEEP: AtomicBool = AtomicBool::new(false);

#[belts::function(id = "other-kind", on = Named)]
async fn other_kind(event: Named) -> belts::Result<()> {
    let (step, sleep) = ("rest", "rest");
    if IS_SLEEP.load(Ordering::SeqCst) {
        sleep!("{sleep}", "1h").await?;
    } else {
        step!("{step}", effect(event.name.as_str())).await?;
    }
    step!("after", ()).await
}

#[tokio::test]
async fn a_key_of_another_kind_fails_the_run() {
    let harness = Harness::builder()
        .function(other_kind)
        .build()
        .await
        .unwrap();
    harness
        .run(other_kind, named("kind"))
        .run_id("r")
        .until("rest")
        .await
        .unwrap();
    IS_SLEEP.store(true, Ordering::SeqCst);
    let run = within(
        "the run",
        harness.run(other_kind, named("kind")).run_id("r"),
    )
    .await
    .unwrap();
    assert_eq!(run.error().unwrap().kind(), ErrorKind::Mismatch);
}
