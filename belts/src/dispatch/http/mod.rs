//! The HTTP dispatcher: signed requests to a worker's URL.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, Uri, header},
};
use futures_util::{StreamExt as _, stream};

use super::{Capabilities, Dispatcher, Message, Sent};
use crate::{
    Backoff,
    clock::{Clock as _, SystemClock},
    dispatch::{post::Poster, wire},
    error::{Error, ErrorKind, Result},
    plain::Clean,
    signature::SigningKey,
};

mod answer;
mod builder;

use answer::{Answer, streams};
pub use builder::HttpBuilder;

/// How many messages of a batch are in flight at once.
const AT_ONCE: usize = 16;

/// Posts each message to a worker's [router](crate::Worker::router), signed according to
/// [Standard Webhooks](https://www.standardwebhooks.com).
///
/// A publish returns once the worker has confirmed that the event is durable in its store. The store also keeps delays. The worker
/// at the URL must run a loop, as [`serve`](crate::Worker::serve) does.
///
/// An event counts as published only if the response comes from a worker and names this event; anything else, such as the login
/// page of a proxy, is an error that asks whether the URL is right.
///
/// A request that fails, or gets 408, 409, 425, 429 or 5xx, is retried with backoff, or when `Retry-After` says.
/// So is one whose event does not fit the worker that responded, since another may run another version. The worker recognizes
/// duplicates, so nothing starts twice.
///
/// ```no_run
/// # async fn example() -> belts::Result<()> {
/// use belts::{Worker, dispatch::Http};
///
/// let http = Http::builder("https://app.example/belts")
///     .signing_keys(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
///     .build()?;
/// Worker::builder().publish_only().dispatcher(http).build().await?.install();
/// # Ok(()) }
/// ```
pub struct Http {
    url: Uri,
    client: Poster,
    /// The first of the given keys; the receiver knows all of them.
    key: Option<SigningKey>,
    retries: u32,
    backoff: Backoff,
    patience: Duration,
}

impl Http {
    /// Sends one message until a response settles it.
    async fn deliver(&self, message: Message) -> Result<Sent> {
        let mut failed = 0;
        loop {
            let (error, pause) = match self.post(&message).await {
                Answer::Taken { duplicate } => {
                    return Ok(Sent::new(message.id).duplicate(duplicate));
                }
                Answer::Refused(error) => return Err(error),
                Answer::Later { error, pause } => (error, pause),
            };
            failed += 1;
            // Even if the response says "at once", there is a pause.
            let shortest = self.backoff.ceiling(1) / 2;
            let own = || {
                self.backoff
                    .ceiling(failed)
                    .mul_f64(0.5 + fastrand::f64() / 2.0)
            };
            let pause = pause.map_or_else(own, |pause| pause.max(shortest));
            if failed > self.retries || pause > self.patience {
                return Err(error);
            }
            tracing::warn!(
                message = %Clean(&message.id), error = %error.report(), ?pause, "could not deliver a message; retrying"
            );
            rest(pause).await;
        }
    }

    async fn post(&self, message: &Message) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        // Sent without a signature too, so that a message without an id of its own has the same one each time.
        if let Ok(id) = HeaderValue::from_str(&message.id) {
            headers.insert(wire::WEBHOOK_ID, id);
        }
        if let Some(key) = &self.key {
            for (name, value) in key.sign(&message.id, SystemClock.now(), &message.body) {
                match HeaderValue::from_str(&value) {
                    Ok(value) => headers.insert(name, value),
                    Err(_) => return Answer::Refused(unsendable(message)),
                };
            }
        }
        let body = Bytes::from_owner(Arc::clone(&message.body));
        let is_its = |event_id: &str| is_event_of(message, event_id);
        let enough = |headers: &HeaderMap| streams(headers, is_its);
        match self
            .client
            .post_until(&self.url, &headers, &body, enough)
            .await
        {
            Ok(answer) => Answer::read(&answer, is_its),
            Err(failed) => Answer::none(failed),
        }
    }
}

/// Whether a worker gives the message's event this id.
fn is_event_of(message: &Message, event_id: &str) -> bool {
    // Our publishers use the event's own id.
    if *message.id == *event_id {
        return true;
    }
    let body = wire::Body::read(&message.body).ok();
    let own = body.and_then(|body| body.context.event_id);
    own.unwrap_or_else(|| wire::webhook_event_id(&message.id)) == event_id
}

fn unsendable(message: &Message) -> Error {
    Error::new(
        ErrorKind::InvalidEvent,
        format!(
            "the message's id `{}` has characters that are not allowed in a header",
            message.id.escape_default()
        ),
    )
}

#[async_trait]
impl Dispatcher for Http {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE.durable()
    }

    async fn send(&self, batch: Vec<Message>) -> Result<Vec<Result<Sent>>> {
        let sending = batch.into_iter().map(|message| self.deliver(message));
        Ok(stream::iter(sending).buffered(AT_ONCE).collect().await)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP to {}", self.url)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pause is a matter of the network, and not of the worker's clock"
)]
async fn rest(pause: Duration) {
    tokio::time::sleep(pause).await;
}
