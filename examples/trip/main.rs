//! Twenty trips of a flight, a hotel and a car. For half of them there is no car, so flight and hotel are undone; the worker is killed
//! in the middle of that.
//!
//! `cargo run -p belts-examples --example trip` does all of that, and counts what is left at the desk.

mod demo;
mod desk;
mod trips;

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
