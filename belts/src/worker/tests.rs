//! The engine driven by hand-expanded functions, so that it is tested without the macros.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::*;
use crate::{
    private::{Driven, FunctionDef, Invocation, Key, Next, StepOptions},
    run::Location,
    store::{Memory, RunStatus},
};

static AT: Location = Location {
    file: "here.rs",
    line: 1,
    column: 1,
};
static EFFECTS: AtomicU32 = AtomicU32::new(0);

macro_rules! by_hand {
    ($scope:expr, $key:literal, $expr:expr) => {{
        let step = $scope.step(Key::Literal($key), &AT, StepOptions::default());
        async {
            let mut step = step;
            loop {
                match step.next().await {
                    Next::Return(result) => break result,
                    Next::Attempt => step.attempt(async { Ok($expr) }).await,
                }
            }
        }
    }};
}

async fn body(scope: &crate::private::Scope) -> Result<u32> {
    let one = by_hand!(scope, "one", EFFECTS.fetch_add(1, Ordering::SeqCst)).await?;
    let (two, three) =
        tokio::try_join!(by_hand!(scope, "two", 2), by_hand!(scope, "three", one + 3))?;
    Ok(two + three)
}

fn start(run: Invocation) -> Driven {
    Box::pin(async move { crate::private::finish(body(run.scope()).await) })
}

static DEF: FunctionDef = FunctionDef {
    id: "by-hand",
    events: &[&["ping"]],
    options: crate::FunctionOptions::default,
    accepts: None,
    check: |_, _| Ok(()),
    start,
    location: AT,
    package: "belts",
};

#[tokio::test]
async fn a_run_goes_through_its_steps_and_ends() {
    let store = Memory::new();
    let function = crate::Function::<(), u32>::from_def(&DEF);
    let worker = Worker::builder()
        .store(store.clone())
        .function(function)
        .build()
        .await
        .expect("a worker");
    let event = crate::EncodedEvent {
        event_type: "ping".into(),
        payload: Arc::from(*b"{}"),
        correlation_key: None,
    };
    let executed = Execute::new(worker.clone(), Ok(event))
        .await
        .expect("executed");
    assert_eq!(executed.runs[0].status, RunStatus::Completed);
    assert_eq!(executed.output::<u32>("by-hand").expect("an output"), 5);
}
