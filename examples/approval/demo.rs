//! The demonstration: a worker in a child process, a manager, two SIGKILLs.

#![expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]

use std::{error::Error, path::PathBuf, process::Stdio, time::Duration};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use belts::Worker;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    expenses::{Decision, ExpenseFiled, publish_expense_filed},
    mailbox::{self, Mail, Mailbox},
};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const STORE: &str = "BELTS_STORE";
const ADDRESS: &str = "BELTS_ADDR";
const PATIENCE: Duration = Duration::from_secs(60);
const EXPENSES: usize = 20;
/// The first four are small; then eight are approved, five rejected, and three get no answer.
const SMALL: usize = 4;
const APPROVED: usize = 8;
const REJECTED: usize = 5;

/// Returns whether every promise was kept.
pub(crate) async fn run() -> Outcome<bool> {
    let place = Place::fresh()?;
    let mut worker = Running::start(&place, None).await?;
    let address = worker.address.clone();
    println!("worker         at {address}");
    publish(&place).await?;
    let large = EXPENSES - SMALL;
    wait_until("every question", || place.mail().asked.len() == large).await?;
    for kill in 1..=2 {
        worker.child.kill().await?;
        println!("SIGKILL        while {} wait", waiting(&place.mail()));
        worker = Running::start(&place, Some(&address)).await?;
        println!("worker again   at {}", worker.address);
        decide(&place.mail(), kill).await?;
    }
    let all = || place.mail().booked.len() == EXPENSES;
    let finished = wait_until("the last expense", all).await;
    worker.child.kill().await?;
    let is_good = verdict(&place.mail());
    if finished.is_ok() && is_good {
        std::fs::remove_dir_all(&place.folder)?;
    }
    finished?;
    Ok(is_good)
}

/// The child process: a worker on the address, or on a free port, which is its first line.
pub(crate) async fn work() -> Outcome<()> {
    let address = std::env::var(ADDRESS).unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let worker = Worker::builder()
        .store_url(std::env::var(STORE)?)
        // What `url()` of a callback begins with.
        .url(format!("http://{address}"))
        .state(Mailbox::from_env()?)
        .build()
        .await?;
    println!("{address}");
    Ok(worker.serve_on(listener).await?)
}

async fn publish(place: &Place) -> Outcome<()> {
    let builder = Worker::builder().store_url(&place.store).publish_only();
    let client = builder.build().await?;
    for number in 0..EXPENSES {
        let cents = if number < SMALL { 9_000 } else { 15_000 };
        let expense_id = expense_id(number);
        let expense = ExpenseFiled { expense_id, cents };
        publish_expense_filed(expense).via(&client).await?;
    }
    Ok(())
}

/// The manager goes through half of the mails after each kill, and answers each twice, as impatient people do.
async fn decide(mail: &Mail, half: usize) -> Outcome<()> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    for number in (SMALL..SMALL + APPROVED + REJECTED).filter(|number| number % 2 == half % 2) {
        let decision = if number < SMALL + APPROVED {
            Decision::Approve
        } else {
            Decision::Reject
        };
        let url = &mail.asked[&expense_id(number)];
        for _ in 0..2 {
            let request = Request::post(url)
                .header("content-type", "application/json")
                .body(Body::from(serde_json::to_vec(&decision)?))?;
            let status = client.request(request).await?.status();
            if status != StatusCode::OK {
                return Err(
                    format!("the callback of {} answers {status}", expense_id(number)).into(),
                );
            }
        }
    }
    Ok(())
}

fn verdict(mail: &Mail) -> bool {
    let count = |outcome: &str| {
        let booked = mail.booked.values();
        booked.filter(|booked| booked[0] == outcome).count()
    };
    let (approved, rejected) = (count("Approved"), count("Rejected"));
    let expired = count("Expired");
    let twice = mail.booked.values().filter(|booked| booked.len() > 1);
    let twice = twice.count();
    println!(
        "\n{EXPENSES} expenses · {approved} approved · {rejected} rejected · {expired} expired · 2 crashes · {twice} decided twice"
    );
    let rest = EXPENSES - SMALL - APPROVED - REJECTED;
    (approved, rejected, expired, twice) == (SMALL + APPROVED, REJECTED, rest, 0)
}

fn expense_id(number: usize) -> String {
    format!("exp-{number:02}")
}

fn waiting(mail: &Mail) -> usize {
    let asked = mail.asked.keys();
    asked
        .filter(|expense_id| !mail.booked.contains_key(*expense_id))
        .count()
}

/// Where this demonstration keeps its files.
struct Place {
    folder: PathBuf,
    store: String,
    log: PathBuf,
}

impl Place {
    fn fresh() -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("belts-approval-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            store: format!("sqlite://{}", folder.join("expenses.db").display()),
            log: folder.join("mailbox.log"),
            folder,
        })
    }

    fn mail(&self) -> Mail {
        mailbox::read(&self.log)
    }
}

struct Running {
    child: Child,
    address: String,
}

impl Running {
    async fn start(place: &Place, address: Option<&str>) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--worker")
            .env(STORE, &place.store)
            .env(mailbox::ENV, &place.log)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if let Some(address) = address {
            command.env(ADDRESS, address);
        }
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("the worker has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let Some(address) = timeout(PATIENCE, lines.next_line()).await?? else {
            return Err("the worker ended before it listened; its error is above".into());
        };
        Ok(Self { child, address })
    }
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
