//! Where messages go that no try can help.

use super::{
    client::Link,
    queue::{self, Queue},
};

/// The group of a FIFO queue that nobody waits for.
pub(super) const GROUP: &str = "belts-put-aside";

/// What becomes of a message that is put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Aside {
    /// It goes to this queue at once. SQS would move it there too, but only after it came again as often as its policy says.
    DeadLetters(String),
    /// It goes to the end of its queue, into a group of its own, so that it does not hold up the group that it was in.
    Group,
    /// It is hidden for as long as SQS hides a message.
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
            "the SQS queue has no dead-letter queue: messages that cannot be read stay in it, out of the way, until it drops them"
        );
        if queue.fifo {
            Self::Group
        } else {
            Self::Hidden
        }
    }

    /// Whether messages are needed whole when they are put aside.
    pub(super) fn keeps(&self) -> bool {
        *self != Self::Hidden
    }

    /// Whether a message that came was put aside before.
    pub(super) fn has(&self, group: Option<&str>) -> bool {
        *self == Self::Group && group == Some(GROUP)
    }
}
