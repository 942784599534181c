//! What functions take of the application beside their event, and what a worker without it says.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use belts::{Context, ErrorKind, Event, State, Worker, step, store::Memory, testing::Harness};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "state-ordered")]
struct Ordered {
    id: String,
}

fn ordered(id: &str) -> Ordered {
    Ordered { id: id.to_owned() }
}

trait Mailer: Send + Sync {
    fn send(&self, to: &str) -> String;
}

struct Real;

impl Mailer for Real {
    fn send(&self, to: &str) -> String {
        format!("a mail to {to}")
    }
}

struct Fake;

impl Mailer for Fake {
    fn send(&self, to: &str) -> String {
        format!("no mail to {to}")
    }
}

/// Counts by a value that all runs share.
#[derive(Clone, Default)]
struct Sent(Arc<AtomicU32>);

type Shared<T> = State<Arc<T>>;

fn real() -> Arc<dyn Mailer> {
    Arc::new(Real)
}

fn fake() -> Arc<dyn Mailer> {
    Arc::new(Fake)
}

#[belts::function(id = "state-confirm", on = Ordered)]
async fn confirm(
    order: Ordered,
    State(sent): State<Sent>,
    cx: Context,
    mailer: Shared<dyn Mailer>,
) -> belts::Result<String> {
    let mail = belts::scope!("mail", mailed(&order.id, &**mailer)).await?;
    step!("count", sent.0.fetch_add(1, Ordering::Relaxed)).await?;
    Ok(format!("{}: {mail}", cx.function_id()))
}

/// A helper has what it needs as an argument like any other.
#[belts::steps]
async fn mailed(to: &str, mailer: &dyn Mailer) -> belts::Result<String> {
    step!("send", mailer.send(to)).await
}

#[belts::function(id = "state-count", on = Ordered)]
async fn count(order: Ordered, numbers: State<Vec<u64>>) -> belts::Result<usize> {
    step!("count", order.id.len() + numbers.len()).await
}

/// With axum's wrapper, which whoever has handlers in the same file has in scope.
#[belts::function(id = "state-of-axum", on = Ordered)]
async fn of_axum(
    order: Ordered,
    axum::extract::State(numbers): axum::extract::State<Vec<u64>>,
) -> belts::Result<usize> {
    step!("count", order.id.len() * numbers.len()).await
}

#[tokio::test]
async fn the_wrapper_of_axum_means_the_same() {
    let picked = Harness::builder().function(of_axum);
    let harness = picked.state(vec![1_u64, 2]).build().await.unwrap();
    let run = harness.run(of_axum, ordered("ada")).await.unwrap();
    assert_eq!(run.output().unwrap(), 6);
    let lacking = Worker::builder().store(Memory::new()).function(of_axum);
    let error = lacking.build().await.unwrap_err().to_string();
    assert!(
        error.contains("takes `State<alloc::vec::Vec<u64>>`"),
        "{error}"
    );
}

#[tokio::test]
async fn functions_take_states_and_the_context_in_any_order() {
    let sent = Sent::default();
    let harness = Harness::builder().state(real()).state(sent.clone()).build();
    let harness = harness.await.unwrap();
    for _ in 0..2 {
        let run = harness.run(confirm, ordered("ada")).await.unwrap();
        assert_eq!(run.output().unwrap(), "state-confirm: a mail to ada");
        run.assert_steps(&["mail/send", "count"]);
    }
    assert_eq!(sent.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_worker_that_lacks_a_state_is_not_built_and_says_what_lacks_where() {
    let builder = || Worker::builder().store(Memory::new());
    let lacking = builder().function(confirm).function(count).state(real());
    let error = lacking.build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    let parts: Vec<&str> = text.split("; ").collect();
    let [first, second, advice, has] = parts[..] else {
        panic!("one part for each state that lacks: {text}");
    };
    assert!(
        first.starts_with("`state-confirm` takes `State<")
            && first.contains("state::Sent>` at tests/kit/state.rs:")
            && first.ends_with("(package belts-suite)"),
        "{first}"
    );
    assert!(
        second.starts_with("`state-count` takes `State<alloc::vec::Vec<u64>>` at "),
        "{second}"
    );
    assert_eq!(
        advice,
        "the worker has no such states: add `.state(…)` with a value of each type"
    );
    assert!(
        has.starts_with("it has: `") && has.contains("dyn "),
        "{has}"
    );
    let whole = builder().function(count).state(vec![1_u64]);
    whole.build().await.unwrap();
    builder().publish_only().build().await.unwrap();
}

#[tokio::test]
async fn of_two_states_of_one_type_the_later_counts() {
    let app = |builder: belts::WorkerBuilder| builder.state(real()).state(Sent::default());
    let harness = Harness::builder().worker(app).state(fake()).build();
    let run = harness.await.unwrap().run(confirm, ordered("ada")).await;
    assert_eq!(
        run.unwrap().output().unwrap(),
        "state-confirm: no mail to ada"
    );
}

/// A test of one function would have to give what the forty others take.
#[tokio::test]
async fn a_harness_with_every_function_asks_for_the_states_of_those_that_run() {
    let harness = Harness::builder().state(vec![1_u64, 2]).build();
    let harness = harness.await.unwrap();
    let run = harness.run(count, ordered("ada")).await.unwrap();
    assert_eq!(run.output().unwrap(), 5);
    let run = harness.run(confirm, ordered("ada")).await.unwrap();
    let error = run.output().unwrap_err().to_string();
    assert!(
        error.contains("`state-confirm` takes `State<") && error.contains("add `.state(…)`"),
        "{error}"
    );
    run.assert_failed();
    let picked = Harness::builder().function(confirm).state(real()).build();
    let error = picked.await.unwrap_err();
    assert!(error.to_string().contains("state::Sent"), "{error}");
}

#[tokio::test]
async fn states_are_there_after_each_crash() {
    Harness::sweep(confirm, ordered("ada"))
        .harness(|harness| harness.state(real()).state(Sent::default()))
        .check(|case| {
            let output = case.run.output().unwrap();
            assert_eq!(output, "state-confirm: a mail to ada");
        })
        .await
        .unwrap();
}

/// Panics when it is cloned for the first time.
struct Brittle(Arc<AtomicU32>);

impl Clone for Brittle {
    fn clone(&self) -> Self {
        let times = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(times > 0, "broken in two");
        Self(Arc::clone(&self.0))
    }
}

#[belts::function(id = "state-brittle", on = Ordered)]
async fn brittle(order: Ordered, State(state): State<Brittle>) -> belts::Result<String> {
    step!("hold", state.0.load(Ordering::Relaxed)).await?;
    Ok(order.id)
}

#[tokio::test]
async fn a_state_that_panics_when_it_is_cloned_fails_that_attempt_alone() {
    let shared = Arc::new(AtomicU32::new(0));
    let worker = Worker::builder()
        .store(Memory::new())
        .function(brittle)
        .jitter(|| 0.0)
        .state(Brittle(shared));
    let worker = worker.build().await.unwrap();
    let looping = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    let executed = worker.execute(ordered("ada")).await.unwrap();
    assert_eq!(executed.output::<String>("state-brittle").unwrap(), "ada");
    worker.shutdown();
    looping.await.unwrap().unwrap();
}
