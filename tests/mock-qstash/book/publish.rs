//! Takes messages in: checks them, leaves duplicates out, and puts the rest in line.

use std::time::Duration;

use axum::{body::Bytes, http::StatusCode};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::Book;
use crate::{
    failed::Failed,
    message::{Message, Place, State},
    options::{Options, check_url},
    time::{millis, now},
    words::Words,
};

/// What a publisher sent.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) destination: String,
    pub(crate) queue: Option<String>,
    pub(crate) words: Words,
    pub(crate) body: Bytes,
    pub(crate) caller_ip: String,
    /// Of a callback: the message it tells of.
    pub(crate) source: Option<String>,
}

/// What became of it, as the publisher is told.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum Accepted {
    One(Taken),
    /// Of a URL group: one for each endpoint.
    Group(Vec<Taken>),
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Taken {
    pub(crate) message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deduplicated: bool,
}

/// A URL group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// A place of a URL group.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
pub(crate) struct Endpoint {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) url: String,
}

/// Where a message goes: what was published to, or an endpoint of it.
struct Destination<'a> {
    url: &'a str,
    group: Option<&'a str>,
    endpoint: Option<&'a str>,
}

impl Book {
    /// Takes a message for a URL, or one for each endpoint of a group.
    pub(crate) fn publish(&mut self, incoming: &Incoming) -> Result<Accepted, Failed> {
        let options = Options::read(&incoming.words)?;
        if let Some(queue) = &incoming.queue {
            check_name(queue)?;
        }
        if self.counts.pending >= self.settings.capacity {
            return Err(Failed::new(
                StatusCode::PRECONDITION_FAILED,
                "too many messages are waiting",
            ));
        }
        if incoming.destination.contains("://") {
            check_url(&incoming.destination)?;
            let place = Destination {
                url: &incoming.destination,
                group: None,
                endpoint: None,
            };
            return Ok(Accepted::One(self.take(incoming, &options, &place)));
        }
        let name = incoming.destination.trim_end_matches('/');
        let endpoints = self
            .groups
            .get(name)
            .ok_or_else(|| Failed::not_found(&format!("url group {name}")))?
            .endpoints
            .clone();
        let taken = endpoints.iter().map(|endpoint| {
            let place = Destination {
                url: &endpoint.url,
                group: Some(name),
                endpoint: endpoint.name.as_deref(),
            };
            self.take(incoming, &options, &place)
        });
        Ok(Accepted::Group(taken.collect()))
    }

    fn take(&mut self, incoming: &Incoming, options: &Options, place: &Destination<'_>) -> Taken {
        let url = place.group.map(|_| place.url.to_owned());
        let key = deduplication_key(incoming, options, place);
        if let Some(message_id) = key.as_ref().and_then(|key| self.earlier(key)) {
            self.counts.duplicates += 1;
            return Taken {
                message_id,
                url,
                deduplicated: true,
            };
        }
        let message = self.message_of(incoming, options, place);
        let message_id = message.id.clone();
        if let Some(key) = key {
            self.taken.insert(
                key,
                (message_id.clone(), now() + self.settings.deduplicate_for),
            );
        }
        self.enter(message);
        Taken {
            message_id,
            url,
            deduplicated: false,
        }
    }

    /// The message that keeps this one out.
    fn earlier(&self, key: &str) -> Option<String> {
        let (message, until) = self.taken.get(key)?;
        (*until > now()).then(|| message.clone())
    }

    fn message_of(
        &mut self,
        incoming: &Incoming,
        options: &Options,
        place: &Destination<'_>,
    ) -> Message {
        self.numbers.message += 1;
        let created_at = self.clock();
        let wait = wait(options, created_at);
        Message {
            id: format!("msg_{}{:08}", self.settings.ids, self.numbers.message),
            url: place.url.to_owned(),
            body: incoming.body.clone(),
            options: options.clone(),
            queue: incoming.queue.clone(),
            group: place.group.map(str::to_owned),
            endpoint: place.endpoint.map(str::to_owned),
            source: incoming.source.clone(),
            caller_ip: incoming.caller_ip.clone(),
            created_at,
            not_before: created_at + millis(wait),
            retried: 0,
            state: State::Waiting,
            given: incoming.words.clone(),
            place: Place::Timer,
            due: now() + self.settings.faster(wait),
            cancelling: false,
            open_callbacks: 0,
        }
    }

    fn enter(&mut self, message: Message) {
        let number = self.numbers.message;
        self.counts.messages += 1;
        self.counts.pending += 1;
        self.ids.insert(message.id.clone(), number);
        if let Some(flow) = &message.options.flow_control {
            // The newest message says what the limits are.
            self.flows.entry(flow.key.clone()).or_default().limits = flow.limits;
        }
        let (queue, due) = (message.queue.clone(), message.due);
        self.messages.insert(number, message);
        self.note(number, "CREATED", Some(self.due_millis(due)), None);
        match queue {
            Some(queue) => {
                self.place(number, Place::Queue);
                self.queue(&queue).lane.waiting.push_back(number);
            }
            None => self.wait_until(number, due),
        }
    }

    /// Puts the message among those that wait for their time; faults make it later.
    pub(super) fn wait_until(&mut self, number: u64, due: Instant) {
        let random = self.faults.reorder.mul_f64(self.random.share());
        let due = due + self.faults.delay + random;
        if let Some(message) = self.messages.get_mut(&number) {
            (message.place, message.due, message.state) = (Place::Timer, due, State::Waiting);
            self.timers.insert((due, number));
        }
    }
}

/// No plan of the service lets a message wait longer.
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 86_400);

/// How long a message has to wait. A time not before wins over a delay.
fn wait(options: &Options, now: u64) -> Duration {
    let until = options
        .not_before
        .map(|seconds| Duration::from_millis(seconds.saturating_mul(1_000).saturating_sub(now)));
    until
        .or(options.delay)
        .unwrap_or_default()
        .min(LONGEST_WAIT)
}

/// Two messages with the same key are one, for a while. In a group each endpoint has a key of its own.
fn deduplication_key(
    incoming: &Incoming,
    options: &Options,
    place: &Destination<'_>,
) -> Option<String> {
    let endpoint = place.group.map_or("", |_| place.url);
    if let Some(id) = &options.deduplication_id {
        return Some(format!("id {endpoint} {id}"));
    }
    options.content_based_deduplication.then(|| {
        let mut hash = Sha256::new();
        let headers = options
            .headers
            .iter()
            .flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        for part in [place.url.as_bytes(), &incoming.body]
            .into_iter()
            .chain(headers)
        {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        format!(
            "content {endpoint} {}",
            URL_SAFE_NO_PAD.encode(hash.finalize())
        )
    })
}

/// Queues and URL groups have names of few characters.
pub(crate) fn check_name(name: &str) -> Result<(), Failed> {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if !name.is_empty() && name.chars().all(fits) {
        return Ok(());
    }
    Err(Failed::bad_request(
        "a name has letters, digits, dots, hyphens and underscores only",
    ))
}
