//! Workers behind the mock, and functions whose steps are counted.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::ErrorKind,
    sync::Mutex,
    time::Duration,
};

use axum::Router;
use belts::{
    Event, Worker, WorkerBuilder,
    dispatch::{Qstash, QstashBuilder},
    step,
    store::{Memory, RunFilter, RunRecord, RunStatus},
};
use belts_qstash_mock::Mock;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinHandle};
use tower::ServiceExt as _;

pub(crate) use super::super::mock_qstash::destination::{
    SOON, ask, destination, fast, with_headers,
};

/// An event whose name tells tests apart.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "mail-ordered")]
pub(crate) struct MailOrdered {
    pub(crate) name: String,
}

#[belts::function(id = "mail", on = MailOrdered)]
pub(crate) async fn mail(order: MailOrdered) -> belts::Result<usize> {
    step!("send", effect(&order.name)).await?;
    step!("count", order.name.len()).await
}

pub(crate) fn mail_ordered(name: &str) -> MailOrdered {
    MailOrdered {
        name: name.to_owned(),
    }
}

/// The body of a message with an event and no id, as somebody without belts writes it.
pub(crate) fn foreign(name: &str) -> String {
    format!(r#"{{"event":{{"type":"mail-ordered","name":"{name}"}}}}"#)
}

/// What steps did outside of belts, counted by name.
static EFFECTS: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

pub(crate) fn effect(name: &str) -> u32 {
    let mut effects = EFFECTS.lock().unwrap();
    let count = effects.entry(name.to_owned()).or_default();
    *count += 1;
    *count
}

pub(crate) fn effects(name: &str) -> u32 {
    EFFECTS.lock().unwrap().get(name).copied().unwrap_or(0)
}

/// A dispatcher that speaks to the mock and knows its keys.
pub(crate) fn to(mock: &Mock, destination: &str) -> QstashBuilder {
    let keys = mock.keys();
    Qstash::builder(mock.token(), destination)
        .url(mock.url())
        .signing_keys(keys.current, keys.next)
}

/// A place for a worker, whose URL is known before the worker is.
pub(crate) struct Place {
    listener: TcpListener,
    pub(crate) url: String,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::at("127.0.0.1:0").await
    }

    pub(crate) async fn at(address: &str) -> Self {
        // Whoever listened there before may be closing its socket still.
        let bound = async {
            loop {
                match TcpListener::bind(address).await {
                    Err(error) if error.kind() == ErrorKind::AddrInUse => {
                        belts_suite::a_moment().await;
                    }
                    bound => return bound,
                }
            }
        };
        let bound = tokio::time::timeout(Duration::from_secs(60), bound).await;
        let listener = bound.expect("the address is free in time").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// A worker of the function `mail` with its loop.
    pub(crate) async fn worker(self, qstash: Qstash) -> Served {
        let builder = Worker::builder().store(Memory::new()).function(mail);
        self.serve(builder.dispatcher(qstash)).await
    }

    /// The worker with its loop.
    pub(crate) async fn serve(self, builder: WorkerBuilder) -> Served {
        let worker = builder.build().await.unwrap();
        let task = tokio::spawn({
            let (worker, listener) = (worker.clone(), self.listener);
            async move { worker.serve_on(listener).await.unwrap() }
        });
        Served { worker, task }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The listener, for another runtime.
    pub(crate) fn into_std(self) -> std::net::TcpListener {
        self.listener.into_std().unwrap()
    }

    /// Only what an application serves; nothing runs between requests.
    pub(crate) fn serve_only(self, app: Router) -> JoinHandle<()> {
        tokio::spawn(async move { axum::serve(self.listener, app).await.unwrap() })
    }
}

/// Each request goes to one of both by chance: in turn, two messages that come again at one pace would each meet the same one for
/// ever.
pub(crate) fn by_chance(routers: [Router; 2]) -> Router {
    let forward = move |request: axum::extract::Request| {
        let chance = RandomState::new().build_hasher().finish();
        let router = routers[usize::from(chance.is_multiple_of(2))].clone();
        async move { router.oneshot(request).await }
    };
    Router::new().fallback(forward)
}

/// A worker that ends when it is dropped.
pub(crate) struct Served {
    pub(crate) worker: Worker,
    pub(crate) task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn runs(worker: &Worker) -> Vec<RunRecord> {
    worker
        .store()
        .list(RunFilter::default())
        .await
        .unwrap()
        .runs
}

/// The worker's runs, once there are so many and all are completed.
pub(crate) async fn completed(worker: &Worker, count: usize) -> Vec<RunRecord> {
    ended(worker, count, RunStatus::Completed).await
}

pub(crate) async fn ended(worker: &Worker, count: usize, status: RunStatus) -> Vec<RunRecord> {
    let wait = async {
        loop {
            let runs = runs(worker).await;
            if runs.len() >= count && runs.iter().all(|run| run.status == status) {
                return runs;
            }
            belts_suite::a_moment().await;
        }
    };
    let Ok(runs) = tokio::time::timeout(SOON, wait).await else {
        panic!("the runs have not ended: {:?}", runs(worker).await);
    };
    assert_eq!(runs.len(), count, "{runs:?}");
    runs
}

/// The error's whole text, which must not hold the token or a key.
pub(crate) fn told(error: &belts::Error) -> String {
    let told = format!("{} {error:?}", error.report());
    for secret in ["mock-token", "hunter2", "sig_7k", "sig_5Z"] {
        assert!(!told.contains(secret), "{told}");
    }
    error.report()
}

/// A dispatcher that gives up soon.
pub(crate) fn impatient(base: &str) -> QstashBuilder {
    Qstash::builder("hunter2", "https://app.example/belts")
        .url(base)
        .request_timeout(Duration::from_millis(300))
}
