//! How badly the mock behaves.

use std::time::Duration;

/// The faults of the mock; all are off by default. A change works on what happens after it.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Delivers again as soon as the answer came. The answer to the second delivery counts.
    pub deliver_twice: When,
    /// Delivers two times at the same moment. The answer to the second delivery counts.
    pub deliver_at_once: When,
    /// Delivers, and takes the answer for lost: the attempt has failed.
    pub lose_answer: When,
    /// Changes a bit of the body after it was signed.
    pub change_body: When,
    /// Has each delivery wait this long; no speed divides it.
    pub delay: Duration,
    /// Has each delivery wait a random time up to this, so that later messages overtake earlier ones.
    pub reorder: Duration,
    /// Refuses publishers.
    pub refuse: Option<Refusal>,
}

/// What a publisher is answered instead of success.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Which requests; attempts are counted from the moment that the fault was set.
    pub when: When,
    /// The status of the answer.
    pub status: u16,
    /// The headers of the answer.
    pub headers: Vec<(String, String)>,
    /// The message was taken nevertheless, and only the publisher does not know.
    pub accepted: bool,
}

impl Refusal {
    /// Answers with this status, and takes nothing.
    pub fn new(when: When, status: u16) -> Self {
        Self {
            when,
            status,
            headers: Vec::new(),
            accepted: false,
        }
    }

    /// The answer of the service to a publisher that is too fast.
    pub fn rate_limited(when: When, reset_seconds: u64) -> Self {
        let headers = [("limit", 100), ("remaining", 0), ("reset", reset_seconds)];
        let headers =
            headers.map(|(name, value)| (format!("burst-ratelimit-{name}"), value.to_string()));
        Self {
            headers: headers.into(),
            ..Self::new(when, 429)
        }
    }

    /// The same refusal, but the message is taken.
    #[must_use]
    pub fn but_accept(self) -> Self {
        Self {
            accepted: true,
            ..self
        }
    }
}

/// Which of the attempts a fault meets.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum When {
    /// None.
    #[default]
    Never,
    /// All.
    Always,
    /// So large a share of them, from 0 to 1, by the mock's seeded chance.
    Share(f64),
    /// Those with these numbers; the first attempt of a message has the number 0.
    Attempts(Vec<u32>),
    /// The next so many, whatever their number.
    Next(u32),
}

impl When {
    /// Whether the fault meets the attempt of this number.
    pub(crate) fn meets(&mut self, attempt: u32, random: &mut Random) -> bool {
        match self {
            Self::Always => true,
            Self::Share(share) => random.share() < *share,
            Self::Attempts(numbers) => numbers.contains(&attempt),
            Self::Never | Self::Next(0) => false,
            Self::Next(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// Chance that a seed repeats (`SplitMix64`).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number from 0 up to 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let top = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(0);
        f64::from(top) / (f64::from(u32::MAX) + 1.0)
    }
}
