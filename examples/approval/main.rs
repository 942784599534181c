//! Twenty expenses, of which the larger ones wait for a manager, or for a deadline; the worker is killed twice while they wait.
//!
//! `cargo run -p belts-examples --example approval` does all of that. The manager is this program: it reads the mails that the
//! functions send, and posts its decision to the URL in each.

mod demo;
mod expenses;
mod mailbox;

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
