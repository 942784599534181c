//! A cancel that is handled where no loop runs: whoever ends the run hands it on, and what ends it starts the handler.

use std::time::Duration;

use belts::{
    Event, Failed, sleep, step,
    store::{RunFilter, RunStatus},
};
use serde::{Deserialize, Serialize};

use super::{house, start};

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "z-pushed-opened", key = door)]
struct Opened {
    door: u32,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "z-pushed-closed", key = door)]
struct Closed {
    door: u32,
}

#[belts::function(id = "z-pushed-open", on = Opened, cancel_on = Closed)]
async fn open(opened: Opened) -> belts::Result<u32> {
    step!("open", opened.door).await?;
    sleep!("stay", "240h").await?;
    Ok(opened.door)
}

#[belts::function(id = "z-pushed-open-ended", on_failure = open, cancelled = true)]
async fn ended(failed: Failed<Opened>) -> belts::Result<u32> {
    step!("note", failed.event.door).await
}

/// By an event, and by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_is_handed_on_to_start_its_handler() {
    for how in ["event", "hand"] {
        let (store, _clock, post) = house();
        let worker = post.builder(&store).function(open).function(ended);
        let worker = worker.build().await.unwrap();
        let opened = publish_opened(Opened { door: 1 });
        opened.via(&worker).await.unwrap();
        let minute = |minutes: u64| start().after(Duration::from_secs(60 * minutes));
        post.carry_until(&worker, minute(1)).await;
        let filter = RunFilter::new().with_function("z-pushed-open");
        let run = store.list(filter).await.unwrap().runs.remove(0);
        assert_eq!(run.status, RunStatus::Suspended);
        let run_id = run.run_id;
        match how {
            "event" => {
                publish_closed(Closed { door: 1 })
                    .via(&worker)
                    .await
                    .unwrap();
            }

            _ => assert!(worker.runs().cancel(&run_id).await.unwrap()),
        }
        post.carry_until(&worker, minute(240)).await;
        let run = worker.runs().get(&run_id).await.unwrap();
        assert_eq!(run.status, RunStatus::Cancelled, "{how}");
        let handlers = RunFilter::new().with_function("z-pushed-open-ended");
        let handlers = store.list(handlers).await.unwrap().runs;
        let statuses: Vec<_> = handlers.iter().map(|run| run.status).collect();
        assert_eq!(statuses, [RunStatus::Completed], "{how}");
    }
}
