//! Runs and code at which a check could fall: what blocks, panics, is sealed, is undone, ends meanwhile, or belongs to others.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use belts::{
    Event, Keyring, Worker, WorkerBuilder,
    store::{Memory, RunStatus, SharedStore},
    testing::{Harness, ManualClock},
};
use belts_suite::{a_moment, within, within_time};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "contract-odd")]
struct Odd {
    id: u32,
}

/// Before the deploy all of them count, and then wait.
mod before {
    use super::Odd;
    use belts::{sleep, step};

    #[belts::function(id = "contract-odd", on = Odd)]
    pub(super) async fn odd(odd: Odd) -> belts::Result<u32> {
        step!("count", odd.id).await?;
        sleep!("pause", "1h").await?;
        Ok(odd.id)
    }
}

/// A function of the same id whose code outside of steps this decides.
macro_rules! after {
    ($name:ident, $count:ident => $code:expr) => {
        mod $name {
            #[allow(unused_imports, clippy::wildcard_imports)]
            use super::*;
            use belts::{sleep, step};

            #[belts::function(id = "contract-odd", on = Odd)]
            pub(super) async fn odd(odd: Odd) -> belts::Result<u32> {
                let $count = step!("count", odd.id).await?;
                $code;
                sleep!("pause", "1h").await?;
                Ok(odd.id)
            }
        }
    };
}

/// Lets the threads go that a test has blocked.
static OPEN: AtomicBool = AtomicBool::new(false);

after!(hangs, count => if count == 1 { pending::<()>().await });
after!(blocks, count => while count == 1 && !OPEN.load(Ordering::Relaxed) { std::thread::yield_now(); });
after!(fails, count => if count == 1 { return Err(belts::terminal("there is no such count")) });
after!(spawns, count => tokio::spawn(async move { count }).await.expect("it is a task"));

async fn runs(store: &SharedStore, count: u32) -> Worker {
    let worker = Worker::builder()
        .shared_store(Arc::clone(store))
        .function(before::odd);
    let worker = worker.build().await.unwrap();
    for id in 0..count {
        let run = worker
            .execute(Odd { id })
            .run_id(format!("r-{id}"))
            .function("contract-odd");
        run.until("count").await.unwrap();
    }
    worker
}

