//! The demonstration: trials that begin, some of which are cancelled, before they are driven, and while they wait.

use std::{error::Error, time::Duration};

use belts::{
    ErrorKind, RunHandle, Worker,
    store::{RunStatus, Sqlite},
};

use crate::{
    outbox::Outbox,
    trial::{TrialBegun, TrialCancelled, publish_trial_cancelled, trial},
};

const SUBSCRIPTIONS: usize = 50;
/// Five at each of four points.
const CANCELLED: usize = 20;
const EACH: usize = CANCELLED / 4;
const PATIENCE: Duration = Duration::from_secs(60);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Returns whether every promise was kept.
pub(crate) async fn run() -> Outcome<bool> {
    let folder = std::env::temp_dir().join(format!("belts-subscription-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outbox = Outbox::default();
    let worker = Worker::builder()
        .store(Sqlite::open(folder.join("trials.db")).await?)
        .state(outbox.clone())
        .build()
        .await?;
    let mut trials = Vec::new();
    for number in 0..SUBSCRIPTIONS {
        let customer = customer(number);
        trials.push(trial(TrialBegun { customer }).via(&worker).start().await?);
    }
    let mut left = 0..CANCELLED;
    // Nobody drives them yet.
    cancel(&worker, left.by_ref().take(EACH)).await?;
    let working = worker.clone();
    let working = tokio::spawn(async move { working.run().await });
    // While they are welcomed, then before the reminder, then before the bill.
    cancel(&worker, left.by_ref().take(EACH)).await?;
    let welcomed = || outbox.count("welcome") >= SUBSCRIPTIONS - 2 * EACH;
    wait_until("every welcome", welcomed).await?;
    cancel(&worker, left.by_ref().take(EACH)).await?;
    note_gone(&trials, &outbox, 3 * EACH).await?;
    let reminded = || outbox.count("reminder") >= SUBSCRIPTIONS - 3 * EACH;
    wait_until("every reminder", reminded).await?;
    cancel(&worker, left).await?;
    note_gone(&trials, &outbox, CANCELLED).await?;

    let (mut converted, mut cancelled) = (0, 0);
    for run in &trials {
        match run.result_within(PATIENCE).await {
            Ok(Some(())) => converted += 1,
            Err(error) if error.kind() == ErrorKind::Cancelled => cancelled += 1,
            other => return Err(format!("{}: {other:?}", run.run_id()).into()),
        }
    }
    worker.shutdown();
    working.await??;
    let (after, twice) = (outbox.too_late(), outbox.twice());
    println!(
        "{SUBSCRIPTIONS} subscriptions · {converted} converted · {cancelled} cancelled · {after} mails after cancel · {twice} mails twice"
    );
    let billed = outbox.count("bill");
    let rest = SUBSCRIPTIONS - CANCELLED;
    let is_good = (converted, cancelled, billed, after, twice) == (rest, CANCELLED, rest, 0, 0);
    std::fs::remove_dir_all(&folder)?;
    Ok(is_good)
}

async fn cancel(worker: &Worker, numbers: impl Iterator<Item = usize>) -> Outcome<()> {
    for number in numbers {
        let customer = customer(number);
        publish_trial_cancelled(TrialCancelled { customer })
            .via(worker)
            .await?;
    }
    Ok(())
}

/// Waits until the first of the trials have ended, after which nothing may be sent to their customers.
async fn note_gone(trials: &[RunHandle<()>], outbox: &Outbox, first: usize) -> Outcome<()> {
    for (number, run) in trials.iter().enumerate().take(first) {
        let ended = run.result_within(PATIENCE).await;
        let status = run.status().await?;
        if status != RunStatus::Cancelled {
            return Err(format!("{} is {status}: {ended:?}", run.run_id()).into());
        }
        outbox.note_gone(&customer(number));
    }
    Ok(())
}

fn customer(number: usize) -> String {
    format!("customer-{number:02}")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]
async fn wait_until(what: &str, condition: impl Fn() -> bool) -> Outcome<()> {
    let waited = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waited).await;
    waited.map_err(|_| format!("waited {PATIENCE:?} for {what}").into())
}
