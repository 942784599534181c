//! Sends messages: as many in a call as fit, each with its own result.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_sqs::types::SendMessageBatchRequestEntry as Entry;

use super::{
    Fault, Sqs, SqsOptions,
    body::{self, Attributes, ENCODING},
    limits::{BATCH, MAX_DELAY, whole_seconds},
    put_aside,
    queue::Queue,
};
use crate::{
    dispatch::{Message, Sent},
    error::{Error, ErrorKind, Result},
    id::stable_id,
};

/// The longest id of a group or for duplicates, in bytes.
const LONGEST_ID: usize = 128;

/// A message that is ready for a call.
struct Ready {
    /// Its index among the messages, which is also its id in the call.
    place: usize,
    entry: Entry,
    bytes: usize,
}

/// The result for each message of a call, by index.
type SendResults = Vec<(usize, Result<Sent, Fault>)>;

impl Sqs {
    pub(super) async fn send_batch(&self, batch: Vec<Message>) -> Result<Vec<Result<Sent>>> {
        let queue = &self.inner.queue;
        let mut answers: HashMap<usize, Result<Sent>> = HashMap::new();
        let mut ready = Vec::new();
        for (place, message) in batch.iter().enumerate() {
            let unfit = match prepare(queue, place, message) {
                Ok(message) => {
                    ready.push(message);
                    continue;
                }
                Err(Unfit::Size(bytes)) => too_large(queue, bytes),
                Err(Unfit::Fault(fault)) => self.error(&fault),
            };
            answers.insert(place, Err(unfit));
        }
        let mut taken = answers.len();
        let mut failed: Option<Fault> = None;
        // One call after the other, since a FIFO queue keeps the order of the calls.
        for chunk in chunks(ready, queue.max_batch_bytes()) {
            let outcome = match &failed {
                Some(fault) => for_all(&chunk, fault),
                None => match self.send_chunk(&chunk).await {
                    Ok(outcome) => {
                        taken += outcome.len();
                        outcome
                    }
                    Err(fault) => for_all(&chunk, failed.insert(fault)),
                },
            };
            let outcome = outcome.into_iter();
            answers.extend(outcome.map(|(place, it)| (place, it.map_err(|it| self.error(&it)))));
        }
        match failed {
            Some(fault) if taken == 0 => Err(self.error(&fault)),
            _ => Ok((0..batch.len())
                .map(|place| self.answer(&mut answers, place))
                .collect()),
        }
    }

    fn answer(&self, answers: &mut HashMap<usize, Result<Sent>>, place: usize) -> Result<Sent> {
        let answer = answers.remove(&place);
        answer.unwrap_or_else(|| Err(self.error(&Fault::unanswered())))
    }

    /// Sends messages in one call. Some faults of one message make SQS reject the call; then each is sent alone.
    async fn send_chunk(&self, chunk: &[Ready]) -> Result<SendResults, Fault> {
        match self.call(chunk).await {
            Err(fault) if fault.is_of_message() => {}
            answered => return answered,
        }
        let mut outcome = SendResults::new();
        for message in chunk {
            let alone = std::slice::from_ref(message);
            match self.call(alone).await {
                Ok(answered) => outcome.extend(answered),
                Err(fault) => outcome.push((message.place, Err(fault))),
            }
        }
        Ok(outcome)
    }

    async fn call(&self, chunk: &[Ready]) -> Result<SendResults, Fault> {
        let link = &self.inner.link;
        let entries = chunk.iter().map(|message| message.entry.clone()).collect();
        let call = link
            .client
            .send_message_batch()
            .queue_url(&link.url)
            .set_entries(Some(entries));
        let answer = call.send().await.map_err(Fault::of)?;
        let sent = answer
            .successful()
            .iter()
            .map(|it| (it.id(), Ok(Sent::new(it.message_id()))));
        let refused = answer
            .failed()
            .iter()
            .map(|it| (it.id(), Err(Fault::entry(it))));
        Ok(sent
            .chain(refused)
            .filter_map(|(id, it)| Some((id.parse().ok()?, it)))
            .collect())
    }
}

/// Why a message is not even sent.
#[derive(Debug)]
enum Unfit {
    Size(usize),
    Fault(Fault),
}

