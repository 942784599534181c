//! What a program puts around its runs, and what of it panics: middleware is among the places of `panics`.

use belts::{
    Propagator, Worker, step,
    store::{Memory, RunRecord, RunStatus},
};

use crate::gated::{Named, effect, effects, eventually, looped, named, publish_named, within};

#[belts::function(id = "hooked", on = Named, retries = 0)]
async fn hooked(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("work", effect(name.as_str())).await?;
    if name.contains("fails") {
        return Err(belts::terminal("as it was told"));
    }
    Ok(())
}

/// Panics where it writes or reads a trace.
struct Falls {
    inject: bool,
}

impl Propagator for Falls {
    fn inject(&self, _: &tracing::Span) -> Option<String> {
        effect(format!("injects {}", self.inject));
        assert!(!self.inject, "met in its place");
        Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned())
    }

    fn extract(&self, _: &str, _: &tracing::Span) {
        effect(format!("extracts {}", self.inject));
        panic!("met in its place");
    }
}

/// The worker's runs once all have ended.
async fn ended(worker: &Worker, count: usize) -> Vec<RunRecord> {
    let runs = async || worker.runs().list().await.unwrap().runs;
    eventually("the runs end", async || {
        let runs = runs().await;
        runs.len() == count && runs.iter().all(|run| run.status.is_finished())
    })
    .await;
    runs().await
}

/// It is called with every publish and every drive. Its panic took the publish with it, or the drive, again and again.
#[tokio::test]
async fn a_propagator_that_panics_costs_its_run_the_trace_alone() {
    for inject in [true, false] {
        let builder = Worker::builder().store(Memory::new()).function(hooked);
        let worker = builder.propagator(Falls { inject }).build().await.unwrap();
        let running = looped(&worker);
        let name = format!("propagated {inject}");
        publish_named(named(&name)).via(&worker).await.unwrap();
        let executed = within("the other", worker.execute(named(&name)));
        executed.await.unwrap().output::<()>("hooked").unwrap();
        for run in ended(&worker, 2).await {
            assert_eq!(run.status, RunStatus::Completed, "{run:?}");
            assert_eq!(run.failed_attempts, 0, "{run:?}");
        }
        assert_eq!(effects(&name), 2);
        assert_eq!(effects(&format!("injects {inject}")), 2);
        assert_eq!(effects("extracts false"), if inject { 0 } else { 2 });
        worker.shutdown();
        within("the shutdown", running).await.unwrap().unwrap();
    }
    assert_eq!(effects("extracts true"), 0, "there was no trace to read");
}

/// The hook ended the task that drove the run, whose callers waited for ever.
#[tokio::test]
async fn an_error_hook_that_panics_is_called_once_and_nobody_else_notices() {
    let builder = Worker::builder().store(Memory::new()).function(hooked);
    let builder = builder.on_error(|failure| {
        effect(format!("told of {}", failure.run_id));
        assert!(failure.run_id != "before its future", "met in its place");
        async move { assert!(failure.run_id != "in its future", "met in its place") }
    });
    let worker = builder.build().await.unwrap();
    let running = looped(&worker);
    for run_id in ["before its future", "in its future", "nowhere"] {
        let execute = worker.execute(named("fails")).run_id(run_id);
        let executed = within(run_id, execute).await.unwrap();
        assert_eq!(executed.runs[0].status, RunStatus::Failed, "{run_id}");
        assert_eq!(effects(&format!("told of {run_id}")), 1, "{run_id}");
    }
    let executed = within("another", worker.execute(named("works after hooks")));
    executed.await.unwrap().output::<()>("hooked").unwrap();
    for run in ended(&worker, 4).await {
        assert!(run.failed_attempts <= 1, "{run:?}");
    }
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}
