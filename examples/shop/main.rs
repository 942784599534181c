//! Five hundred orders whose rows, events and stock are each one commit; the process is killed twenty times meanwhile.
//!
//! `cargo run -p belts-examples-more --example shop` does all of that, with a PostgreSQL of its own, or with the one that
//! `DATABASE_URL` names. An order is a row and an event in one transaction; the run that it starts takes the stock in a
//! `transaction!`, and charges the customer through a payment provider, which this program stands in for.

mod demo;
mod provider;
mod server;
mod shop;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        None => demo::run().await,
        Some("--serve") => shop::serve().await.map(|()| true),
        Some(other) => Err(anyhow::anyhow!("unknown argument `{other}`; there is none")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
