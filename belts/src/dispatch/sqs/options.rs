//! A publisher's SQS options for one message.

use std::{collections::BTreeMap, fmt};

use crate::dispatch::MessageOption;

/// Options of one message for an [`Sqs`](super::Sqs) dispatcher; other dispatchers ignore them.
///
/// ```
/// use belts::dispatch::{Message, MessageOptions, SqsOptions};
///
/// let mut options = MessageOptions::default();
/// options.insert(SqsOptions::new().group("customer-7").attribute("tenant", "acme"));
/// let message = Message::new("order-17", *b"{}").with_options(options);
/// assert!(message.options.get::<SqsOptions>().is_some());
/// ```
///
/// Pass them to an event with [`Publish::option`](crate::Publish::option).
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use = "options have an effect only in a message"]
pub struct SqsOptions {
    pub(super) group: Option<String>,
    pub(super) deduplication_id: Option<String>,
    pub(super) attributes: BTreeMap<String, String>,
}

impl SqsOptions {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts the message into a group: on a FIFO queue the messages of one group are delivered in order, on a standard queue the groups
    /// share the workers fairly.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The deduplication id of a FIFO queue, which is remembered for five minutes; default the message's id. Standard queues do
    /// not deduplicate.
    pub fn deduplication_id(mut self, id: impl Into<String>) -> Self {
        self.deduplication_id = Some(id.into());
        self
    }

    /// Adds a text attribute, for subscribers and filters outside of belts; a message can have ten.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }
}

impl MessageOption for SqsOptions {}

impl fmt::Debug for SqsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may be user data.
        f.debug_struct("SqsOptions")
            .field("group", &self.group)
            .field("deduplication_id", &self.deduplication_id)
            .field("attributes", &self.attributes.keys())
            .finish()
    }
}
