//! The least there is: an event, a function with two steps, a worker.
//! Run it twice with `cargo run -p belts-examples --example hello`.

use belts::{Event, step, store::Sqlite};
use serde::{Deserialize, Serialize};

/// Somebody signed up.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct SignedUp {
    email: String,
}

#[belts::function(id = "welcome", on = SignedUp)]
async fn welcome(signup: SignedUp) -> belts::Result<String> {
    let account = step!("create-account", format!("account of {}", signup.email)).await?;
    step!("send-mail", println!("mail about the {account}")).await?;
    Ok(account)
}

#[tokio::main]
async fn main() -> belts::Result<()> {
    let store = Sqlite::open(std::env::temp_dir().join("belts-hello.db")).await?;
    let worker = belts::Worker::builder().store(store).build().await?;
    // With the run id, the second start finds the first one's run, and no step runs again.
    let executed = worker
        .execute(SignedUp {
            email: "ada@example.com".into(),
        })
        .run_id("hello-1")
        .await?;
    println!("{}", executed.output::<String>("welcome")?);
    Ok(())
}
