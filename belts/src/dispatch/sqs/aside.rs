//! Where messages go that no try can help.

use super::{
    client::Link,
    queue::{self, Queue},
};

/// The group of a FIFO queue for messages set aside.
pub(super) const GROUP: &str = "belts-put-aside";

/// Where messages are set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Aside {
    /// In this queue, at once. SQS would move them there too, but only after as many receives as its policy says.
    DeadLetters(String),
    /// At the end of the same queue, in a separate group, so that they do not hold up their own group.
    Group,
    /// In the queue, hidden for as long as SQS allows.
    Hidden,
}

impl Aside {
    pub(super) fn choose(link: &Link, queue: &Queue) -> Self {
        let dead_letters = queue
            .dead_letters
            .as_deref()
            .and_then(|arn| queue::beside(&link.url, arn));
        if let Some(url) = dead_letters {
            return Self::DeadLetters(url);
        }
        tracing::warn!(
            queue = queue.name,
            "the SQS queue has no dead-letter queue: unreadable messages stay in it, set aside, until it drops them"
        );
        if queue.fifo {
            Self::Group
        } else {
            Self::Hidden
        }
    }

    /// Whether the whole message is needed to set it aside.
    pub(super) fn keeps(&self) -> bool {
        *self != Self::Hidden
    }

    /// Whether a message that was received had been set aside before.
    pub(super) fn has(&self, group: Option<&str>) -> bool {
        *self == Self::Group && group == Some(GROUP)
    }
}
