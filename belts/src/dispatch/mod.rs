//! How a published event reaches a worker: the [`Dispatcher`] trait, its contract and its vocabulary.
//!
//! Without a dispatcher, publishing is a write to the store, and every worker on that store finds the runs there. A
//! dispatcher carries the event to a worker by another road: for publishers that cannot reach the store, for hosts that
//! run only while a request is served, for queues that are there already. It decides nothing about events and never looks
//! into a message; the worker that receives one makes it durable in its store before it is acknowledged.
#![cfg_attr(
    all(
        feature = "http-dispatch",
        feature = "redis",
        feature = "sqs",
        feature = "qstash",
        feature = "conformance"
    ),
    doc = ""
)]
#![cfg_attr(
    all(
        feature = "http-dispatch",
        feature = "redis",
        feature = "sqs",
        feature = "qstash",
        feature = "conformance"
    ),
    doc = include_str!("../../docs/dispatchers.md")
)]

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::error::Result;

mod channel;
mod error;
#[cfg(feature = "http-dispatch")]
mod http;
mod message;
#[cfg(any(feature = "http-dispatch", feature = "qstash"))]
pub(crate) mod post;
#[cfg(feature = "http")]
mod pushed;
#[cfg(feature = "qstash")]
mod qstash;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqs")]
mod sqs;
pub(crate) mod url;
pub(crate) mod wire;

pub use channel::Channel;
#[cfg(feature = "http-dispatch")]
pub use http::{Http, HttpBuilder};
pub use message::*;
#[cfg(feature = "http")]
pub use pushed::{Finality, Pushed, Recognized};
#[cfg(feature = "qstash")]
pub use qstash::{Qstash, QstashBuilder, QstashFlowControl, QstashOptions};
#[cfg(feature = "redis")]
pub use redis::{Redis, RedisBuilder};
#[cfg(feature = "sqs")]
pub use sqs::{Sqs, SqsBuilder, SqsOptions};
#[cfg(feature = "sqs")]
pub(crate) use sqs::{check as check_sqs, open as open_sqs};

