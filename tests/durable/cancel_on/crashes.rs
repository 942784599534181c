//! Crashes before and after each write, of the run and of what the event sets going.

use belts::testing::Crash;

use super::*;

everywhere! {
    an_event_cancels_whatever_crashes
}

async fn an_event_cancels_whatever_crashes(place: impl Reopen, at: &str) {
    let place: std::sync::Arc<dyn Reopen> = std::sync::Arc::new(place);
    for (write, kind) in (1..=5).flat_map(|write| [(write, 0), (write, 1)]) {
        let crash = || match kind {
            0 => Crash::Before(write),
            _ => Crash::After(write),
        };
        for comes_first in [false, true] {
            let name = format!("{at} crash-{write}-{kind}-{comes_first}");
            let store = place.open().await.unwrap();
            let builder = Harness::builder().store(store).function(trial);
            let harness = builder.build().await.unwrap();
            let run = trial(begun(&name)).run_id(&*name).via(&harness.worker());
            run.start().await.unwrap();
            if !comes_first {
                harness.faults().crash(crash());
                harness.travel(DAY).await.unwrap();
                harness.faults().disarm();
            }
            harness.faults().crash(crash());
            let publish = || harness.publish(left(&name)).idempotency_key(&*name);
            if publish().await.is_err() || harness.faults().has_crashed() {
                harness.restart().await.unwrap();
                publish().await.unwrap();
            }
            harness.travel(DAY).await.unwrap();
            harness.faults().disarm();
            harness.travel(DAY * 20).await.unwrap();
            let record = harness.store().run(&name).await.unwrap();
            assert_eq!(record.status, RunStatus::Cancelled, "{name}");
            assert_eq!(effects(&format!("{name} remind")), 0, "{name}");
            let welcomed = effects(&format!("{name} welcome"));
            assert!(
                welcomed <= 2 && (!comes_first || welcomed == 0),
                "{name}: {welcomed}"
            );
        }
    }
}
