//! The demonstration: a worker in a child process, and three SIGKILLs: while the model thinks, while a person does, and while a tool works.

#![expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]

use std::{error::Error, path::PathBuf, time::Duration};

use belts::{Worker, store::RunStatus};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{
    agent::{Decision, DinnerAsked, publish_dinner_asked},
    provider::{self, Bill, Provider},
};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const STORE: &str = "BELTS_STORE";
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns whether every promise was kept.
pub(crate) async fn run() -> Outcome<bool> {
    let place = Place::fresh()?;
    let client = Worker::builder()
        .store_url(&place.store)
        .publish_only()
        .build()
        .await?;
    let mut worker = place.worker()?;
    // An event starts the functions that somebody has registered by then.
    let registered = async || Ok(!client.store().subscriptions().await?.is_empty());
    wait_until("the worker", registered).await?;
    let wish = "something warm".to_owned();
    let published = publish_dinner_asked(DinnerAsked { wish })
        .via(&client)
        .await?;
    let run_id = published
        .runs
        .first()
        .ok_or("no function was started")?
        .run_id
        .clone();

    let mut crashes = 0;
    // The second turn, whose question is paid for and whose answer is on its way.
    wait_until("the second turn", async || Ok(place.bill().has("/think-3"))).await?;
    worker = place
        .kill(worker, &mut crashes, "while the model thinks")
        .await?;
    // The third, for which a person is asked.
    wait_until("the question", async || Ok(!place.bill().asked.is_empty())).await?;
    let waits = async || Ok(client.runs().get(&run_id).await?.status == RunStatus::Suspended);
    wait_until("the run to wait", waits).await?;
    worker = place
        .kill(worker, &mut crashes, "while a person thinks")
        .await?;
    let mut approved = 0;
    for (callback, about) in place.bill().asked {
        client
            .callback(callback)
            .complete(&Decision::Approve)
            .await?;
        println!("approved       {about}");
        approved += 1;
    }
    // The fourth, whose tool has done its work and not said so.
    wait_until("the fourth tool", async || Ok(place.bill().has("/call-4"))).await?;
    worker = place
        .kill(worker, &mut crashes, "while a tool works")
        .await?;

    let over = async || Ok(client.runs().get(&run_id).await?.status.is_finished());
    let finished = wait_until("the plan", over).await;
    worker.kill().await?;
    let output = client.runs().get(&run_id).await?;
    let output = output.output().map(|json| json.get().to_owned());
    println!("answer         {}", output.as_deref().unwrap_or("none"));
    let is_good = verdict(&place.bill(), approved, crashes) && output.is_some();
    if finished.is_ok() && is_good {
        std::fs::remove_dir_all(&place.folder)?;
    }
    finished?;
    Ok(is_good)
}

/// The child process.
pub(crate) async fn work() -> Outcome<()> {
    let worker = Worker::builder()
        .store_url(std::env::var(STORE)?)
        .state(Provider::from_env())
        .build()
        .await?;
    Ok(worker.run().await?)
}

fn verdict(bill: &Bill, approved: usize, crashes: usize) -> bool {
    let (turns, tools, twice) = (bill.count("think"), bill.count("call"), bill.paid_twice());
    println!(
        "\n{turns} turns · {tools} tool calls · {approved} approval · {crashes} crashes · {twice} calls paid twice"
    );
    (turns, tools, approved, crashes, twice) == (5, 4, 1, 3, 0)
}

/// Where this demonstration keeps its files.
struct Place {
    folder: PathBuf,
    store: String,
    log: PathBuf,
}

impl Place {
    fn fresh() -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("belts-agent-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            store: format!("sqlite://{}", folder.join("agent.db").display()),
            log: folder.join("provider.log"),
            folder,
        })
    }

    fn bill(&self) -> Bill {
        Bill::read(&self.log)
    }

    fn worker(&self) -> Outcome<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--worker")
            .env(STORE, &self.store)
            .env(provider::ENV, &self.log)
            .kill_on_drop(true);
        Ok(command.spawn()?)
    }

    /// Kills a worker; the next one.
    async fn kill(&self, mut worker: Child, crashes: &mut usize, when: &str) -> Outcome<Child> {
        worker.kill().await?;
        *crashes += 1;
        println!("SIGKILL        {when}");
        self.worker()
    }
}

async fn wait_until(what: &str, condition: impl AsyncFn() -> Outcome<bool>) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await? {
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} for {what}").into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
