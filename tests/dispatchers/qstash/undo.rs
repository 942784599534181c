//! Workers without a loop: a run that is undone is handed on as any other, whatever ended it.

use std::{sync::Arc, time::Duration};

use belts::{
    Event, Worker, call, sleep, step,
    store::{Memory, RunStatus, SharedStore},
};
use serde::{Deserialize, Serialize};

use super::{clock::FastClock, mail::*};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-undo-pushed")]
struct Pushed {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-undo-guided")]
struct Guided {
    name: String,
}

async fn undone(what: String) {
    effect(&format!("-{what}"));
}

#[belts::function(id = "z-undo-push-failing", on = Pushed)]
async fn failing(pushed: Pushed) -> belts::Result<()> {
    step!("flight", format!("{} flight", pushed.name), undo = undone).await?;
    step!(
        "hotel",
        format!("{} hotel", pushed.name),
        undo = |hotel: String| async move {
            if effect(&format!("?{hotel}")) < 3 {
                Err("not now")
            } else {
                Ok(())
            }
        }
    )
    .await?;
    Err(belts::terminal("it rains"))
}

#[belts::function(id = "z-undo-push-above", on = Pushed)]
async fn above(pushed: Pushed) -> belts::Result<()> {
    let name = pushed.name;
    call!("below", below(Guided { name })).await
}

#[belts::function(id = "z-undo-push-below", on = Guided)]
async fn below(pushed: Guided) -> belts::Result<()> {
    step!("guide", format!("{} guide", pushed.name), undo = undone).await?;
    sleep!("journey", "999h").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_undone_by_deliveries() {
    let clock = FastClock::new();
    let mock = clock.service().start().unwrap();
    let place = Place::new().await;
    let store: SharedStore = Arc::new(Memory::new());
    let qstash = to(&mock, &place.url).retries(100).retry_delay("5000");
    let worker = Worker::builder()
        .shared_store(store)
        .clock(clock)
        .lease(Duration::from_secs(120))
        .function(failing)
        .function(above)
        .function(below)
        .dispatcher(qstash.build().unwrap())
        .build()
        .await
        .unwrap();
    place.serve_only(worker.router());
    let name = "u-push".to_owned();
    publish_pushed(Pushed { name }).via(&worker).await.unwrap();
    let find = async |id: &str, status| loop {
        let all = runs(&worker).await;
        let found = all
            .iter()
            .find(|run| &*run.function_id == id && run.status == status);
        if let Some(run) = found {
            return Arc::clone(&run.run_id);
        }
        belts_suite::a_moment().await;
    };
    let all = async {
        find("z-undo-push-below", RunStatus::Suspended).await;
        let parent = find("z-undo-push-above", RunStatus::Suspended).await;
        // It has nothing to undo, and is over at once. Its child is undone.
        assert!(worker.runs().cancel(&parent).await.unwrap());
        find("z-undo-push-below", RunStatus::Cancelled).await;
        find("z-undo-push-failing", RunStatus::Failed).await;
    };
    tokio::time::timeout(SOON, all).await.unwrap();
    let done = ["-u-push guide", "-u-push flight", "?u-push hotel"].map(effects);
    assert_eq!(done, [1, 1, 3]);
    // What was to resume the journey is still on its way.
    assert_eq!(mock.counts().failed, 0, "{:?}", mock.dead_letters());
}
