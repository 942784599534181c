//! A parent and its children over a deploy: another function under a key, and an output of another type.

use belts::{
    ErrorKind, RunHandle, call, start, step,
    store::{Memory, RunStatus},
    testing::Harness,
};

use super::{below, idle, mend, mended, well};
use crate::gated::{Named, effects, named, only};

mod old {
    use super::*;

    #[belts::function(id = "z-again-version", on = Named)]
    pub(super) async fn version(event: Named) -> belts::Result<usize> {
        call!("pay", idle(event)).await
    }
}

mod new {
    use super::*;

    #[belts::function(id = "z-again-version", on = Named)]
    pub(super) async fn version(event: Named) -> belts::Result<usize> {
        call!("pay", well(event)).await
    }
}

/// What a deploy calls under a key that has called something else is not what the key stands for.
#[tokio::test]
async fn another_function_under_the_key_is_an_error_that_names_both() {
    let store = Memory::new();
    // It has no function for the child, which stays as it is.
    let harness = Harness::builder()
        .store(store.clone())
        .function(old::version);
    let harness = harness.build().await.unwrap();
    harness
        .run(old::version, named("version"))
        .run_id("version")
        .await
        .unwrap();
    let child = below(&harness, "version").await.remove(0);
    drop(harness);
    let harness = Harness::builder().store(store).function(new::version);
    let harness = harness.function(idle).function(well).build().await.unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(new::version).await);
    let error = run.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    let report = error.report();
    for part in [
        "`z-again-idle` under `pay`",
        "now calls `z-again-well`",
        "another key",
    ] {
        assert!(report.contains(part), "{report}");
    }
    assert_eq!(effects("version well"), 0);
    let journal = harness.store().shared().journal("version").await.unwrap();
    assert_eq!(journal[0].started_run(), Some(child.run_id));
}

/// Two versions of a function and of one that calls or starts it, which differ in what it returns.
macro_rules! version {
    ($name:ident, $output:ty, $value:expr) => {
        mod $name {
            use super::*;

            #[belts::function(id = "z-again-gives", on = Named)]
            pub(super) async fn gives(_event: Named) -> belts::Result<$output> {
                Ok($value)
            }

            #[belts::function(id = "z-again-reads", on = Named, retries = 0)]
            pub(super) async fn reads(event: Named) -> belts::Result<$output> {
                let name = event.name.clone();
                let output = if name.starts_with("called") {
                    call!("pay", gives(event)).await?
                } else {
                    let run: RunHandle<$output> = start!("audit", gives(event)).await?;
                    run.result().await?
                };
                step!("then", mended(&name)).await?;
                Ok(output)
            }
        }
    };
}

version!(numbers, usize, 7);
version!(texts, String, "7".to_owned());

#[tokio::test]
async fn an_output_of_another_type_fails_the_parent_and_is_not_lost() {
    for name in ["called-output", "started-output"] {
        let store = Memory::new();
        let of_numbers = async || {
            let harness = Harness::builder().store(store.clone());
            let harness = harness.function(numbers::reads).function(numbers::gives);
            harness.build().await.unwrap()
        };
        let harness = of_numbers().await;
        let run = harness
            .run(numbers::reads, named(name))
            .run_id(name)
            .await
            .unwrap();
        assert_eq!(run.status(), Some(RunStatus::Failed));
        drop(harness);
        mend(name);
        let harness = Harness::builder().store(store.clone());
        let harness = harness.function(texts::reads).function(texts::gives);
        let harness = harness.build().await.unwrap();
        let run = harness.rerun(texts::reads, name).await.unwrap();
        let error = run.error().unwrap();
        assert_eq!(error.kind(), ErrorKind::Mismatch);
        let report = error.report();
        for part in ["what `z-again-gives` returned to", "String", "then rerun"] {
            assert!(report.contains(part), "{report}");
        }
        drop(harness);
        let run = of_numbers().await.rerun(numbers::reads, name).await;
        assert_eq!(run.unwrap().output().unwrap(), 7);
    }
}
