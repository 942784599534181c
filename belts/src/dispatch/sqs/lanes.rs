//! How many polls are made at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::limits::BATCH;

/// The most polls at once.
const MOST_LANES: usize = 8;

/// How many polls to make at once: more after full ones. Several long polls would make the messages of the first wait
/// for the others, so only short polls run concurrently, and only when many messages are expected.
pub(super) struct Lanes(AtomicUsize);

impl Default for Lanes {
    fn default() -> Self {
        Self(AtomicUsize::new(1))
    }
}

impl Lanes {
    pub(super) fn open(&self, most: usize) -> usize {
        self.0.load(Ordering::Relaxed).min(most.div_ceil(BATCH))
    }

    /// Learns from a round of this many polls.
    pub(super) fn learn(&self, lanes: usize, messages: usize) {
        let next = match messages {
            0 => 1,
            many if 2 * many >= lanes * BATCH => (2 * lanes).min(MOST_LANES),
            _ => lanes,
        };
        self.0.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_grow_in_number_while_they_are_full() {
        let lanes = Lanes::default();
        assert_eq!(lanes.open(64), 1);
        lanes.learn(1, 10);
        lanes.learn(2, 15);
        assert_eq!(
            (lanes.open(64), lanes.open(11)),
            (4, 2),
            "no more than are asked for"
        );
        lanes.learn(4, 3);
        assert_eq!(lanes.open(64), 4);
        lanes.learn(4, 0);
        assert_eq!(lanes.open(64), 1);
    }
}
