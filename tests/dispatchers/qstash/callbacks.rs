//! Callbacks of workers without a loop: whatever completes one hands its run on.

use std::time::Duration;

use belts::{
    Event, Worker, callback,
    store::{Memory, RunStatus},
};
use belts_qstash_mock::Mock;
use serde::{Deserialize, Serialize};

use super::mail::*;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Knocked {
    door: String,
}

#[belts::function(id = "z-let-in", on = Knocked)]
async fn let_in(_: Knocked) -> belts::Result<bool> {
    let answer = callback!("answer", bool).await?;
    effect("z-let-in drives");
    Ok(answer.result_within("1h").await? == Some(true))
}

#[tokio::test]
async fn a_completed_callback_resumes_its_run_by_a_message() {
    let mock = Mock::start().unwrap();
    let place = Place::new().await;
    let qstash = to(&mock, &place.url).retries(100).retry_delay("5000");
    let builder = Worker::builder().store(Memory::new()).function(let_in);
    let builder = builder.lease(Duration::from_secs(120));
    let worker = builder.dispatcher(qstash.build().unwrap()).build();
    let worker = worker.await.unwrap();
    place.serve_only(worker.router());
    let knocked = Knocked {
        door: "front".to_owned(),
    };
    publish_knocked(knocked).via(&worker).await.unwrap();
    let run = ended(&worker, 1, RunStatus::Suspended).await.remove(0);
    let journal = worker.store().journal(&run.run_id).await.unwrap();
    let recorded: serde_json::Value = serde_json::from_slice(&journal[0].value).unwrap();
    let callback = worker.callback(recorded["ok"]["id"].as_str().unwrap());
    // The delivery is answered, and the run's time limit handed on.
    belts_suite::within("the delivery", async {
        while mock.counts().delivered == 0 {
            belts_suite::a_moment().await;
        }
    })
    .await;
    let messages = mock.counts().messages;
    callback.complete(&true).await.unwrap();
    let run = ended(&worker, 1, RunStatus::Completed).await.remove(0);
    let run = worker.store().run(&run.run_id).await.unwrap().unwrap();
    let result: serde_json::Value = serde_json::from_slice(run.result.as_ref().unwrap()).unwrap();
    assert_eq!(result["ok"], true);
    assert_eq!(effects("z-let-in drives"), 2);
    assert_eq!(mock.counts().messages, messages + 1);
}
