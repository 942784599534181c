//! Adds messages to the stream, or to the delayed ones.

use std::time::Duration;

use super::{MOST_BYTES, Message, Redis, Sent, script};
use crate::{
    error::{Error, ErrorKind, Result},
    redis::{error::Fault, reply::Row},
};

/// The most messages of one script, since others wait meanwhile.
const BATCH: usize = 100;
/// The most bytes of one script, but for a single message.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// The longest delay: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Redis {
    pub(super) async fn send_messages(&self, batch: &[Message]) -> Result<Vec<Result<Sent>>> {
        let small = |message: &&Message| message.body.len() <= MOST_BYTES;
        let taken: Vec<&Message> = batch.iter().filter(small).collect();
        let mut ids = Vec::with_capacity(taken.len());
        let mut failed = None;
        for some in chunks(&taken) {
            match self.add(some).await {
                Ok(added) => ids.extend(added),
                Err(error) if ids.is_empty() => return Err(error),
                // What is in the stream by now is told; what comes behind is not sent, so that they keep their order.
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let mut ids = ids.into_iter();
        let answer = |message: &Message| {
            if !small(&message) {
                return Err(too_large(message));
            }
            match (ids.next(), &failed) {
                (Some(id), _) => Ok(Sent::new(id)),
                (None, Some(error)) => Err(error.same()),
                (None, None) => Ok(Sent::default()),
            }
        };
        Ok(batch.iter().map(answer).collect())
    }

    /// Adds some messages, and returns their ids.
    async fn add(&self, messages: &[&Message]) -> Result<Vec<String>> {
        // A repeated call has the same ids, so that a delayed message is not added twice.
        let held: Vec<String> = messages.iter().map(|_| new_id()).collect();
        let build = || {
            let mut call = self.call(&script::SEND);
            for (message, id) in messages.iter().zip(&held) {
                let delay = match message.delay {
                    Duration::ZERO => String::new(),
                    delay => millis(delay).to_string(),
                };
                call.arg(delay).arg(id).arg(&*message.body);
            }
            call
        };
        let read = |answer| {
            let mut row = Row::of(answer)?;
            let ids = messages.iter().map(|_| Ok(self.message_id(&row.text()?)));
            ids.collect::<Result<Vec<_>, Fault>>()
        };
        let answer = self.run(build).await.and_then(read);
        answer.map_err(|fault| self.error(fault))
    }

    /// The id of a message outside this stream.
    pub(super) fn message_id(&self, id: &str) -> String {
        format!("{}/{id}", self.inner.keys.stream)
    }
}

/// Divides messages into parts, each for one script.
fn chunks<'a>(messages: &'a [&'a Message]) -> impl Iterator<Item = &'a [&'a Message]> {
    let mut rest = messages;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |message: &&&Message| {
            bytes += message.body.len();
            bytes <= BATCH_BYTES
        };
        let count = rest.iter().take(BATCH).take_while(fits).count();
        let (some, others) = rest.split_at(count.max(1).min(rest.len()));
        rest = others;
        (!some.is_empty()).then_some(some)
    })
}

/// Milliseconds, rounded up.
pub(super) fn millis(delay: Duration) -> u128 {
    delay.min(LONGEST).as_nanos().div_ceil(1_000_000)
}

/// An id that no entry of a stream has.
fn new_id() -> String {
    format!("delayed-{:032x}", fastrand::u128(..))
}

fn too_large(message: &Message) -> Error {
    let (id, size) = (&message.id, message.body.len());
    Error::new(
        ErrorKind::TooLarge,
        format!("the message `{id}` has {size} bytes, over the limit of {MOST_BYTES} for Redis"),
    )
}
