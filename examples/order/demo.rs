//! The demonstration: a worker in a child process, a client that publishes over HTTP, a SIGKILL, a restart.

#![expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    effects::{self, Effects},
    publish::{self, Road},
    shop::OrderCreated,
    verdict::Verdict,
};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const STORE: &str = "BELTS_STORE";
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// The worker's address; by default a free port.
pub(crate) const ADDRESS: &str = "BELTS_ADDR";
/// The folder of this package, so that the example works from any folder.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/orders.jsonl");

/// Kills and restarts a worker in the middle of 200 orders; returns whether every promise was kept.
pub(crate) async fn run() -> Outcome<bool> {
    let text =
        std::fs::read_to_string(DATA).map_err(|error| format!("cannot read {DATA}: {error}"))?;
    let bodies: Vec<&str> = text.lines().collect();
    let orders = bodies
        .iter()
        .map(|body| serde_json::from_str(body))
        .collect::<Result<Vec<OrderCreated>, _>>()?;
    // The worker publishes this way too, so it stays until the end.
    let road = Arc::new(Road::from_env()?);
    let place = Place::fresh(&road)?;
    let expected: usize = orders.iter().map(steps_of).sum();
    println!("store          {}", without_password(&place.store));
    println!("dispatcher     {}", without_password(road.name()));

    let worker = Running::start(&place).await?;
    println!("worker         pid {} at {}", worker.pid, worker.url);
    let first_url = worker.url.clone();
    let (address, publishing) = tokio::sync::watch::channel(first_url);
    let client = tokio::spawn(Arc::clone(&road).publish_all(orders.clone(), publishing));

    wait_until("half of the steps", || returned(&place.log) >= expected / 2).await?;
    worker.kill().await?;
    println!(
        "SIGKILL        after {} of {expected} steps",
        returned(&place.log)
    );

    let worker = Running::start(&place).await?;
    println!("worker again   pid {} at {}", worker.pid, worker.url);
    address.send_replace(worker.url.clone());
    client.await??;
    let verdict = || Verdict::of(&orders, &effects::read(&place.log), 1);
    let finished = wait_until("the last order", || verdict().is_complete()).await;
    worker.kill().await?;
    let verdict = verdict();
    verdict.print();
    if finished.is_ok() && verdict.is_good() {
        std::fs::remove_dir_all(&place.folder)?;
    } else {
        println!("the effects log is {}", place.log.display());
    }
    finished?;
    Ok(verdict.is_good())
}

/// Keeps a worker running, for manual requests.
pub(crate) async fn serve() -> Outcome<()> {
    println!(
        "try it:  curl -d '{{\"event\":{EXAMPLE}}}' -H 'content-type: application/json' 'http://127.0.0.1:8787/?mode=sync'"
    );
    Ok(belts::serve().state(Effects::from_env()?).await?)
}

const EXAMPLE: &str = r#"{"type":"order-created","order_id":"ord-1","customer":"Ada","currency":"EUR","items":[{"sku":"mug","name":"Mug","quantity":1,"unit_price":1290}],"parcels":1,"payment_token":"tok_visa","warehouse":"lyon"}"#;

/// The child process: a worker on a free port, whose address is its first line.
pub(crate) async fn work() -> Outcome<()> {
    let store = std::env::var(STORE)?;
    let builder = publish::by_env(belts::Worker::builder());
    let worker = builder
        .store_url(store)
        // Restarted under its name, it takes its runs back at once, on every store.
        .name("order-example")
        .concurrency(24)
        .state(Effects::from_env()?)
        .build()
        .await?;
    let address = std::env::var(ADDRESS).unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{}/", listener.local_addr()?);
    Ok(worker.serve_on(listener).await?)
}

/// Where this demonstration keeps its files.
struct Place {
    folder: PathBuf,
    store: String,
    log: PathBuf,
    /// The worker's settings for the way that events take.
    variables: Vec<(&'static str, String)>,
}

impl Place {
    fn fresh(road: &Road) -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("belts-order-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let store = match std::env::var(STORE) {
            Ok(url) if url.starts_with("memory:") => {
                return Err(format!(
                    "{STORE}={url} does not survive the crash that this example is about"
                )
                .into());
            }
            Ok(url) => url,
            Err(_) => format!("sqlite://{}", folder.join("orders.db").display()),
        };
        Ok(Self {
            store,
            log: folder.join("effects.log"),
            folder,
            variables: road.variables(),
        })
    }
}

struct Running {
    child: Child,
    pid: u32,
    url: String,
    said: JoinHandle<()>,
}

impl Running {
    async fn start(place: &Place) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--worker")
            .env(STORE, &place.store)
            .env(effects::ENV, &place.log)
            .envs(place.variables.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or("the worker ended at once")?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        let (stdout, stderr) = pipes.ok_or("the worker has no output")?;
        let said = tokio::spawn(pass_on(pid, stderr));
        let mut lines = BufReader::new(stdout).lines();
        let Some(url) = timeout(PATIENCE, lines.next_line()).await?? else {
            said.await?;
            return Err("the worker ended before it listened; its error is above".into());
        };
        Ok(Self {
            child,
            pid,
            url,
            said,
        })
    }

    /// SIGKILL: the process gets no chance to say anything.
    async fn kill(mut self) -> Outcome<()> {
        self.child.kill().await?;
        Ok(self.said.await?)
    }
}

/// Prints the worker's output: two processes writing to one terminal would mix their lines.
async fn pass_on(pid: u32, stderr: ChildStderr) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        println!("{pid:>14} | {line}");
    }
}

/// How many steps an order takes: `charge-payment` and `reserve-stock`, then `release-stock`, or the parcels' two each
/// with `announce` and `credit-points`.
fn steps_of(order: &OrderCreated) -> usize {
    match order.payment_token.as_str() {
        "tok_declined" | "tok_insufficient_funds" => 3,
        _ => 4 + 2 * order.parcels as usize,
    }
}

/// The URL of a server contains a password, which does not belong on a screen.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => url.to_owned(),
    }
}

fn returned(log: &Path) -> usize {
    let lines = effects::read(log);
    let steps = lines
        .iter()
        .filter(|line| line.what == "returned")
        .map(|line| (&line.order, &line.step));
    steps.collect::<std::collections::HashSet<_>>().len()
}

async fn wait_until(what: &str, condition: impl Fn() -> bool) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} for {what}").into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
