//! An agent that plans a dinner: five turns of a model, four tools, of which one needs a person's approval; the worker is killed in
//! three of the turns.
//!
//! `cargo run -p belts-examples --example agent` does all of that, and counts what was paid for. The model is a stub, and the person is
//! this program.

mod agent;
mod demo;
mod provider;

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
