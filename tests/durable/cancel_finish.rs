//! `on_cancel = "finish"`: what runs when its run is cancelled comes to its end, and nothing follows it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use belts::{
    Context, Error, Event, Runs, Worker, step,
    store::{Memory, RunStatus, StepState, Store},
};
use belts_suite::Hooked;
use serde::{Deserialize, Serialize};

use crate::gated::{effect, effects, eventually, gate, looped, open, within};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-finish-begun", key = name)]
struct Begun {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "z-finish-left", key = name)]
struct Left {
    name: String,
}

/// Says when its future goes.
struct Gone(String);

impl Drop for Gone {
    fn drop(&mut self) {
        effect(format!("{} gone", self.0));
    }
}

/// Its first step waits for a gate; a second one is under way beside it, whose successor must not begin.
#[belts::function(id = "z-finish", on = Begun, cancel_on = Left, on_cancel = "finish")]
async fn finishes(begun: Begun, cx: Context) -> belts::Result<()> {
    let name = &begun.name;
    let _gone = Gone(name.clone());
    let first = async {
        step!("first", async {
            effect(name.as_str());
            gate(name).await;
            cx.heartbeat(&1).await?;
            cx.set_status(&2).await?;
            effect(format!("{name} first"));
            Ok::<_, belts::Error>(())
        })
        .await
    };
    let beside = async {
        step!("beside", gate(&format!("{name} beside"))).await?;
        step!("behind", effect(format!("{name} behind"))).await
    };
    tokio::try_join!(first, beside)?;
    step!("second", effect(format!("{name} second"))).await
}

async fn worker_on(store: &Memory, grace: Duration) -> Worker {
    let builder = Worker::builder().store(store.clone()).function(finishes);
    builder
        .sweep(Duration::from_millis(50))
        .grace(grace)
        .build()
        .await
        .unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "what does not happen is waited for outside of any clock that a test could move"
)]
async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

const LONG: Duration = Duration::from_secs(60);

async fn begun_on(worker: &Worker, name: &str) -> String {
    let event = Begun {
        name: name.to_owned(),
    };
    let published = publish_begun(event).via(worker).await.unwrap();
    eventually("the step begins", async || effects(name) == 1).await;
    published.runs[0].run_id.clone()
}

async fn steps(store: &Memory, run_id: &str) -> Vec<(String, StepState)> {
    let journal = store.journal(run_id).await.unwrap();
    journal
        .iter()
        .filter(|entry| ["first", "beside", "behind", "second"].contains(&&*entry.path))
        .map(|entry| (entry.path.to_string(), entry.state))
        .collect()
}

/// By hand the end of the run is written first. The payment that is under way is not dropped in its middle, but what comes of it is
/// refused.
#[tokio::test]
async fn a_step_ends_after_its_run_was_cancelled_by_hand() {
    let (store, name) = (Memory::new(), "finish by hand");
    let worker = worker_on(&store, LONG).await;
    let running = looped(&worker);
    let run_id = begun_on(&worker, name).await;
    assert!(worker.runs().cancel(&run_id).await.unwrap());
    pause(200).await;
    assert_eq!(effects("finish by hand gone"), 0, "dropped");
    open("finish by hand beside");
    pause(100).await;
    assert_eq!(effects("finish by hand gone"), 0, "dropped");
    open(name);
    eventually("the function is dropped", async || {
        effects("finish by hand gone") == 1
    })
    .await;
    assert_eq!(effects("finish by hand first"), 1);
    assert_eq!(effects("finish by hand behind"), 0);
    assert_eq!(effects("finish by hand second"), 0);
    let run = store.run(&run_id).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Cancelled);
    assert_eq!(steps(&store, &run_id).await, []);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// The same from another process.
#[tokio::test]
async fn a_step_ends_after_its_run_was_cancelled_elsewhere() {
    let (store, name) = (Memory::new(), "finish elsewhere");
    let worker = worker_on(&store, LONG).await;
    let running = looped(&worker);
    let run_id = begun_on(&worker, name).await;
    assert!(
        Runs::of(Arc::new(store.clone()))
            .cancel(&run_id)
            .await
            .unwrap()
    );
    pause(300).await;
    assert_eq!(effects("finish elsewhere gone"), 0, "dropped");
    open(name);
    open("finish elsewhere beside");
    eventually("the function is dropped", async || {
        effects("finish elsewhere gone") == 1
    })
    .await;
    assert_eq!(effects("finish elsewhere first"), 1);
    assert_eq!(effects("finish elsewhere behind"), 0);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// The worker itself ends a run that an event cancels, so what its steps came to goes with that write.
#[tokio::test]
async fn what_a_step_came_to_is_recorded_where_an_event_cancels() {
    let (store, name) = (Memory::new(), "finish by event");
    let worker = worker_on(&store, LONG).await;
    let running = looped(&worker);
    let run_id = begun_on(&worker, name).await;
    let left = Left {
        name: name.to_owned(),
    };
    publish_left(left).via(&worker).await.unwrap();
    pause(200).await;
    let run = store.run(&run_id).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Running);
    open("finish by event beside");
    open(name);
    eventually("the run ends", async || {
        store.run(&run_id).await.unwrap().unwrap().status == RunStatus::Cancelled
    })
    .await;
    let mut recorded = steps(&store, &run_id).await;
    recorded.sort_by(|one, other| one.0.cmp(&other.0));
    let completed = |path: &str| (path.to_owned(), StepState::Completed);
    assert_eq!(recorded, [completed("beside"), completed("first")]);
    assert_eq!(effects("finish by event behind"), 0);
    assert_eq!(effects("finish by event second"), 0);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// No step holds a cancelled run for ever.
#[tokio::test]
async fn a_step_that_takes_longer_than_the_grace_period_is_dropped() {
    let (store, name) = (Memory::new(), "finish too late");
    let worker = worker_on(&store, Duration::from_millis(200)).await;
    let running = looped(&worker);
    let run_id = begun_on(&worker, name).await;
    let left = Left {
        name: name.to_owned(),
    };
    publish_left(left).via(&worker).await.unwrap();
    eventually("the function is dropped", async || {
        effects("finish too late gone") == 1
    })
    .await;
    eventually("the run ends", async || {
        store.run(&run_id).await.unwrap().unwrap().status == RunStatus::Cancelled
    })
    .await;
    assert_eq!(effects("finish too late first"), 0);
    assert_eq!(steps(&store, &run_id).await, []);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// That the store fails is no cancel: the run is given back, and whoever takes it evaluates the step. It does not go on beside that.
#[tokio::test]
async fn a_step_does_not_go_on_where_the_store_fails() {
    let name = "finish no store";
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    let store = Hooked::new(Arc::new(Memory::new()), move |method| {
        let fails = method == "commit" && failing.load(Ordering::SeqCst);
        Box::pin(async move {
            if fails {
                return Err(Error::store("not now", "the store is down"));
            }
            Ok(())
        })
    });
    let builder = Worker::builder().shared_store(store).function(finishes);
    let builder = builder.sweep(Duration::from_millis(50)).grace(LONG);
    let worker = builder.build().await.unwrap();
    let running = looped(&worker);
    begun_on(&worker, name).await;
    fails.store(true, Ordering::SeqCst);
    open("finish no store beside");
    eventually("the function is dropped", async || {
        effects("finish no store gone") >= 1
    })
    .await;
    assert_eq!(effects("finish no store first"), 0);
    fails.store(false, Ordering::SeqCst);
    open(name);
    eventually("the run goes on", async || {
        effects("finish no store second") == 1
    })
    .await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}
