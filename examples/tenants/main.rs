//! Twenty tenants, one of them with a backlog of five thousand files. Each has one run at a time, all of them together have eight, over
//! two workers, which are killed half-way.
//!
//! `cargo run -p belts-examples --example tenants` does all of that.

mod demo;
mod files;
mod ledger;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        None => demo::run().await,
        Some("--worker") => demo::work().await.map(|()| true),
        Some(other) => Err(format!("unknown argument `{other}`; there is none").into()),
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
