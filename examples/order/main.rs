//! Processes 200 orders, kills the worker half-way with SIGKILL, starts it again, and shows that no recorded step ran twice.
//!
//! `cargo run -p belts-examples --example order` does all of that; with `-- --serve` a worker keeps running for manual
//! requests.
//!
//! `BELTS_STORE` chooses another store, and `BELTS_DISPATCHER` the way that the orders take to the worker: `http`, `redis://…`,
//! `sqs://…`, or `qstash`, which is a mock of the service within this program unless `QSTASH_URL` is set. They need a feature
//! each: `--features postgres`, `redis`, `http-dispatch`, `sqs` or `qstash`.

mod demo;
mod effects;
#[cfg_attr(not(feature = "qstash"), path = "unmocked.rs")]
mod mocked;
mod publish;
mod shop;
mod verdict;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        None => demo::run().await,
        Some("--serve") => demo::serve().await.map(|()| true),
        Some("--worker") => demo::work().await.map(|()| true),
        Some(other) => Err(format!("unknown argument `{other}`; there is only --serve").into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
