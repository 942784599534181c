//! Signed messages that were accepted before: replaying a captured one reveals nothing.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use crate::{clock::Timestamp, signature::WINDOW_MILLIS};

/// How long a signature can be valid: its time may be as far ahead as behind.
const COUNTS: Duration = Duration::from_millis(2 * WINDOW_MILLIS);
/// The most messages that are remembered; the oldest is forgotten first.
const MOST: usize = 16 * 1024;

type Digest = [u8; 32];

/// The ids of recently accepted messages.
#[derive(Debug, Default)]
pub(crate) struct Replays(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    ids: HashSet<Digest>,
    /// The same, oldest first.
    order: VecDeque<(Timestamp, Digest)>,
}

impl Replays {
    /// Remembers an accepted message; returns whether it had been accepted before.
    pub(super) fn take(&self, id: &str, now: Timestamp) -> bool {
        let digest = Sha256::digest(id).into();
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.forget(now);
        if !taken.ids.insert(digest) {
            return true;
        }
        taken.order.push_back((now, digest));
        false
    }
}

impl Taken {
    fn forget(&mut self, now: Timestamp) {
        while let Some((at, digest)) = self.order.front().copied() {
            if self.order.len() < MOST && now.since(at) <= COUNTS {
                return;
            }
            self.order.pop_front();
            self.ids.remove(&digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_for_as_long_as_its_signature_counts() {
        let replays = Replays::default();
        let now = Timestamp::from_millis(1_800_000_000_000);
        assert!(!replays.take("msg_1", now));
        assert!(replays.take("msg_1", now.after(COUNTS)));
        let later = now.after(COUNTS + Duration::from_millis(1));
        assert!(!replays.take("msg_1", later));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let replays = Replays::default();
        let now = Timestamp::from_millis(1_800_000_000_000);
        for message in 0..=MOST {
            replays.take(&message.to_string(), now);
        }
        let taken = replays.0.lock().unwrap();
        assert_eq!((taken.ids.len(), taken.order.len()), (MOST, MOST));
    }
}
