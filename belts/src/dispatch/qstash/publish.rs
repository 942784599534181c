//! Sending: one message as a request, several as one batch.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{Inner, client::pause, error, headers, headers::Headers, options::QstashOptions, urls};
use crate::{
    dispatch::{Message, Sent},
    error::{Error, ErrorKind, Result},
    id::stable_id,
};

/// The most messages, and about the most bytes, of one batch. The service documents no limit of the first, and a far higher one
/// of the second.
const MOST: usize = 100;
const MOST_BYTES: usize = 16 * 1024 * 1024;
const JSON: &str = "application/json";
/// Up to here a delay is waited for before the message is sent: the service counts in seconds, and a run that is handed on
/// after each step would lose one each time.
const WAITED_HERE: Duration = Duration::from_millis(20);

/// One message of a batch.
#[derive(Serialize)]
struct Item<'a> {
    destination: &'a str,
    headers: BTreeMap<&'a str, &'a str>,
    body: &'a str,
}

/// The service's response for one message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    message_id: Option<String>,
    #[serde(default)]
    deduplicated: bool,
    error: Option<String>,
}

/// A message that can be sent, and its index among the results.
struct Ready {
    place: usize,
    headers: Headers,
    body: Arc<[u8]>,
}

impl Inner {
    pub(super) async fn send(&self, messages: Vec<Message>) -> Result<Vec<Result<Sent>>> {
        let mut answers: Vec<Option<Result<Sent>>> = messages.iter().map(|_| None).collect();
        let mut ready = Vec::new();
        let short = messages.iter().map(|message| message.delay);
        if let Some(short) = short.filter(|delay| is_waited_here(*delay)).max() {
            pause(short).await;
        }
        for (place, message) in messages.iter().enumerate() {
            match self.headers(message) {
                Ok(headers) => ready.push(Ready {
                    place,
                    headers,
                    body: Arc::clone(&message.body),
                }),
                Err(error) => answers[place] = Some(Err(error)),
            }
        }
        // A batch contains only text.
        let (texts, others): (Vec<_>, Vec<_>) = ready
            .into_iter()
            .partition(|one| std::str::from_utf8(&one.body).is_ok());
        let batches = batches(texts).into_iter();
        let mut failed: Option<Error> = None;
        for batch in batches.chain(others.into_iter().map(|one| vec![one])) {
            let said = match (batch.as_slice(), &failed) {
                // They keep their order, so what comes after a batch that failed is not sent either.
                (batch, Some(error)) => batch.iter().map(|_| Err(error.same())).collect(),
                ([one], None) => vec![self.publish(one).await],
                (batch, None) => match self.publish_all(batch).await {
                    Ok(said) => said,
                    Err(error) if answers.iter().all(Option::is_none) => return Err(error),
                    Err(error) => {
                        let error = failed.insert(error);
                        batch.iter().map(|_| Err(error.same())).collect()
                    }
                },
            };
            for (one, said) in batch.iter().zip(said) {
                answers[one.place] = Some(said);
            }
        }
        let unanswered = || Err(self.client.place().misread());
        Ok(answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(unanswered))
            .collect())
    }

    /// The headers of a message, or why it cannot be sent.
    fn headers(&self, message: &Message) -> Result<Headers> {
        let size = message.body.len();
        if size > self.max_bytes {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the message has {size} bytes, over the limit of {} for QStash; store the large part elsewhere, or raise `max_bytes` as far as the plan allows",
                    self.max_bytes
                ),
            ));
        }
        let mut options = match message.options.get::<QstashOptions>() {
            Some(own) => own.over(&self.defaults),
            None => self.defaults.clone(),
        };
        if self.deduplicate && options.deduplication_id.is_none() {
            options.deduplication_id = Some(deduplication_id(&message.id));
        }
        let mut headers = headers::of(&options)
            .map_err(|wrong| error::config(format!("cannot send a message: {wrong}")))?;
        headers.push(("content-type".to_owned(), JSON.to_owned()));
        headers.push(("upstash-method".to_owned(), "POST".to_owned()));
        let delay = self.delay_of(message);
        if !delay.is_zero() && !is_waited_here(delay) {
            headers.push(("upstash-delay".to_owned(), headers::seconds(delay)));
        }
        Ok(headers)
    }

    /// A wake-up has its time, as does an event that was published with a delay.
    fn delay_of(&self, message: &Message) -> Duration {
        if message.delay.is_zero() && message.event_type.is_some() {
            self.delay
        } else {
            message.delay
        }
    }

    async fn publish(&self, one: &Ready) -> Result<Sent> {
        let url = urls::publish_url(self.client.base(), &self.destination);
        let answer = self
            .client
            .post(
                &url,
                map(&one.headers)?,
                axum::body::Bytes::from_owner(Arc::clone(&one.body)),
            )
            .await?;
        let said: Said =
            serde_json::from_slice(&answer.body).map_err(|_| self.client.place().misread())?;
        self.sent(said)
    }

    async fn publish_all(&self, batch: &[Ready]) -> Result<Vec<Result<Sent>>> {
        let items: Vec<_> = batch.iter().map(|one| self.item(one)).collect();
        let headers = map(&[("content-type".to_owned(), JSON.to_owned())])?;
        let url = format!("{}/v2/batch", self.client.base());
        let answer = self
            .client
            .post(&url, headers, crate::dispatch::wire::json(&items))
            .await?;
        let said: Vec<Said> =
            serde_json::from_slice(&answer.body).map_err(|_| self.client.place().misread())?;
        Ok(said.into_iter().map(|said| self.sent(said)).collect())
    }

    fn item<'a>(&'a self, one: &'a Ready) -> Item<'a> {
        let headers = one
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        Item {
            destination: &self.destination,
            headers: headers.collect(),
            body: std::str::from_utf8(&one.body).unwrap_or_default(),
        }
    }

    fn sent(&self, said: Said) -> Result<Sent> {
        match (said.message_id, said.error) {
            (Some(id), _) => Ok(Sent::new(id).duplicate(said.deduplicated)),
            (None, Some(error)) => Err(self.client.place().refused_one(&error)),
            (None, None) => Err(self.client.place().misread()),
        }
    }
}

fn is_waited_here(delay: Duration) -> bool {
    !delay.is_zero() && delay <= WAITED_HERE
}

/// Divides the messages into batches, in order.
fn batches(ready: Vec<Ready>) -> Vec<Vec<Ready>> {
    let mut batches: Vec<Vec<Ready>> = Vec::new();
    let mut bytes = 0;
    for one in ready {
        bytes += one.body.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < MOST && bytes <= MOST_BYTES => batch.push(one),
            _ => {
                bytes = one.body.len();
                batches.push(vec![one]);
            }
        }
    }
    batches
}

/// The message's id, or one derived from it if it is not allowed in a header.
fn deduplication_id(id: &str) -> String {
    if headers::is_value(id) {
        id.to_owned()
    } else {
        stable_id(&["qstash", id])
    }
}

fn map(headers: &[(String, String)]) -> Result<HeaderMap> {
    let mut map = HeaderMap::with_capacity(headers.len() + 1);
    for (name, value) in headers {
        let wrong = || error::config(format!("cannot send the header `{name}`"));
        let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        map.insert(
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?,
            value,
        );
    }
    Ok(map)
}
