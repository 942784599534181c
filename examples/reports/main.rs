//! Reports in three time zones, of which a worker is killed over one, is away for five, and comes back with another plan for one.
//!
//! `cargo run -p belts-examples --example reports` does all of that in a few seconds: the worker is a process whose clock this program
//! moves.

mod clock;
mod demo;
mod reports;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match *arguments {
        [] => demo::run().await,
        ["--worker", version, now] => demo::work(version, now).await.map(|()| true),
        _ => Err("there are no arguments".into()),
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
