//! Failing steps: what is retried, when, and what is not.
//! Run it with `cargo run -p belts-examples --example retries`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use belts::{ErrorKind, Event, State, Terminal as _, sleep, step, store::Memory};
use serde::{Deserialize, Serialize};

/// A customer wants to pay.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct PaymentWanted {
    amount: String,
}

/// How often the services were called.
#[derive(Debug, Clone, Default)]
struct Calls {
    rate: Arc<AtomicU32>,
    greet: Arc<AtomicU32>,
}

#[belts::function(id = "pay", on = PaymentWanted)]
async fn pay(wanted: PaymentWanted, State(calls): State<Calls>) -> belts::Result<String> {
    // An error that no retry can help is marked as terminal: the step fails at once, and so does the run.
    let cents = step!("read-amount", wanted.amount.parse::<u64>().terminal()).await?;

    // By default a step is retried three times, 1 s to 60 s apart; here the options differ.
    let rate = step!(
        "ask-rate",
        ask_rate(&calls),
        retries = 5,
        backoff = "100ms..2s"
    )
    .await?;

    // An attempt that takes too long is a failed one.
    let greeting = step!(
        "greet",
        greet(&calls),
        timeout = "200ms",
        backoff = "50ms..1s"
    )
    .await?;

    // A sleep of any length costs nothing: during a long one the run leaves memory, and may wake up in another process.
    sleep!("cool-off", "500ms").await?;

    // A step that has failed for good is an ordinary `Err`. It is recorded: every later attempt of this run sees
    // the same one, and takes the same branch.
    let paid_by = match step!(
        "charge-card",
        charge("card", cents),
        retries = 1,
        backoff = "50ms..1s"
    )
    .await
    {
        Ok(receipt) => receipt,
        Err(error) => {
            println!("  no card: {}", error.report());
            step!("charge-account", charge("account", cents)).await?
        }
    };
    Ok(format!("{greeting}, {paid_by} at {rate}"))
}

/// Says when it wants to be retried.
fn ask_rate(calls: &Calls) -> belts::Result<f64> {
    let call = calls.rate.fetch_add(1, Ordering::Relaxed) + 1;
    println!("  ask-rate, call {call}");
    if call < 3 {
        Err(belts::retry_after(
            Duration::from_millis(300),
            "rate limited",
        ))
    } else {
        Ok(1.25)
    }
}

/// Hangs on its first call.
async fn greet(calls: &Calls) -> String {
    let call = calls.greet.fetch_add(1, Ordering::Relaxed) + 1;
    println!("  greet, call {call}");
    if call == 1 {
        std::future::pending::<()>().await;
    }
    "thank you".to_owned()
}

fn charge(what: &str, cents: u64) -> Result<String, std::io::Error> {
    println!("  charge {what}");
    if what == "card" {
        Err(std::io::Error::other("card declined"))
    } else {
        Ok(format!("{cents} from your {what}"))
    }
}

#[tokio::main]
async fn main() -> belts::Result<()> {
    let worker = belts::Worker::builder()
        .store(Memory::new())
        .state(Calls::default())
        // Called once for each run that failed for good, after the failure is durable.
        .on_error(|failure| async move { println!("  on_error: {}", failure.error.report()) })
        .build()
        .await?;

    println!("a payment of 1200:");
    let executed = worker
        .execute(PaymentWanted {
            amount: "1200".into(),
        })
        .await?;
    println!("{}", executed.output::<String>("pay")?);

    println!("a payment of nonsense:");
    let executed = worker
        .execute(PaymentWanted {
            amount: "nonsense".into(),
        })
        .await?;
    let error = executed
        .output::<String>("pay")
        .expect_err("nonsense is no amount");
    assert_eq!(error.kind(), ErrorKind::StepFailed);
    println!("{}", error.report());
    Ok(())
}
