//! Puts messages aside that no try can help: out of the way of the others, and where the queue has a place for them, there.

use aws_sdk_sqs::types::MessageAttributeValue;

use super::{
    Fault, Sqs,
    aside::{Aside, GROUP},
    body::{self, Attributes, is_taken},
    flight::Kept,
    limits::FURTHEST,
};
use crate::dispatch::Receipt;

/// The attribute of a message in the dead-letter queue that says why it is there.
const REASON: &str = "belts-reason";

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// The most attributes of a message.
const MOST_ATTRIBUTES: usize = 10;

impl Sqs {
    /// Sets a message aside. It is deleted only once it is in its new place, so that none is lost; at worst there
    /// are two copies.
    pub(super) async fn put_aside(&self, receipt: &Receipt, reason: &str) -> Result<(), Fault> {
        let inner = &self.inner;
        let target = match &inner.aside {
            Aside::Hidden => return self.hide(receipt, FURTHEST).await,
            Aside::DeadLetters(url) => url,
            Aside::Group => &inner.link.url,
        };
        // A receipt from elsewhere: the policy of the queue deals with the message after enough receives.
        let Some(kept) = inner.flight.find(receipt.as_str()) else {
            return self.hide(receipt, inner.visibility).await;
        };
        self.copy(target, &kept, reason).await?;
        self.delete_one(receipt).await
    }

    async fn copy(&self, target: &str, kept: &Kept, reason: &str) -> Result<(), Fault> {
        let inner = &self.inner;
        let mut attributes = kept.attributes.clone();
        add_reason(&mut attributes, &kept.body, reason, inner.queue.max_bytes)?;
        let mut call = inner
            .link
            .client
            .send_message()
            .queue_url(target)
            .message_body(&kept.body)
            .set_message_attributes(Some(attributes));
        if inner.queue.fifo {
            let group = kept
                .group
                .as_deref()
                .filter(|_| inner.aside != Aside::Group);
            call = call
                .message_group_id(group.unwrap_or(GROUP))
                // The id that it has here, so that a repeated attempt within minutes leaves one copy.
                .message_deduplication_id(&kept.message_id);
        }
        call.send().await.map(drop).map_err(Fault::of)
    }
}

/// Adds the reason, if there is room for it.
fn add_reason(
    attributes: &mut Attributes,
    body: &str,
    reason: &str,
    max_bytes: usize,
) -> Result<(), Fault> {
    let reason: String = reason
        .chars()
        .filter(|it| is_taken(*it))
        .take(LONGEST_REASON)
        .collect();
    let more = REASON.len() + "String".len() + reason.len();
    let fits = body.len() + size(attributes) + more <= max_bytes;
    if fits && !reason.is_empty() && attributes.len() < MOST_ATTRIBUTES {
        attributes.insert(REASON.to_owned(), body::text(&reason)?);
    }
    Ok(())
}

/// The bytes of attributes, as SQS counts them.
pub(super) fn size(attributes: &Attributes) -> usize {
    let value = |value: &MessageAttributeValue| {
        let binary = value.binary_value().map_or(0, |it| it.as_ref().len());
        value.data_type().len() + value.string_value().map_or(binary, str::len)
    };
    attributes
        .iter()
        .map(|(name, it)| name.len() + value(it))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_added_where_there_is_room() {
        let mut attributes = Attributes::new();
        add_reason(&mut attributes, "{}", "not\u{0}JSON", 64).unwrap();
        let reason = attributes[REASON].string_value();
        assert_eq!(reason, Some("notJSON"));
        assert_eq!(size(&attributes), REASON.len() + 6 + 7);
        let mut full = Attributes::new();
        add_reason(&mut full, &"x".repeat(60), "not JSON", 64).unwrap();
        assert!(full.is_empty());
    }
}
