//! The runs of a worker, as a program asks for them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use belts::{
    ErrorKind, Result,
    dispatch::{Capabilities, Dispatcher, Message, Sent},
    store::{RunStatus, StepState},
};

use crate::shop::*;

#[tokio::test]
async fn failed_runs_say_at_which_step_and_why() {
    let worker = with_failed_run(builder(), "why").await;
    let yesterday = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let failed = worker
        .runs()
        .list()
        .function("process-order")
        .status(RunStatus::Failed);
    let page = failed.clone().since(yesterday).await.unwrap();
    assert_eq!(page.runs.len(), 1);
    let why = page.runs[0].failure().unwrap();
    assert_eq!(
        why.report(),
        "step `charge-payment` failed: card\\ndeclined"
    );
    assert!(failed.until(yesterday).await.unwrap().runs.is_empty());
    let journal = worker.runs().journal("failed").await.unwrap();
    let states: Vec<_> = journal
        .iter()
        .map(|entry| (&*entry.path, entry.state))
        .collect();
    assert_eq!(
        states,
        [
            ("check-inventory", StepState::Completed),
            ("charge-payment", StepState::Failed)
        ]
    );
    assert_eq!(journal[0].output().unwrap().get(), "20");
    assert_eq!(journal[1].failure().unwrap().message, "card\ndeclined");
    assert!(journal.iter().all(|entry| entry.duration().is_some()));
}

#[tokio::test]
async fn a_rerun_is_taken_up_at_once_and_keeps_what_is_recorded() {
    // So long that only a wake-up can explain that the run goes on.
    let builder = builder().sweep(Duration::from_secs(3600));
    let worker = with_failed_run(builder, "keep").await;
    let (_url, _serving) = served(&worker).await;
    let shop = shop("keep");
    shop.mended.store(true, Ordering::SeqCst);
    assert!(worker.runs().rerun("failed").await.unwrap());
    until(&worker, "failed", RunStatus::Completed).await;
    let run = worker.runs().get("failed").await.unwrap();
    assert_eq!(run.output().unwrap().get(), "41");
    assert_eq!(shop.checks.load(Ordering::SeqCst), 1, "it was recorded");
    assert!(
        !worker.runs().rerun("failed").await.unwrap(),
        "it has completed"
    );
}

#[tokio::test]
async fn a_rerun_from_a_step_does_it_again() {
    let worker = with_failed_run(builder(), "from").await;
    let runs = worker.runs();
    let error = runs.rerun_from("failed", "pack").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the run `failed` has not recorded the step `pack`"
    );
    let error = runs.rerun_from("nobody", "ship").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no run `nobody`");
    let (_url, _serving) = served(&worker).await;
    let shop = shop("from");
    shop.mended.store(true, Ordering::SeqCst);
    assert!(runs.rerun_from("failed", "check-inventory").await.unwrap());
    until(&worker, "failed", RunStatus::Completed).await;
    assert_eq!(shop.checks.load(Ordering::SeqCst), 2);
    assert!(
        !runs.rerun_from("failed", "ship").await.unwrap(),
        "it has completed"
    );
}

#[tokio::test]
async fn a_cancelled_run_stops_at_its_next_write() {
    let worker = builder().build().await.unwrap();
    let (_url, serving) = served(&worker).await;
    let name = "stop".to_owned();
    publish_waited(Waited { shop: name })
        .via(&worker)
        .await
        .unwrap();
    let shop = shop("stop");
    shop.reached.notified().await;
    let runs = worker.runs();
    let id = runs.list().await.unwrap().runs[0].run_id.clone();
    assert!(runs.cancel(&id).await.unwrap());
    assert!(!runs.cancel(&id).await.unwrap(), "it is over");
    shop.opened.notify_one();
    worker.shutdown();
    serving.ended().await;
    assert_eq!(runs.get(&id).await.unwrap().status, RunStatus::Cancelled);
    assert!(
        runs.journal(&id).await.unwrap().is_empty(),
        "its step came too late"
    );
    assert_eq!(shop.checks.load(Ordering::SeqCst), 0, "nothing came after");
}

