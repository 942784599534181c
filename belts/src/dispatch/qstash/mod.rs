//! The QStash dispatcher: the service keeps each message and posts it to a worker's router until it is accepted.
//!
//! `publish.rs` sends a message to the service, and `receiver.rs` verifies the request in which it comes back. All names that
//! the service defines are in `headers.rs`, `publish.rs` and `receiver.rs`.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Capabilities, Dispatcher, Message, Pushed, Recognized, Sent};
use crate::error::Result;

mod builder;
mod client;
mod env;
mod error;
mod headers;
mod options;
mod publish;
mod receiver;
mod seen;
mod urls;
mod verify;

pub use builder::QstashBuilder;
use client::Client;
pub use options::{QstashFlowControl, QstashOptions};
use receiver::Receiver;

/// Sends messages through [QStash](https://upstash.com/docs/qstash), which posts them to a worker's
/// [router](crate::Worker::router). Clones are the same dispatcher.
///
/// It delays a message for as long as its plan allows, so a worker without a loop, of which only the router is served,
/// hands on the rest of a run: nothing has to run between deliveries. A publisher sets options of a single message
/// with [`QstashOptions`].
///
/// The worker accepts a delivery if one of the two signing keys matches, and it is for this worker's URL, for this body, and not
/// older than five minutes. One that somebody intercepts and replays within that time stands for the same message, whatever id it
/// is given. Behind a proxy the URL is the public one, so it has to be configured. The service retries
/// every response that is not a success, and moves a message that no retry can help to its dead-letter queue at once.
///
/// If only deliveries wake a run, one that has failed for good leaves the run waiting until it is retried from the
/// dead-letter queue. Give messages more [retries](QstashBuilder::retries) than the service's default of three, with a
/// [pause](QstashBuilder::retry_delay) that outlasts a deploy.
///
/// ```rust,standalone_crate
/// use belts::{Worker, dispatch::Qstash, store::Memory};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// # let (token, current, next) = ("token", "sig_1", "sig_2");
/// let qstash = Qstash::builder(token, "https://app.example/belts")
///     .url("https://qstash-us-east-1.upstash.io")
///     .signing_keys(current, next)
///     .retries(5)
///     .build()?;
/// assert_eq!(format!("{qstash:?}"), "QStash at qstash-us-east-1.upstash.io, to https://app.example/belts");
/// let worker = Worker::builder().store(Memory::new()).dispatcher(qstash).build().await?;
/// let app: axum::Router = axum::Router::new().nest("/belts", worker.router());
/// # drop(app);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Qstash(Arc<Inner>);

struct Inner {
    client: Client,
    receiver: Receiver,
    destination: String,
    defaults: QstashOptions,
    deduplicate: bool,
    delay: Duration,
    max_delay: Duration,
    max_bytes: usize,
}

#[async_trait]
impl Dispatcher for Qstash {
    fn capabilities(&self) -> Capabilities {
        let can = Capabilities::NONE
            .durable()
            .max_delay(self.0.max_delay)
            .max_bytes(self.0.max_bytes);
        if self.0.receiver.verifies() {
            can.signs()
        } else {
            can
        }
    }

    async fn send(&self, batch: Vec<Message>) -> Result<Vec<Result<Sent>>> {
        self.0.send(batch).await
    }

    fn recognize(&self, request: &Pushed<'_>) -> Option<Result<Recognized>> {
        self.0.receiver.recognize(request, &self.0.destination)
    }
}

impl fmt::Debug for Qstash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, destination) = (
            &self.0.client.place().host,
            urls::without_query(&self.0.destination),
        );
        write!(f, "QStash at {host}, to {destination}")
    }
}
