//! How the orders reach the worker: posted by a client of any kind, or published by a program with a dispatcher.

#![expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use belts::{Event as _, Worker, WorkerBuilder};
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    demo::{ADDRESS, Outcome, PATIENCE},
    mocked::Mocked,
    shop::{OrderCreated, publish_order_created},
};

const DISPATCHER: &str = "BELTS_DISPATCHER";
const URL: &str = "BELTS_URL";
const KEYS: &str = "BELTS_SIGNING_KEYS";

/// The way that orders take.
pub(crate) enum Road {
    /// Directly to the worker's router, with the status as the response.
    Posted,
    /// Through the dispatcher with this name or URL.
    Dispatched {
        name: String,
        /// A fixed address of the worker, for dispatchers that call it.
        address: String,
        /// Replaces the service, if there is none.
        mock: Option<Mocked>,
    },
}

impl Road {
    pub(crate) fn from_env() -> Outcome<Self> {
        let name = match std::env::var(DISPATCHER) {
            Ok(name) if name != "store" && !name.is_empty() => name,
            _ => return Ok(Self::Posted),
        };
        // Whoever calls the worker must find it again after the crash.
        let free = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?.to_string();
        let mocked = name == "qstash" && std::env::var_os("QSTASH_URL").is_none();
        let mock = mocked.then(Mocked::start).transpose()?;
        Ok(Self::Dispatched {
            name,
            address,
            mock,
        })
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Posted => "none: a client posts to the worker",
            Self::Dispatched { mock: Some(_), .. } => "qstash, mocked",
            Self::Dispatched { name, .. } => name,
        }
    }

    /// The settings of worker and publisher.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let Self::Dispatched {
            name,
            address,
            mock,
        } = self
        else {
            return Vec::new();
        };
        let mut variables = vec![(DISPATCHER, name.clone()), (ADDRESS, address.clone())];
        if std::env::var_os(URL).is_none() {
            variables.push((URL, format!("http://{address}/")));
        }
        if let Some(mock) = mock {
            variables.extend(mock.variables());
        }
        variables
    }

    /// Publishes every order until it is durable somewhere; the address of the worker may change meanwhile.
    pub(crate) async fn publish_all(
        self: Arc<Self>,
        orders: Vec<OrderCreated>,
        worker: watch::Receiver<String>,
    ) -> Outcome<()> {
        // A store that outlives this program remembers the ids of the previous run.
        let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let ids = (0..).map(|number| format!("order-{time}-{number}"));
        let orders = ids.zip(orders);
        if matches!(*self, Self::Posted) {
            return post_all(orders, worker).await;
        }
        let publisher = self.publisher().await?;
        for (id, order) in orders {
            until_taken(|| async {
                let publish = publish_order_created(order.clone()).idempotency_key(&id);
                match publish.via(&publisher).await {
                    Ok(_) => Ok(true),
                    Err(error) if error.is_retryable() => Ok(false),
                    Err(error) => Err(error.report().into()),
                }
            })
            .await?;
        }
        Ok(())
    }

    /// A program that only publishes, without functions or a store.
    async fn publisher(&self) -> Outcome<Worker> {
        let variables: HashMap<_, _> = self.variables().into_iter().collect();
        let builder = Worker::builder().publish_only();
        let builder = match self {
            Self::Dispatched {
                mock: Some(mock), ..
            } => mock.dispatcher(builder, &variables[URL])?,
            _ => by_variables(builder, |name| {
                variables.get(name).cloned().or_else(|| variable(name))
            }),
        };
        Ok(builder.build().await?)
    }
}

/// Configures a worker from the environment.
pub(crate) fn by_env(builder: WorkerBuilder) -> WorkerBuilder {
    by_variables(builder, variable)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn by_variables(
    mut builder: WorkerBuilder,
    variable: impl Fn(&str) -> Option<String>,
) -> WorkerBuilder {
    if let Some(dispatcher) = variable(DISPATCHER) {
        builder = builder.dispatcher_url(dispatcher);
    }
    if let Some(url) = variable(URL) {
        builder = builder.url(url);
    }
    if let Some(keys) = variable(KEYS) {
        builder = builder.signing_keys(keys.split(','));
    }
    builder
}

/// Publishes like any client: POST, repeated with the same id until a response says that it is durable.
async fn post_all(
    orders: impl Iterator<Item = (String, OrderCreated)>,
    mut worker: watch::Receiver<String>,
) -> Outcome<()> {
    let client: Client<HttpConnector, String> = Client::builder(TokioExecutor::new()).build_http();
    for (id, order) in orders {
        let mut body = serde_json::to_value(&order)?;
        body["type"] = OrderCreated::TYPE.into();
        let body = serde_json::json!({ "event": body }).to_string();
        until_taken(|| {
            let url = worker.borrow_and_update().clone();
            let request = Request::post(url)
                .header("content-type", "application/json")
                .header("webhook-id", &id)
                .body(body.clone());
            async {
                match client.request(request?).await {
                    Ok(answer) if answer.status() == 202 => Ok(true),
                    Ok(answer) if answer.status().is_client_error() => {
                        let why = answer.into_body().collect().await?.to_bytes();
                        Err(String::from_utf8_lossy(&why).into())
                    }
                    Ok(_) | Err(_) => Ok(false),
                }
            }
        })
        .await?;
    }
    Ok(())
}

async fn until_taken<F>(mut publish: impl FnMut() -> F) -> Outcome<()>
where
    F: Future<Output = Outcome<bool>>,
{
    let deadline = Instant::now() + PATIENCE;
    while !publish().await? {
        if Instant::now() > deadline {
            return Err(format!("an order was not taken within {PATIENCE:?}").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
