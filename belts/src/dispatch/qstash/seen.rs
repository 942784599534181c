//! Used tokens, for as long as they are valid, and the message that each came with.
//!
//! A token signs the body but not the message's id, so anyone who intercepts a request could replay it under another id, and
//! an event without an id of its own would start once more. A token seen again stands for the message that it first came
//! with. That rejects nobody: the service may resend a token whose response was lost, with the same id.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::clock::Timestamp;

/// The most tokens that are remembered: they are valid for five minutes.
const MOST: usize = 50_000;

/// A digest that distinguishes a token from all others.
pub(super) type TokenId = [u8; 32];

/// The tokens of the last minutes.
#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<TokenId, First>>);

/// The first arrival of a token.
struct First {
    message_id: Arc<str>,
    expires_at: Timestamp,
}

impl Seen {
    /// The id of the message with which the token came first.
    pub(super) fn first(
        &self,
        token: TokenId,
        message_id: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Arc<str> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = all.get(&token) {
            return Arc::clone(&first.message_id);
        }
        if all.len() >= MOST {
            make_room(&mut all, now);
        }
        let message_id: Arc<str> = message_id.into();
        let first = First {
            message_id: Arc::clone(&message_id),
            expires_at,
        };
        all.insert(token, first);
        message_id
    }
}

/// Forgets expired tokens, and if that is not enough, the half that expires first.
fn make_room(all: &mut HashMap<TokenId, First>, now: Timestamp) {
    all.retain(|_, first| first.expires_at > now);
    if all.len() > MOST / 2 {
        let mut ends: Vec<_> = all.values().map(|first| first.expires_at).collect();
        ends.sort_unstable();
        let median = ends[ends.len() / 2];
        all.retain(|_, first| first.expires_at > median);
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: usize) -> TokenId {
        let mut token = [0; 32];
        token[..8].copy_from_slice(&number.to_be_bytes());
        token
    }

    #[test]
    fn token_stands_for_the_message_that_it_came_with_first() {
        let (seen, now) = (Seen::default(), Timestamp::from_millis(0));
        let first = |id: &str| seen.first(token(1), id, Timestamp::from_millis(300_000), now);
        assert_eq!(&*first("m-1"), "m-1");
        assert_eq!(&*first("m-2"), "m-1");
        assert_eq!(&*first("m-1"), "m-1");
    }

    #[test]
    fn memory_of_tokens_is_bounded() {
        let seen = Seen::default();
        for number in 0..3 * MOST {
            let at = Timestamp::from_millis(i64::try_from(number).expect("a small number"));
            // All at once first, so that none has expired, and then over a long time.
            let now = if number < 2 * MOST {
                Timestamp::from_millis(0)
            } else {
                at
            };
            seen.first(token(number), "m", at, now);
        }
        let all = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(all.len() <= MOST, "{}", all.len());
    }
}
