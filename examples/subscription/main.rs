//! Fifty trials: each customer is welcomed, reminded and then billed, unless an event cancels the run, at whatever point it is.
//!
//! `cargo run -p belts-examples --example subscription` publishes all of that and counts the mails.

mod demo;
mod outbox;
mod trial;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match demo::run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
