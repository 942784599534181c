//! Clients in other languages, which sign with their ecosystems' own libraries: the files in `examples/clients`.

mod installed;

use std::{net::SocketAddr, path::Path, process::Output};

use belts::{
    Worker,
    store::{Memory, RunFilter, RunRecord, Store as _},
};
use serde_json::Value;
use tokio::{net::TcpListener, process::Command, task::JoinHandle};

use crate::router::builder;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_KEY: &str = "whsec_bm90IHRoZSBrZXkgb2YgdGhpcyB3b3JrZXI=";
/// What is not ASCII tells whether the bytes that were signed are those that were sent.
const ORDER: &str = r#"{"order_id": "ø-17 €", "cents": 41}"#;

/// A worker on a socket that wants signatures.
struct Served {
    address: SocketAddr,
    store: Memory,
    worker: Worker,
    serving: JoinHandle<belts::Result<()>>,
}

impl Served {
    async fn start() -> Self {
        let store = Memory::new();
        let builder = builder().store(store.clone()).signing_keys([KEY]);
        let worker = builder.build().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn({
            let worker = worker.clone();
            async move { worker.serve_on(listener).await }
        });
        Self {
            address,
            store,
            worker,
            serving,
        }
    }

    /// Has a client publish an order, with this key and message id.
    async fn publish(&self, mut client: Command, key: &str, id: &str) -> Output {
        client
            .args(["order-created", ORDER, id])
            .env("BELTS_URL", format!("http://{}", self.address))
            .env("BELTS_SIGNING_KEY", key)
            .env("NO_PROXY", "127.0.0.1")
            .kill_on_drop(true);
        client.output().await.unwrap()
    }

    async fn runs(&self) -> Vec<RunRecord> {
        self.store.list(RunFilter::default()).await.unwrap().runs
    }

    async fn stop(self) {
        self.worker.shutdown();
        self.serving.await.unwrap().unwrap();
    }
}

fn said(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Publishes, publishes again, and publishes with a key that the worker does not have.
async fn publishes(client: AsyncClient<'_>) {
    let served = Served::start().await;
    let first = said(&served.publish(client().await, KEY, "m-1").await);
    assert_eq!(first["runs"][0]["functionId"], "process-order");
    assert_eq!(first["duplicate"], Value::Null);
    let second = said(&served.publish(client().await, KEY, "m-1").await);
    assert_eq!(second["duplicate"], true);
    assert_eq!(second["eventId"], first["eventId"]);

    let refused = served.publish(client().await, OTHER_KEY, "m-2").await;
    assert!(!refused.status.success());
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(error.contains("401"), "{error}");

    let runs = served.runs().await;
    assert_eq!(runs.len(), 1);
    let run = served.store.run(&runs[0].run_id).await.unwrap().unwrap();
    let payload: Value = serde_json::from_slice(&run.payload).unwrap();
    assert_eq!(payload["order_id"], "ø-17 €");
    served.stop().await;
}

type AsyncClient<'a> = &'a dyn Fn() -> futures_util::future::BoxFuture<'static, Command>;

fn packages() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

#[tokio::test]
#[cfg_attr(not(has_node), ignore = "no node or npm found: install them")]
async fn a_client_in_javascript_publishes_with_its_own_signature() {
    publishes(&|| Box::pin(async { installed::node(packages()).await.unwrap() })).await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn a_client_in_python_publishes_with_its_own_signature() {
    publishes(&|| Box::pin(async { installed::python(packages()).await.unwrap() })).await;
}
