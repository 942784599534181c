//! A newsletter to two hundred readers: one run calls a run for each of them, and sums up what became of them. Some addresses are
//! wrong, and the worker is killed half-way.
//!
//! `cargo run -p belts-examples --example fan_out` does all of that.

mod demo;
mod newsletter;

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
