//! How the orders reach the worker: posted by a client of any kind, or published by a program with a dispatcher.

#![expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use belts::{Worker, WorkerBuilder};
use belts_suite::qstash::Mock;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    demo::{ADDRESS, Outcome, PATIENCE},
    shop::{OrderCreated, publish_order_created},
};

const DISPATCHER: &str = "BELTS_DISPATCHER";
const URL: &str = "BELTS_URL";

/// The way of the orders.
pub(crate) enum Road {
    /// Straight to the worker's router, with the status as the answer.
    Posted,
    /// By the dispatcher of this name or URL.
    Dispatched {
        name: String,
        /// Where the worker listens each time, for dispatchers that call it.
        address: String,
        /// Stands in for the service, if there is none.
        mock: Option<Mock>,
    },
}

impl Road {
    pub(crate) async fn from_env() -> Outcome<Self> {
        let name = match std::env::var(DISPATCHER) {
            Ok(name) if name != "store" && !name.is_empty() => name,
            _ => return Ok(Self::Posted),
        };
        // Who calls the worker has to find it again after the crash.
        let free = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?.to_string();
        let mocked = name == "qstash" && std::env::var_os("QSTASH_URL").is_none();
        let mock = if mocked {
            Some(Mock::start().await)
        } else {
            None
        };
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

    /// What the worker and the publisher are told.
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
        self,
        orders: Vec<OrderCreated>,
        worker: watch::Receiver<String>,
    ) -> Outcome<()> {
        // A store that outlives this program knows the ids of its last time.
        let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let ids = (0..).map(|number| format!("order-{time}-{number}"));
        let orders = ids.zip(orders);
        match &self {
            Self::Posted => post_all(orders, worker).await,
            Self::Dispatched { .. } => self.dispatch_all(orders).await,
        }
    }
}
