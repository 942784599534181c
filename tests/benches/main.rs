//! The numbers that belts must reach, each measured beside the raw limit of the same machine in the same minute.
//!
//! `cargo bench` prints every row; `cargo bench --bench rows -- step` those whose name begins so.
//! `docs/benchmarks.md` says what the rows mean.

mod calls;
mod check;
mod compile;
mod functions;
mod http;
mod journal;
mod keys;
mod latency;
mod measure;
mod parked;
mod place;
mod process;
mod raw;
mod recover;
mod report;
mod runs;
mod sealed;
mod step;
mod storm;
mod transactions;
mod waits;
mod wake;
mod warm;

use std::{error::Error, process::ExitCode};

use place::Place;

/// What may go wrong while measuring; nothing is done about it.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let outcome = match process::role() {
        Some(role) => runtime().and_then(|runtime| runtime.block_on(process::play(&role))),
        // On a task, as the code of a server is, and not on the thread that waits for the runtime.
        None => {
            runtime().and_then(|runtime| runtime.block_on(async { tokio::spawn(rows()).await? }))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What `#[tokio::main]` makes.
fn runtime() -> Outcome<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

async fn rows() -> Outcome {
    // Cargo adds `--bench`; whatever else begins with a dash is not a name either.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let wants =
        |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.starts_with(word.as_str()));
    macro_rules! rows {
        ($($name:literal => $measure:expr,)*) => {
            $(if wants($name) { $measure.await?; })*
        };
    }
    rows! {
        "step-sqlite-full" => step::sqlite_full(),
        "step-sqlite-normal" => step::sqlite_normal(),
        "step-postgres" => step::postgres(),
        "step-redis" => step::redis(),
        "step-memory" => step::memory(),
        "journal-hit" => journal::hit(),
        "resume-10k-sqlite" => journal::resume(),
        "resume-10k-postgres" => journal::resume_postgres(),
        "growth-sqlite" => journal::growth(),
        "first-line-sqlite" => latency::first_line(),
        "first-line-postgres" => latency::first_line_postgres(),
        "result-3-sqlite" => latency::result(),
        "http-publish" => http::publish(),
        "wake-sqlite" => wake::wake("wake-sqlite", Place::sqlite()),
        "wake-postgres" => wake::wake("wake-postgres", Place::postgres()),
        "wake-redis" => wake::wake("wake-redis", Place::redis()),
        "runs-sqlite-full" => runs::sqlite(),
        "runs-postgres" => runs::postgres(),
        "runs-redis" => runs::redis(),
        "submit-sqlite" => runs::submit(),
        "recover-sqlite" => async { recover::recover("recover-sqlite", Place::sqlite) },
        "recover-postgres" => async { recover::recover("recover-postgres", Place::postgres) },
        "parked-sqlite" => parked::parked(),
        "wait-wake-sqlite" => waits::wake_sqlite(),
        "wait-wake-postgres" => waits::wake_postgres(),
        "wait-wake-redis" => waits::wake_redis(),
        "callback-sqlite" => http::callback(),
        "call-sqlite" => calls::sqlite(),
        "call-postgres" => calls::postgres(),
        "parked-events-sqlite" => parked::parked_events(),
        "cron-idle-sqlite" => parked::schedules(),
        "waits-publish-sqlite" => waits::publish(),
        "sealed-step-sqlite" => sealed::step_sqlite(),
        "transaction-postgres" => transactions::postgres(),
        "check-10k" => check::sqlite(),
        "check-10k-postgres" => check::postgres(),
        "keys-claim-sqlite" => keys::claim_sqlite(),
        "keys-claim-postgres" => keys::claim_postgres(),
        "keys-blocked-postgres" => keys::blocked_postgres(),
        "wake-storm-sqlite" => storm::sqlite(),
        "wake-storm-postgres" => storm::postgres(),
        "compile-500" => async { compile::many_steps() },
    }
    Ok(())
}
