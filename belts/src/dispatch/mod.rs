//! How a published event reaches a worker: the [`Dispatcher`] trait, its contract and its types.
//!
//! Without a dispatcher, publishing is a write to the store, and every worker on that store finds the runs there. A
//! dispatcher carries the event to a worker another way: for publishers that cannot reach the store, for hosts that
//! run only while they handle a request, for queues that you already have. It makes no decisions about events and never looks
//! into a message; the worker that receives one makes it durable in its store before it acknowledges it.
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
pub(crate) use sqs::read as read_sqs;
#[cfg(feature = "sqs")]
pub use sqs::{Sqs, SqsBuilder, SqsOptions};

/// Carries messages from publishers to workers.
///
/// Some dispatchers are polled for messages ([`Capabilities::pulls`]): a worker with a loop calls
/// [`receive`](Self::receive), makes the messages durable, and calls [`ack`](Self::ack) or [`nack`](Self::nack). The others
/// push: they post each message to a worker's [router](crate::Worker::router), and the status of the response is the
/// acknowledgement.
///
/// `Debug` names in a few words where messages go, without secrets: the worker prints it at start.
///
/// # Contract
/// Each rule is followed by the cases of the conformance suite that test it, and each case is named at its rule.
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
    /// The capabilities of this dispatcher.
    fn capabilities(&self) -> Capabilities;

    /// Sends messages. The results are in the order of the messages.
    ///
    /// The delays are within [`Capabilities::max_delay`]. Sending a message again under its [`id`](Message::id) is safe.
    ///
    /// # Errors
    /// The transport cannot be reached, or refused the whole batch; some of it may have been accepted all the same. The kind is
    /// [`Dispatcher`](crate::ErrorKind::Dispatcher) if a retry can help; create it with
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

    /// Restarts the visibility timeout of these deliveries.
    ///
    /// # Errors
    /// The transport cannot be reached, or refuses.
    async fn extend(&self, receipts: &[Receipt]) -> Result<()> {
        let _ = receipts;
        Ok(())
    }

    /// Acknowledges deliveries, which are durable elsewhere.
    ///
    /// # Errors
    /// The transport cannot be reached, or refuses; some of them may be redelivered.
    async fn ack(&self, receipts: Vec<Receipt>) -> Result<()> {
        let _ = receipts;
        Ok(())
    }

    /// Returns these deliveries: to be redelivered later, or set aside.
    ///
    /// # Errors
    /// The transport cannot be reached, or refuses; they are redelivered after the visibility timeout.
    async fn nack(&self, refused: Vec<Nack>) -> Result<()> {
        let _ = refused;
        Ok(())
    }

    /// Verifies a request to the router, if this dispatcher pushes: `None` if it does not look like one of its messages.
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
    /// A message that was sent reaches a worker, whatever happens to the sender.
    pub durable: bool,
    /// A worker polls for messages, instead of being called.
    pub pulls: bool,
    /// Its requests are signed, and a worker that has it accepts no other requests, except those signed with a signing key of its
    /// own.
    pub signs: bool,
    /// The longest delay that the transport supports. A message that is due later is sent at once or after this
    /// time, and the store keeps the rest of the delay.
    pub max_delay: Duration,
    /// How long a delivery is hidden from other receivers.
    pub visibility: Option<Duration>,
    /// The size limit of a message's body, in bytes.
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

    /// Declares that a message that was sent reaches a worker.
    #[must_use]
    pub const fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Declares that a worker polls for messages, and how long each delivery is hidden from others.
    #[must_use]
    pub const fn pulls(mut self, visibility: Duration) -> Self {
        self.pulls = true;
        self.visibility = Some(visibility);
        self
    }

    /// Declares that its requests are signed.
    #[must_use]
    pub const fn signs(mut self) -> Self {
        self.signs = true;
        self
    }

    /// Declares how long a message can be delayed.
    #[must_use]
    pub const fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Declares how large a message's body can be.
    #[must_use]
    pub const fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }
}
