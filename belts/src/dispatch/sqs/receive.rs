//! Receives messages: one long poll while there are few, several short ones at once while there are many.

use std::{sync::Arc, time::Duration};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as Attribute};
use futures_util::future::join_all;

use super::{
    Fault, Sqs,
    body::{self, ENCODING},
    flight::Kept,
    limits::{BATCH, FURTHEST, whole_seconds},
};
use crate::{
    dispatch::{Delivery, Receipt},
    error::Result,
};

impl Sqs {
    pub(super) async fn receive_some(&self, most: usize) -> Result<Vec<Delivery>> {
        let inner = &self.inner;
        let lanes = inner.lanes.open(most);
        if lanes > 1 {
            let messages = self.poll_side_by_side(lanes, most).await?;
            inner.lanes.learn(lanes, messages.len());
            if !messages.is_empty() {
                return Ok(self.deliver(messages).await);
            }
        }
        if most == 0 {
            return Ok(Vec::new());
        }
        let polled = self.poll(most.min(BATCH), inner.wait).await;
        let messages = polled.map_err(|fault| self.error(&fault))?;
        inner.lanes.learn(1, messages.len());
        Ok(self.deliver(messages).await)
    }

    /// Polls that do not wait. Messages of one are kept if another fails.
    async fn poll_side_by_side(&self, lanes: usize, most: usize) -> Result<Vec<Message>> {
        let polls = (0..lanes).map(|lane| {
            let most = most.saturating_sub(lane * BATCH).min(BATCH);
            self.poll(most, Duration::ZERO)
        });
        let (mut messages, mut failed) = (Vec::new(), None);
        for polled in join_all(polls).await {
            match polled {
                Ok(some) => messages.extend(some),
                Err(fault) => failed = Some(fault),
            }
        }
        match failed {
            Some(fault) if messages.is_empty() => Err(self.error(&fault)),
            _ => Ok(messages),
        }
    }

    async fn poll(&self, most: usize, wait: Duration) -> Result<Vec<Message>, Fault> {
        let inner = &self.inner;
        // All of them, if they have to accompany the message when it is set aside.
        let attributes = if inner.aside.keeps() { "All" } else { ENCODING };
        let call = inner
            .link
            .poller
            .receive_message()
            .queue_url(&inner.link.url)
            .max_number_of_messages(i32::try_from(most).unwrap_or(1))
            .visibility_timeout(whole_seconds(inner.visibility))
            .wait_time_seconds(whole_seconds(wait))
            .message_system_attribute_names(Attribute::ApproximateReceiveCount)
            .message_system_attribute_names(Attribute::MessageGroupId)
            .message_attribute_names(attributes);
        let answer = call.send().await.map_err(Fault::of)?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Messages as deliveries. Those that were set aside before stay there.
    async fn deliver(&self, messages: Vec<Message>) -> Vec<Delivery> {
        let aside = &self.inner.aside;
        let (mut deliveries, mut kept, mut hidden) = (Vec::new(), Vec::new(), Vec::new());
        for message in messages {
            let handle: Arc<str> = message.receipt_handle().unwrap_or_default().into();
            let receipt = Receipt::new(Arc::clone(&handle));
            if aside.has(group(&message)) {
                hidden.push(receipt);
                continue;
            }
            deliveries.push(self.delivery(receipt, &message));
            if aside.keeps() {
                kept.push((handle, keep(message)));
            }
        }
        self.inner.flight.keep(kept);
        for receipt in hidden {
            if let Err(fault) = self.hide(&receipt, FURTHEST).await {
                tracing::debug!(
                    ?fault,
                    "a message that was set aside will be redelivered soon"
                );
            }
        }
        deliveries
    }

    fn delivery(&self, receipt: Receipt, message: &Message) -> Delivery {
        let id = message.message_id().unwrap_or_default();
        let text = message.body().unwrap_or_default();
        let arrivals = attribute(message, &Attribute::ApproximateReceiveCount);
        let arrivals = arrivals.and_then(|count| count.parse().ok()).unwrap_or(1);
        let body = body::read(text, message.message_attributes());
        let message_id = format!("{}/{id}", self.inner.queue.name);
        Delivery::new(receipt, message_id, body).with_arrivals(arrivals)
    }
}

fn keep(message: Message) -> Kept {
    Kept {
        group: group(&message).map(str::to_owned),
        message_id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        attributes: message.message_attributes.unwrap_or_default(),
    }
}

fn group(message: &Message) -> Option<&str> {
    attribute(message, &Attribute::MessageGroupId)
}

fn attribute<'a>(message: &'a Message, name: &Attribute) -> Option<&'a str> {
    message.attributes()?.get(name).map(String::as_str)
}
