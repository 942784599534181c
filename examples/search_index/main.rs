//! Ten thousand updates of two hundred documents, in bursts. Each document is indexed once it rests, with its last version, and every
//! update is counted, a hundred at a time. The worker is killed half-way.
//!
//! `cargo run -p belts-examples --example search_index` does all of that.

mod demo;
mod documents;
mod engine;

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