impl From<Fault> for Unfit {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn prepare(queue: &Queue, place: usize, message: &Message) -> Result<Ready, Unfit> {
    let options = message.options.get::<SqsOptions>();
    let (text, encoded) = body::write(&message.body);
    let mut attributes = Attributes::new();
    for (name, value) in options.iter().flat_map(|options| &options.attributes) {
        attributes.insert(name.clone(), body::text(value)?);
    }
    if encoded {
        attributes.insert(ENCODING.to_owned(), body::encoding()?);
    }
    let bytes = text.len() + put_aside::size(&attributes);
    if bytes > queue.max_bytes {
        return Err(Unfit::Size(bytes));
    }
    let mut entry = Entry::builder()
        .id(place.to_string())
        .message_body(text)
        .set_message_group_id(group(queue, message, options).map(id))
        .set_message_attributes((!attributes.is_empty()).then_some(attributes));
    if queue.fifo {
        let own = options.and_then(|options| options.deduplication_id.as_deref());
        entry = entry.message_deduplication_id(id(own.unwrap_or(&message.id)));
    } else if !message.delay.is_zero() {
        entry = entry.delay_seconds(whole_seconds(message.delay.min(MAX_DELAY)));
    }
    let entry = entry.build().map_err(Fault::unwritten)?;
    Ok(Ready {
        place,
        entry,
        bytes,
    })
}

/// The group of a message. On a standard queue only messages that ask for one have a group.
fn group<'a>(
    queue: &Queue,
    message: &'a Message,
    options: Option<&'a SqsOptions>,
) -> Option<&'a str> {
    let asked = options.and_then(|options| options.group.as_deref());
    let usual = || {
        let known = message.group.as_ref().or(message.event_type.as_ref());
        Arc::as_ref(known.unwrap_or(&message.id))
    };
    asked.or_else(|| queue.fifo.then(usual))
}

/// An id that SQS accepts: the text itself, or one derived from it.
fn id(text: &str) -> String {
    let fits =
        (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        text.to_owned()
    } else {
        stable_id(&["sqs", text])
    }
}

/// Divides messages into calls: at most ten each, within the size limit.
fn chunks(ready: Vec<Ready>, max_bytes: usize) -> Vec<Vec<Ready>> {
    let mut chunks: Vec<Vec<Ready>> = Vec::new();
    let mut bytes = 0;
    for message in ready {
        bytes += message.bytes;
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < BATCH && bytes <= max_bytes => chunk.push(message),
            _ => {
                bytes = message.bytes;
                chunks.push(vec![message]);
            }
        }
    }
    chunks
}

fn for_all(chunk: &[Ready], fault: &Fault) -> SendResults {
    chunk
        .iter()
        .map(|message| (message.place, Err(fault.clone())))
        .collect()
}

fn too_large(queue: &Queue, bytes: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!(
            "the message has {bytes} bytes with its attributes, over the limit of {} of the SQS queue `{}`; store the large part elsewhere and publish its location",
            queue.max_bytes, queue.name
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dispatch::MessageOptions;

    fn queue(fifo: bool) -> Queue {
        Queue {
            name: "orders".to_owned(),
            fifo,
            visibility: Duration::from_secs(30),
            max_bytes: 1_000,
            dead_letters: None,
        }
    }

    fn ready(queue: &Queue, message: &Message) -> Entry {
        match prepare(queue, 0, message) {
            Ok(ready) => ready.entry,
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn group_is_what_was_asked_for_or_belongs_together() {
        let plain = Message::new("m-1", *b"{}");
        let typed = plain.clone().with_event_type("order-created");
        let grouped = typed.clone().with_group("customer 7");
        let mut options = MessageOptions::default();
        options.insert(SqsOptions::new().group("mine").deduplication_id("d"));
        let asked = grouped.clone().with_options(options);
        let fifo = |message: &Message| ready(&queue(true), message);
        assert_eq!(fifo(&plain).message_group_id(), Some("m-1"));
        assert_eq!(fifo(&typed).message_group_id(), Some("order-created"));
        let hashed = id("customer 7");
        assert_eq!(
            fifo(&grouped).message_group_id(),
            Some(&*hashed),
            "no space can be in it"
        );
        assert_eq!(fifo(&asked).message_group_id(), Some("mine"));
        assert_eq!(fifo(&asked).message_deduplication_id(), Some("d"));
        assert_eq!(fifo(&plain).message_deduplication_id(), Some("m-1"));
        assert_eq!(ready(&queue(false), &grouped).message_group_id(), None);
    }

    #[test]
    fn delay_is_whole_seconds_and_only_of_standard_queues() {
        let message = Message::new("m", *b"{}").with_delay(Duration::from_millis(1_200));
        assert_eq!(ready(&queue(false), &message).delay_seconds(), Some(2));
        assert_eq!(ready(&queue(true), &message).delay_seconds(), None);
    }

    #[test]
    fn calls_have_ten_messages_and_no_more_bytes_than_the_queue_takes() {
        let queue = queue(false);
        let sized = |bytes: usize| prepare(&queue, 0, &Message::new("m", vec![b'1'; bytes]));
        let many = |bytes, count| (0..count).filter_map(|_| sized(bytes).ok()).collect();
        let lengths = |all: Vec<Vec<Ready>>| all.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(chunks(many(2, 23), 1_000)), [10, 10, 3]);
        assert_eq!(lengths(chunks(many(400, 5), 1_000)), [2, 2, 1]);
        assert!(sized(1_001).is_err());
    }
}
