//! Changing keys: workers of different rings at once, a key that is missing, and one that comes back.

use belts::{
    store::{Memory, Store as _},
    testing::Harness,
};
use belts_suite::log;

use super::*;

fn memory() -> (Memory, SharedStore) {
    let memory = Memory::new();
    (memory.clone(), Arc::new(memory))
}

fn one_more(id: &str) -> Keyring {
    Keyring::new(id, [11; 32])
}

/// Each worker has another key in front, or one more than the other.
#[tokio::test]
async fn waits_and_publishes_of_different_rings_meet() {
    let one = || Keyring::new("2026-01", [1; 32]);
    let in_front = || one_more("2026-11").and_old("2026-01", [1; 32]);
    let behind = || one().and_old("2026-11", [11; 32]);
    let hashes = || {
        one_more("2026-11")
            .and_old("2026-01", [1; 32])
            .and_hash([9; 32])
    };
    for (case, waits, publishes) in [
        ("a", one(), in_front()),
        ("b", in_front(), behind()),
        ("c", behind(), in_front()),
        ("d", behind(), one()),
        ("e", hashes(), in_front()),
        ("f", hashes(), hashes()),
    ] {
        let (_, store) = memory();
        let id = format!("meet-{case}");
        let waiting = Running::on(&store, waits.clone()).await;
        let run = begin(&waiting.0, order(&id), &id).await;
        rests(&waiting.0, &id, "payment").await;
        waiting.end().await;
        let publishing = worker(Arc::clone(&store), Some(publishes), None).await;
        let published = publish_sealed_paid(paid(&id)).via(&publishing).await;
        published.unwrap();
        // It is one that opens what the other has sealed.
        let keys = one_more("2026-11").and_old("2026-01", [1; 32]);
        let record = publishing.runs().get(&id).await.unwrap();
        assert!(
            record.due_at.is_some(),
            "{case}: the publish has made it due"
        );
        let going_on = Running::on(&store, keys).await;
        assert_eq!(
            within("they meet", run.via(&going_on.0).result())
                .await
                .unwrap(),
            paid("").note,
            "{case}"
        );
        going_on.end().await;
    }
}

#[tokio::test]
async fn the_same_event_under_another_ring_is_a_duplicate() {
    let (_, store) = memory();
    let plain = worker(Arc::clone(&store), None, None).await;
    let publish = |worker: &Worker, note: &str, key: &str| {
        let mut paid = paid("same");
        note.clone_into(&mut paid.note);
        publish_sealed_paid(paid).idempotency_key(key).via(worker)
    };
    publish(&plain, "one", "plain").await.unwrap();
    let old = worker(Arc::clone(&store), Some(old_keys()), None).await;
    assert!(publish(&old, "one", "plain").await.unwrap().duplicate);
    publish(&old, "one", "old").await.unwrap();
    let new = worker(Arc::clone(&store), Some(new_keys()), None).await;
    for key in ["plain", "old"] {
        assert!(publish(&new, "one", key).await.unwrap().duplicate, "{key}");
        let other = publish(&new, "another", key).await.unwrap_err();
        assert_eq!(other.kind(), belts::ErrorKind::Conflict);
    }
}

/// The run waits, and the log names the key; when it is back, so is the run.
#[tokio::test]
async fn a_missing_key_keeps_a_run_waiting() {
    log::keep();
    for (id, lacking) in [("missing-1", Some(old_keys())), ("missing-2", None)] {
        let (memory, store) = memory();
        let first = Running::on(&store, new_keys()).await;
        let run = begin(&first.0, order(id), id).await;
        rests(&first.0, id, "payment").await;
        first.end().await;
        let publisher = worker(Arc::clone(&store), Some(new_keys()), None).await;
        publish_sealed_paid(paid(id)).via(&publisher).await.unwrap();
        let lacking = Running::on(&store, lacking).await;
        eventually("it is told", async || {
            !log::lines_with(&["ERROR", "2026-11", id]).is_empty()
        })
        .await;
        lacking.end().await;
        let record = memory.run(id).await.unwrap().unwrap();
        assert!(!record.status.is_finished(), "{record:?}");
        assert_eq!(record.failed_attempts, 0);
        let back = Running::on(&store, new_keys()).await;
        assert_eq!(
            within("it goes on", run.via(&back.0).result())
                .await
                .unwrap(),
            paid("").note
        );
        back.end().await;
    }
    assert!(
        log::lines_with(&[MARK])
            .iter()
            .all(|line| !line.contains("sealed with"))
    );
}

#[tokio::test]
async fn keys_that_cannot_be_are_an_error_at_the_start() {
    for keys in [
        Keyring::new("", [1; 32]),
        Keyring::new("a:b", [1; 32]),
        Keyring::new("a", [1; 32]).and_old("a", [2; 32]),
    ] {
        let builder = Worker::builder()
            .store(Memory::new())
            .encryption(keys)
            .publish_only();
        let error = builder.build().await.unwrap_err();
        assert_eq!(error.kind(), belts::ErrorKind::Config);
        assert!(
            error.to_string().starts_with("the keys for encryption: "),
            "{error}"
        );
    }
}

/// The test kit of another library showed what was encrypted.
#[tokio::test]
async fn the_harness_shows_what_is_meant() {
    for inside in [true, false] {
        let memory = Memory::new();
        let builder = Harness::builder().store(memory.clone()).function(payment);
        let builder = if inside {
            builder.encryption(new_keys())
        } else {
            builder.worker(|worker| worker.encryption(new_keys()))
        };
        let harness = builder.build().await.unwrap();
        let run = harness
            .run(payment, order("kit"))
            .run_id("kit")
            .await
            .unwrap();
        run.assert_steps(&["begin", "payment"]);
        let begun = harness
            .store()
            .step_result::<String>("kit", "begin")
            .await
            .unwrap();
        assert_eq!(begun, format!("{MARK} begun"));
        harness.publish(paid("kit")).await.unwrap();
        harness.restart().await.unwrap();
        harness.settle().await.unwrap();
        let runs = harness.runs_of(payment).await.unwrap();
        assert_eq!(runs[0].output().unwrap(), paid("").note);
        assert_eq!(
            harness.published::<SealedPaid>().unwrap()[0].note,
            paid("").note
        );
        let stored = memory.journal("kit").await.unwrap();
        assert!(stored.iter().all(|entry| {
            entry.value.is_empty() || entry.value.starts_with(b"{\"belts.sealed\":1")
        }));
    }
}
