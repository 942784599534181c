//! Encryption: what users write is sealed wherever it goes, and a value that does not open is no outcome.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use belts::{
    Context, Event, Failed, Keyring, RunHandle, Worker, call, callback, race, sleep, step,
    store::{RunStatus, SharedStore},
    testing::ManualClock,
    wait,
};
use serde::{Deserialize, Serialize};

use crate::gated::{effect, eventually, looped, within};

mod damage;
mod mixed;
mod plain_text;
mod reencrypted;
mod rerun;
mod rotation;
mod sent;
mod undone;

/// Stands in everything that users write here.
const MARK: &str = "m4rk3r";

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "sealed-order", key = order)]
struct SealedOrder {
    order: String,
    note: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "sealed-paid", key = order)]
struct SealedPaid {
    order: String,
    note: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "sealed-withdrawn", key = order)]
struct SealedWithdrawn {
    order: String,
    note: String,
}

fn order(name: &str) -> SealedOrder {
    SealedOrder {
        order: format!("{MARK}-key-{name}"),
        note: format!("{MARK} ").repeat(300),
    }
}

fn paid(name: &str) -> SealedPaid {
    SealedPaid {
        order: format!("{MARK}-key-{name}"),
        note: format!("{MARK} paid"),
    }
}

/// The callbacks that were asked for, by the order.
static ASKED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

fn ask(order: &str, callback: &str) -> String {
    let mut asked = ASKED.lock().unwrap();
    asked.insert(order.to_owned(), callback.to_owned());
    format!("{MARK} asked")
}

#[belts::function(id = "sealed-child", on = SealedPaid)]
async fn child(paid: SealedPaid) -> belts::Result<String> {
    step!("note", format!("{} below", paid.note)).await
}

async fn beats(cx: &Context) -> belts::Result<String> {
    cx.heartbeat(&format!("{MARK} beat")).await?;
    Ok(format!("{MARK} beaten"))
}

fn went_wrong() -> belts::Result<()> {
    Err(belts::terminal(format!("{MARK} went wrong")))
}

/// Uses everything that keeps something which its user has written.
#[belts::function(id = "sealed-whole", on = SealedOrder, cancel_on = SealedWithdrawn)]
async fn whole(order: SealedOrder, cx: Context) -> belts::Result<String> {
    cx.set_status(&format!("{MARK} status")).await?;
    step!("look", format!("{MARK} looked {}", order.note)).await?;
    step!("beat", beats(&cx)).await?;
    let failed = step!("fail", went_wrong(), retries = 0).await.unwrap_err();
    sleep!("rest", "1ms").await?;
    let answer = callback!("answer", String).await?;
    step!("ask", ask(&order.order, answer.id())).await?;
    let answered: String = answer.result().await?;
    let below: String = call!(
        "below",
        child(SealedPaid {
            order: order.order.clone(),
            note: format!("{MARK} called"),
        })
    )
    .await?;
    let paid: String = race!("paid", {
        paid = wait!("payment", SealedPaid, key = &order.order) => paid?.note,
        late = sleep!("deadline", "30d") => { late?; "late".to_owned() }
    })
    .await?;
    Ok(format!(
        "{} | {answered} | {below} | {paid}",
        failed.report()
    ))
}

/// What `whole` comes to.
fn outcome() -> String {
    format!(
        "step `fail` failed: terminal error: {MARK} went wrong | {MARK} answered | {MARK} called below | {MARK} paid"
    )
}

#[belts::function(id = "sealed-fails", on = SealedOrder, retries = 0)]
async fn fails(order: SealedOrder) -> belts::Result<()> {
    let text = format!("{MARK} broke {}", order.note.len());
    step!("break", async {
        Err::<(), _>(belts::terminal(text.clone()))
    })
    .await
}

#[belts::function(id = "sealed-failed", on_failure = fails)]
async fn failed(failure: Failed<SealedOrder>) -> belts::Result<String> {
    let text = step!("tell", format!("{MARK} told {}", failure.error)).await?;
    effect(format!("{} failed", failure.event.order));
    Ok(text)
}

/// Waits for its payment, and sleeps before that if it is told to.
#[belts::function(id = "sealed-payment", on = SealedOrder)]
async fn payment(order: SealedOrder) -> belts::Result<String> {
    step!("begin", format!("{MARK} begun")).await?;
    if order.note == "sleeps" {
        sleep!("rest", "1h").await?;
    }
    Ok(wait!("payment", SealedPaid, key = &order.order).await?.note)
}

fn new_keys() -> Keyring {
    Keyring::new("2026-11", [11; 32]).and_old("2026-01", [1; 32])
}

fn old_keys() -> Keyring {
    Keyring::new("2026-01", [1; 32])
}

async fn worker(store: SharedStore, keys: Option<Keyring>, clock: Option<&ManualClock>) -> Worker {
    let mut builder = Worker::builder()
        .shared_store(store)
        .function(whole)
        .function(child)
        .function(fails)
        .function(failed)
        .function(payment);
    if let Some(keys) = keys {
        builder = builder.encryption(keys);
    }
    if let Some(clock) = clock {
        builder = builder.clock(clock.clone());
    }
    builder.build().await.unwrap()
}

/// A worker whose loop runs until this is ended.
struct Running(Worker, tokio::task::JoinHandle<belts::Result<()>>);

impl Running {
    async fn on(store: &SharedStore, keys: impl Into<Option<Keyring>>) -> Self {
        let worker = worker(Arc::clone(store), keys.into(), None).await;
        let running = looped(&worker);
        Self(worker, running)
    }

    async fn end(self) {
        self.0.shutdown();
        within("it ends", self.1).await.unwrap().unwrap();
    }
}

/// Starts a run of `payment`.
async fn begin(worker: &Worker, order: SealedOrder, id: &str) -> RunHandle<String> {
    payment(order).run_id(id).via(worker).start().await.unwrap()
}

async fn rests(worker: &Worker, run_id: &str, step: &str) {
    eventually("it rests", async || {
        let run = worker.runs().get(run_id).await.unwrap();
        let journal = worker.runs().journal(run_id).await.unwrap();
        run.status == RunStatus::Suspended && journal.iter().any(|entry| &*entry.path == step)
    })
    .await;
}

/// Runs `whole` to its end, answering it.
async fn live(worker: &Worker, name: &str) -> String {
    let order = order(name);
    let run = whole(order.clone()).run_id(name).via(worker);
    let run = run.start().await.unwrap();
    let mut callback = None;
    eventually("it has asked", async || {
        callback = ASKED.lock().unwrap().get(&order.order).cloned();
        callback.is_some()
    })
    .await;
    let answer = worker.callback(callback.unwrap());
    answer.complete(&format!("{MARK} answered")).await.unwrap();
    publish_sealed_paid(paid(name)).via(worker).await.unwrap();
    within("the whole", run.result()).await.unwrap()
}