fn builder(store: &SharedStore) -> WorkerBuilder {
    Worker::builder().shared_store(Arc::clone(store))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_that_hangs_or_blocks_costs_its_run_and_no_other() {
    let store: SharedStore = Arc::new(Memory::new());
    let _worker = runs(&store, 4).await;
    let limit = Duration::from_millis(200);
    for report in [
        builder(&store)
            .function(hangs::odd)
            .check()
            .time_limit(limit),
        builder(&store)
            .function(blocks::odd)
            .check()
            .time_limit(limit),
    ] {
        let report = within_time(Duration::from_secs(60), "a check", report)
            .await
            .unwrap();
        assert_eq!((report.runs(), report.failing()), (4, 1), "{report}");
        let fails = report.functions()[0].fails();
        assert!(fails[0].text().contains("does not end"), "{report}");
        assert_eq!(fails[0].example(), "r-1");
    }
    OPEN.store(true, Ordering::Relaxed);
    // What does end is waited for.
    let report = builder(&store).function(spawns::odd).check().await.unwrap();
    assert!(report.is_ok(), "{report}");
}

/// A runtime of one thread is not blocked either.
#[tokio::test]
async fn an_error_outside_of_steps_is_said() {
    let store: SharedStore = Arc::new(Memory::new());
    let _worker = runs(&store, 3).await;
    let report = builder(&store).function(fails::odd).check().await.unwrap();
    assert_eq!((report.runs(), report.failing()), (3, 1), "{report}");
    let text = report.functions()[0].fails()[0].text();
    assert!(text.ends_with("there is no such count"), "{text}");
}

#[tokio::test]
async fn no_more_runs_are_checked_than_was_said_and_progress_is_told() {
    let store: SharedStore = Arc::new(Memory::new());
    let _worker = runs(&store, 5).await;
    let told = Arc::new(AtomicUsize::new(0));
    let last = Arc::clone(&told);
    let check = builder(&store).function(before::odd).check().most(3);
    let check = check.on_progress(move |runs| last.store(runs, Ordering::Relaxed));
    let report = check.await.unwrap();
    assert_eq!((report.runs(), told.load(Ordering::Relaxed)), (3, 3));
    assert!(report.functions()[0].has_more());
    assert!(
        report
            .to_string()
            .contains("there are more, which were not checked"),
        "{report}"
    );
    let all = builder(&store)
        .function(before::odd)
        .check()
        .most(5)
        .await
        .unwrap();
    assert!(all.runs() == 5 && !all.functions()[0].has_more(), "{all}");
}

#[tokio::test]
async fn functions_of_another_program_are_left_out_if_they_are_named() {
    let store: SharedStore = Arc::new(Memory::new());
    let _worker = runs(&store, 2).await;
    let check = || builder(&store).function(crate::shop::audit).check();
    assert_eq!(check().await.unwrap().failing(), 2);
    for elsewhere in ["contract-odd", "contract-o*"] {
        let report = check().elsewhere(elsewhere).await.unwrap();
        assert!(report.is_ok() && report.runs() == 0, "{report}");
    }
}

/// A key that this program lacks is no outcome of the run, but the run would wait for it.
#[tokio::test]
async fn what_is_sealed_is_opened_or_said_to_be_closed() {
    let memory: SharedStore = Arc::new(Memory::new());
    let keys = || Keyring::new("a", [7; 32]);
    let worker = builder(&memory).encryption(keys()).function(before::odd);
    let worker = worker.build().await.unwrap();
    let run = worker
        .execute(Odd { id: 1 })
        .run_id("r-1")
        .function("contract-odd");
    run.until("count").await.unwrap();
    let open = builder(&memory).encryption(keys()).function(before::odd);
    let report = open.check().await.unwrap();
    assert!(report.is_ok() && report.runs() == 1, "{report}");
    let closed = builder(&memory)
        .function(before::odd)
        .check()
        .await
        .unwrap();
    assert_eq!(closed.failing(), 1, "{closed}");
    assert!(closed.to_string().contains("sealed with key a"), "{closed}");
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Flight {
    number: u32,
}

async fn not_yet() -> belts::Result<()> {
    Err(belts::retry_after(Duration::from_secs(3600), "not yet"))
}

/// Its undo never ends by itself, so a run is caught in the middle of it.
mod undone {
    use super::{Flight, Odd, not_yet};
    use belts::step;

    #[belts::function(id = "contract-undone", on = Odd, retries = 0)]
    pub(super) async fn trip(odd: Odd) -> belts::Result<u32> {
        step!(
            "flight",
            Flight { number: odd.id },
            undo = |_: Flight| not_yet()
        )
        .await?;
        step!("car", async {
            Err::<(), _>(belts::terminal("there is none"))
        })
        .await?;
        Ok(odd.id)
    }
}

mod not_undone {
    use super::{Flight, Odd};
    use belts::step;

    #[belts::function(id = "contract-undone", on = Odd, retries = 0)]
    pub(super) async fn trip(odd: Odd) -> belts::Result<u32> {
        step!("flight", Flight { number: odd.id }).await?;
        Ok(odd.id)
    }
}

#[tokio::test]
async fn a_run_that_is_being_undone_needs_code_that_says_how() {
    let store: SharedStore = Arc::new(Memory::new());
    let worker = builder(&store)
        .clock(ManualClock::default())
        .function(undone::trip);
    let worker = worker.build().await.unwrap();
    undone::trip(Odd { id: 1 })
        .run_id("r-1")
        .via(&worker)
        .start()
        .await
        .unwrap();
    let running = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    within("it is undone", async {
        while worker.runs().get("r-1").await.unwrap().status != RunStatus::Undoing
            || worker.runs().journal("r-1").await.unwrap().len() < 3
        {
            a_moment().await;
        }
    })
    .await;
    worker.shutdown();
    running.await.unwrap().unwrap();
    let report = builder(&store)
        .function(undone::trip)
        .check()
        .await
        .unwrap();
    assert!(report.is_ok() && report.runs() == 1, "{report}");
    let report = builder(&store)
        .function(not_undone::trip)
        .check()
        .await
        .unwrap();
    assert_eq!(report.failing(), 1, "{report}");
    let text = report.functions()[0].fails()[0].text();
    assert!(text.contains("does not say how `flight` is"), "{text}");
}

/// Workers go on while runs are checked: what ends meanwhile is no fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_beside_workers_finds_no_fault_in_runs_that_go_on() {
    mod busy {
        use super::Odd;
        use belts::step;

        #[belts::function(id = "contract-busy", on = Odd)]
        pub(super) async fn busy(odd: Odd) -> belts::Result<u32> {
            for number in 0..20 {
                step!("step-{number}", async {
                    tokio::task::yield_now().await;
                    number
                })
                .await?;
            }
            Ok(odd.id)
        }
    }
    let store: SharedStore = Arc::new(Memory::new());
    let worker = builder(&store).function(busy::busy).build().await.unwrap();
    for id in 0..500 {
        busy::busy(Odd { id }).via(&worker).start().await.unwrap();
    }
    let running = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    let mut checked = 0;
    within_time(Duration::from_secs(60), "all runs", async {
        loop {
            let report = worker.check().await.unwrap();
            assert!(report.is_ok(), "{report}");
            checked += report.runs();
            let over = worker
                .runs()
                .list()
                .status(RunStatus::Completed)
                .limit(500)
                .await
                .unwrap();
            if over.runs.len() == 500 {
                break;
            }
        }
    })
    .await;
    worker.shutdown();
    running.await.unwrap().unwrap();
    assert!(checked > 0, "some of them were checked");
}

/// A harness is a worker like any other.
#[tokio::test]
async fn the_worker_of_a_harness_checks_its_runs() {
    let harness = Harness::builder()
        .function(before::odd)
        .build()
        .await
        .unwrap();
    harness
        .run(before::odd, Odd { id: 1 })
        .until("count")
        .await
        .unwrap();
    let report = harness.worker().check().await.unwrap();
    assert!(report.is_ok() && report.runs() == 1, "{report}");
}

/// The function itself has failed once, and is to be tried again: it would fail again, deploy or not.
#[tokio::test]
async fn a_run_whose_function_is_tried_again_is_no_fault_of_the_deploy() {
    mod refuses {
        use super::Odd;
        use belts::step;

        #[belts::function(id = "contract-refuses", on = Odd)]
        pub(super) async fn odd(odd: Odd) -> Result<u32, std::io::Error> {
            let count = step!("count", odd.id)
                .await
                .map_err(std::io::Error::other)?;
            if count == 1 {
                return Err(std::io::Error::other("not before noon"));
            }
            Ok(count)
        }
    }
    let store: SharedStore = Arc::new(Memory::new());
    let worker = builder(&store)
        .clock(ManualClock::default())
        .function(refuses::odd);
    let worker = worker.build().await.unwrap();
    let call = refuses::odd(Odd { id: 1 }).run_id("r-1");
    call.via(&worker).start().await.unwrap();
    let running = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    within("it has failed once", async {
        while worker.runs().get("r-1").await.unwrap().failed_attempts == 0 {
            a_moment().await;
        }
    })
    .await;
    worker.shutdown();
    running.await.unwrap().unwrap();
    let check = builder(&store).function(refuses::odd).check();
    let report = check.await.unwrap();
    assert!(report.is_ok() && report.runs() == 1, "{report}");
    let notes = report.functions()[0].notes();
    assert!(notes[0].text().contains("not before noon"), "{report}");
}

/// A green check of the newest runs alone said that all would go on.
#[tokio::test]
async fn a_check_that_left_some_out_says_so() {
    let store: SharedStore = Arc::new(Memory::new());
    let _worker = runs(&store, 3).await;
    let check = || builder(&store).function(before::odd).check();
    let report = check().most(2).await.unwrap();
    assert!(report.is_ok() && !report.is_complete(), "{report}");
    assert!(report.to_string().contains("not every run was checked"));
    let report = check().most(3).await.unwrap();
    assert!(report.is_complete(), "{report}");
    let empty: SharedStore = Arc::new(Memory::new());
    let report = builder(&empty).function(before::odd).check();
    let text = report.await.unwrap().to_string();
    assert_eq!(text, "no run is in flight: nothing was checked\n");
}

#[tokio::test]
async fn a_step_that_is_gone_on_purpose_is_accepted() {
    mod counts {
        use super::Odd;
        use belts::step;

        #[belts::function(id = "contract-odd", on = Odd)]
        pub(super) async fn odd(odd: Odd) -> belts::Result<u32> {
            step!("count-all", odd.id).await
        }
    }
    let store: SharedStore = Arc::new(Memory::new());
    let _worker = runs(&store, 2).await;
    let check = || builder(&store).function(counts::odd).check();
    let report = check().await.unwrap();
    assert_eq!(report.failing(), 2, "{report}");
    let text = report.functions()[0].fails()[0].text();
    assert!(
        text.contains("BELTS_CHECK_ACCEPT=contract-odd/count"),
        "{text}"
    );
    let report = check().accept("contract-odd/count").await.unwrap();
    assert!(report.is_ok(), "{report}");
}