/// Carries messages from publishers to workers.
///
/// Some dispatchers are asked for messages ([`Capabilities::pulls`]): a worker with a loop calls
/// [`receive`](Self::receive), makes what came durable, and calls [`ack`](Self::ack) or [`nack`](Self::nack). The others
/// push: they post each message to a worker's [router](crate::Worker::router), and the status of the answer is the
/// acknowledgement.
///
/// `Debug` says in a few words where messages go, without a secret: it is what the worker shows at its start.
///
/// # Contract
/// Each rule is followed by the cases of the conformance suite that try it, and each case stands at its rule.
///
/// Sending:
/// - A message for which [`send`](Self::send) has answered `Ok` reaches a worker, if [`Capabilities::durable`] says so, whatever becomes
///   of its sender. (`what_was_sent_arrives`)
/// - Its body arrives byte for byte. (`body_arrives_as_sent`)
/// - It does not arrive before its delay is over. (`delay_is_kept`)
/// - The answers stand in the order of the messages, and one that is refused does not keep the others. (`batch_is_answered_in_order`)
///
/// Receiving, where the dispatcher pulls:
/// - A message that is not acknowledged comes again, to any receiver. (`unacknowledged_comes_again`)
/// - One that is acknowledged does not come again. (`acknowledged_is_gone`)
/// - Until its visibility is over, which [`extend`](Self::extend) prolongs, no other receiver is given it. (`visible_to_one_receiver`)
/// - One that is put off comes again, not before its time. (`put_off_comes_later`)
/// - One that is put aside does not come again, and does not keep others from coming. (`put_aside_is_gone`)
/// - A call of [`receive`](Self::receive) may be dropped at any time: what it had taken comes again. (`dropped_receive_loses_nothing`)
///
/// With a worker:
/// - An event that is delivered twice, one after the other, at the same time or after a lost acknowledgement, starts each
///   function once. (`second_delivery_starts_nothing`, `two_deliveries_at_once_start_one_run`, `lost_acknowledgement_starts_nothing`)
/// - The order in which messages come does not matter. (`reordered_messages_all_count`)
/// - A message that is none of ours keeps no other from being received. (`poison_spares_the_others`)
/// - An event that does not fit the worker that gets it comes again, as another one may run another version.
///   (`misfit_comes_again`)
/// - What is published for later runs then, and not before. (`delayed_event_runs_at_its_time`)
/// - A worker that shuts down while it receives loses nothing. (`shutdown_in_mid_delivery_loses_nothing`)
#[async_trait]
pub trait Dispatcher: fmt::Debug + Send + Sync + 'static {
    /// What this dispatcher can do.
    fn capabilities(&self) -> Capabilities;

    /// Hands messages over. The answers stand in the order of the messages.
    ///
    /// The delays are within [`Capabilities::max_delay`]. Sending a message again under its [`id`](Message::id) is safe.
    ///
    /// # Errors
    /// The transport cannot be reached, or refused the whole batch; some of it may have been taken all the same. The kind is
    /// [`Dispatcher`](crate::ErrorKind::Dispatcher) where another try can help; it is made with
    /// [`Error::dispatcher`](crate::Error::dispatcher).
    async fn send(&self, batch: Vec<Message>) -> Result<Vec<Result<Sent>>>;

    /// Waits for messages, and returns at most `most` of them. It may return none.
    ///
    /// # Errors
    /// The transport cannot be reached, or refuses.
    async fn receive(&self, most: usize) -> Result<Vec<Delivery>> {
        let _ = most;
        std::future::pending().await
    }

    /// Begins the visibility of these deliveries anew.
    ///
    /// # Errors
    /// The transport cannot be reached, or refuses.
    async fn extend(&self, receipts: &[Receipt]) -> Result<()> {
        let _ = receipts;
        Ok(())
    }

    /// Says that these deliveries are durable elsewhere.
    ///
    /// # Errors
    /// The transport cannot be reached, or refuses; some of them may come again.
    async fn ack(&self, receipts: Vec<Receipt>) -> Result<()> {
        let _ = receipts;
        Ok(())
    }

    /// Gives these deliveries back: to come again later, or to be put aside.
    ///
    /// # Errors
    /// The transport cannot be reached, or refuses; they come again when their visibility is over.
    async fn nack(&self, refused: Vec<Nack>) -> Result<()> {
        let _ = refused;
        Ok(())
    }

    /// Checks a request to the router, where this dispatcher pushes: `None` if it does not look like one of its messages.
    ///
    /// # Errors
    /// Of kind [`Signature`](crate::ErrorKind::Signature), made with [`Error::signature`](crate::Error::signature): it looks like one,
    /// and is not, or cannot be verified.
    #[cfg(feature = "http")]
    fn recognize(&self, request: &Pushed<'_>) -> Option<Result<Recognized>> {
        let _ = request;
        None
    }
}

/// A shared dispatcher of any kind.
pub type SharedDispatcher = Arc<dyn Dispatcher>;

/// What a dispatcher can do. It never pretends: what it cannot do is `false` or zero here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// What was sent reaches a worker, whatever becomes of the sender.
    pub durable: bool,
    /// A worker asks for messages, in place of being called.
    pub pulls: bool,
    /// What it pushes is signed, and a worker that has it takes no other requests, but for those with a signing key of its
    /// own.
    pub signs: bool,
    /// The longest delay that the transport holds by itself. A message that is due later is sent at once or after this
    /// time, and the store holds the rest.
    pub max_delay: Duration,
    /// How long a delivery belongs to its receiver alone.
    pub visibility: Option<Duration>,
    /// The most bytes of a message's body.
    pub max_bytes: Option<usize>,
}

impl Capabilities {
    /// A dispatcher that promises nothing.
    pub const NONE: Self = Self {
        durable: false,
        pulls: false,
        signs: false,
        max_delay: Duration::ZERO,
        visibility: None,
        max_bytes: None,
    };

    /// Says that what was sent reaches a worker.
    #[must_use]
    pub const fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Says that a worker asks for messages, and how long each is its alone.
    #[must_use]
    pub const fn pulls(mut self, visibility: Duration) -> Self {
        self.pulls = true;
        self.visibility = Some(visibility);
        self
    }

    /// Says that what it pushes is signed.
    #[must_use]
    pub const fn signs(mut self) -> Self {
        self.signs = true;
        self
    }

    /// Says how long a message can be delayed.
    #[must_use]
    pub const fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Says how big a message's body can be.
    #[must_use]
    pub const fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }
}