#[tokio::test]
async fn an_unknown_run_is_an_error() {
    let worker = builder().build().await.unwrap();
    let runs = worker.runs();
    let errors = [
        runs.get("nobody").await.map(drop),
        runs.cancel("nobody").await.map(drop),
        runs.rerun("nobody").await.map(drop),
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownRun);
        assert_eq!(error.to_string(), "there is no run `nobody`");
    }
    assert!(runs.journal("nobody").await.unwrap().is_empty());
}

#[tokio::test]
async fn everything_old_is_purged_however_much_it_is() {
    let worker = builder().build().await.unwrap();
    for _ in 0..3 {
        worker.execute(order("old")).await.unwrap();
    }
    let runs = worker.runs();
    let none = runs.purge(SystemTime::UNIX_EPOCH).await.unwrap();
    assert_eq!((none.runs, none.more), (0, false));
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(40_000_000_000);
    let all = runs.purge(later).await.unwrap();
    assert_eq!((all.runs, all.more), (3, false));
    assert!(runs.list().await.unwrap().runs.is_empty());
}

#[tokio::test]
async fn a_rerun_is_handed_on_where_no_loop_runs() {
    let transport = Transport::default();
    let builder = belts::Worker::builder()
        .store(belts::store::Memory::new())
        .dispatcher(transport.clone());
    let worker = with_failed_run(builder, "handed").await;
    transport.sent.lock().unwrap().clear();
    assert!(worker.runs().rerun("failed").await.unwrap());
    let due_at = worker.runs().get("failed").await.unwrap().due_at.unwrap();
    let bodies = transport.sent.lock().unwrap().clone();
    assert_eq!(bodies.len(), 1);
    assert_eq!(
        bodies[0],
        serde_json::json!({
            "v": 1,
            "context": {"executionId": "failed", "timestamp": due_at.as_millis()},
        })
    );
}

/// A run that somebody only starts would otherwise wait for a loop that is not there.
#[tokio::test]
async fn a_start_is_handed_on_where_no_loop_runs() {
    let transport = Transport::default();
    let builder = belts::Worker::builder()
        .store(belts::store::Memory::new())
        .dispatcher(transport.clone());
    let worker = builder.build().await.unwrap();
    let call = process_order(order("started")).run_id("started");
    let run = call.via(&worker).start().await.unwrap();
    let due_at = worker.runs().get("started").await.unwrap().due_at.unwrap();
    let bodies = transport.sent.lock().unwrap().clone();
    assert_eq!(
        bodies,
        [serde_json::json!({
            "v": 1,
            "context": {"executionId": "started", "timestamp": due_at.as_millis()},
        })]
    );
    assert_eq!(run.status().await.unwrap(), RunStatus::Pending);
}

/// The run was durable when the dispatcher failed, and nobody could tell which it was: another try started another run.
#[tokio::test]
async fn a_start_that_is_not_handed_on_names_its_run() {
    let transport = Transport::default();
    let builder = belts::Worker::builder()
        .store(belts::store::Memory::new())
        .dispatcher(transport.clone());
    let worker = builder.build().await.unwrap();
    transport.fails.store(true, Ordering::SeqCst);
    let call = process_order(order("not handed on")).via(&worker);
    let error = call.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dispatcher);
    let run_id = error.run_id().expect("it names the run").to_owned();
    assert!(transport.sent.lock().unwrap().is_empty());

    transport.fails.store(false, Ordering::SeqCst);
    let again = process_order(order("not handed on")).run_id(&*run_id);
    let run = again.via(&worker).start().await.unwrap();
    assert_eq!(run.run_id(), run_id);
    assert_eq!(transport.sent.lock().unwrap().len(), 1);
    assert_eq!(worker.runs().list().await.unwrap().runs.len(), 1);
}

/// Takes messages and brings none.
#[derive(Debug, Clone, Default)]
struct Transport {
    sent: Arc<Mutex<Vec<serde_json::Value>>>,
    fails: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl Dispatcher for Transport {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE.max_delay(Duration::from_secs(60))
    }

    async fn send(&self, batch: Vec<Message>) -> Result<Vec<Result<Sent>>> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(belts::Error::dispatcher("the queue is full", "full"));
        }
        let take = |message: Message| {
            let body = serde_json::from_slice(&message.body).unwrap();
            self.sent.lock().unwrap().push(body);
            Ok(Sent::new(message.id))
        };
        Ok(batch.into_iter().map(take).collect())
    }
}
