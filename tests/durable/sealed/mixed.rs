//! Encryption that is turned on while runs are in flight: what was written before stays readable, and nothing waits in vain.

use belts::store::{Memory, Sqlite};

use super::*;

async fn stores() -> [(SharedStore, Option<tempfile::TempDir>); 2] {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(directory.path().join("belts.db"))
        .await
        .unwrap();
    [
        (Arc::new(Memory::new()), None),
        (Arc::new(sqlite), Some(directory)),
    ]
}

#[tokio::test]
async fn a_run_from_before_hears_of_an_event_from_after() {
    for (store, _kept) in stores().await {
        let before = Running::on(&store, None).await;
        let run = begin(&before.0, order("before"), "before").await;
        rests(&before.0, "before", "payment").await;
        before.end().await;
        // Published before any worker with keys has looked at the run.
        let publisher = worker(Arc::clone(&store), Some(new_keys()), None).await;
        publish_sealed_paid(paid("before"))
            .via(&publisher)
            .await
            .unwrap();
        let after = Running::on(&store, new_keys()).await;
        assert_eq!(
            within("it hears", run.via(&after.0).result())
                .await
                .unwrap(),
            paid("").note
        );
        after.end().await;
    }
}

#[tokio::test]
async fn a_run_from_before_hears_of_an_event_once_it_waits_anew() {
    for (store, _kept) in stores().await {
        let before = Running::on(&store, None).await;
        let run = begin(&before.0, order("anew"), "anew").await;
        rests(&before.0, "anew", "payment").await;
        before.end().await;
        let after = Running::on(&store, new_keys()).await;
        eventually("it has moved", async || {
            let journal = store.journal("anew").await.unwrap();
            journal.iter().any(|entry| {
                let wait = entry.wait.as_ref().map(ToString::to_string);
                &*entry.path == "payment" && wait.is_some_and(|wait| !wait.contains(MARK))
            })
        })
        .await;
        publish_sealed_paid(paid("anew"))
            .via(&after.0)
            .await
            .unwrap();
        assert_eq!(
            within("it hears", run.via(&after.0).result())
                .await
                .unwrap(),
            paid("").note
        );
        after.end().await;
    }
}

/// The event came in plain text, the wait for it was reached with encryption; with a new key in between, too.
#[tokio::test]
async fn a_run_from_before_finds_an_event_from_before() {
    for reencrypts in [false, true] {
        for (store, _kept) in stores().await {
            let clock = ManualClock::default();
            let before = worker(Arc::clone(&store), None, Some(&clock)).await;
            let sleeper = SealedOrder {
                note: "sleeps".to_owned(),
                ..order("slept")
            };
            let run = begin(&before, sleeper, "slept").await;
            let running = looped(&before);
            rests(&before, "slept", "rest").await;
            publish_sealed_paid(paid("slept"))
                .via(&before)
                .await
                .unwrap();
            before.shutdown();
            within("it ends", running).await.unwrap().unwrap();
            if reencrypts {
                reencrypted::all(&store, new_keys()).await;
            }
            let after = worker(Arc::clone(&store), Some(new_keys()), Some(&clock)).await;
            let running = looped(&after);
            clock.advance(std::time::Duration::from_secs(3_601));
            let found = within("it finds it", run.via(&after).result()).await;
            assert_eq!(found.unwrap(), paid("").note);
            after.shutdown();
            within("it ends", running).await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn what_failed_before_is_run_again_after() {
    for (store, _kept) in stores().await {
        let before = Running::on(&store, None).await;
        let run = fails(order("again")).run_id("again").via(&before.0);
        let run = run.start().await.unwrap();
        within("it fails", run.via(&before.0).result())
            .await
            .unwrap_err();
        before.end().await;
        let after = Running::on(&store, new_keys()).await;
        let record = after.0.runs().get("again").await.unwrap();
        assert!(record.failure().unwrap().report().contains("broke"));
        assert!(after.0.runs().rerun("again").await.unwrap());
        eventually("it has failed again", async || {
            let record = store.run("again").await.unwrap().unwrap();
            let sealed = record
                .result
                .is_some_and(|result| result.starts_with(b"{\"belts.sealed\""));
            record.status == RunStatus::Failed && sealed
        })
        .await;
        // And once more, all of it sealed.
        assert!(after.0.runs().rerun_from("again", "break").await.unwrap());
        eventually("and again", async || {
            let record = after.0.runs().get("again").await.unwrap();
            record.status == RunStatus::Failed
                && record
                    .failure()
                    .is_some_and(|failure| failure.report().contains("broke"))
        })
        .await;
        after.end().await;
    }
}
