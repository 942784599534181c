//! Lets messages through one after another, as many at a time and in a while as its limits allow.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::time::span;

/// `parallelism=2, rate=10, period=1m`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// At most so many at a time.
    pub parallelism: Option<u32>,
    /// At most so many in a period.
    pub rate: Option<u32>,
    /// The period of the rate; a second if nothing else was said.
    pub period: Option<Duration>,
}

impl Limits {
    const LONGEST_PERIOD: Duration = Duration::from_secs(7 * 86_400);

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut limits = Self::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            limits.set(name.trim(), value.trim())?;
        }
        match limits {
            Self {
                parallelism: None,
                rate: None,
                ..
            } => Err(wrong()),
            _ => Ok(limits),
        }
    }

    /// Sets one of them as the API names them.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = value.parse().ok().filter(|number| *number > 0);
        match name {
            "parallelism" => self.parallelism = Some(number.ok_or_else(wrong)?),
            "rate" => self.rate = Some(number.ok_or_else(wrong)?),
            "period" => {
                let period = number.map(|seconds| Duration::from_secs(seconds.into()));
                let period = period.or_else(|| span(value)).ok_or_else(wrong)?;
                self.period = Some(period.min(Self::LONGEST_PERIOD));
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    pub(crate) fn period(&self) -> Duration {
        self.period.unwrap_or(Duration::from_secs(1))
    }
}

fn wrong() -> String {
    "Upstash-Flow-Control-Value should be either rate=X or parallelism=Y, or both, with period=Z"
        .to_owned()
}

/// A queue, or the messages of one flow control key.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) limits: Limits,
    /// What the API set, whatever messages say.
    pub(crate) pinned: Limits,
    pub(crate) paused: bool,
    pub(crate) waiting: VecDeque<u64>,
    pub(crate) active: u32,
    /// When the period began, and how many were let through in it.
    window: Option<(Instant, u32)>,
}

impl Lane {
    pub(crate) fn with(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    pub(crate) fn in_force(&self) -> Limits {
        let by_rate = if self.pinned.rate.is_some() {
            self.pinned
        } else {
            self.limits
        };
        Limits {
            parallelism: self.pinned.parallelism.or(self.limits.parallelism),
            ..by_rate
        }
    }

    /// Lets the next one through if there is one and room for it; `speed` shortens the period.
    pub(crate) fn next(&mut self, now: Instant, speed: f64) -> Option<u64> {
        let limits = self.in_force();
        let is_full = limits.parallelism.is_some_and(|most| self.active >= most);
        if self.paused || is_full || self.waiting.is_empty() || self.opens(now, speed).is_some() {
            return None;
        }
        self.active += 1;
        let (_, count) = self.window.get_or_insert((now, 0));
        *count += 1;
        self.waiting.pop_front()
    }

    /// When the rate lets the next one through, if it does not now. A period that is over is forgotten.
    pub(crate) fn opens(&mut self, now: Instant, speed: f64) -> Option<Instant> {
        let limits = self.in_force();
        let (start, count) = self.window?;
        let end = start + limits.period().div_f64(speed);
        if end <= now {
            self.window = None;
            return None;
        }
        limits.rate.filter(|most| count >= *most).map(|_| end)
    }

    /// One that was let through is done.
    pub(crate) fn leave(&mut self) {
        self.active = self.active.saturating_sub(1);
    }

    pub(crate) fn forget(&mut self, message: u64) {
        self.waiting.retain(|waiting| *waiting != message);
    }

    pub(crate) fn reset_rate(&mut self) {
        self.window = None;
    }

    pub(crate) fn rate_count(&self) -> u32 {
        self.window.map_or(0, |(_, count)| count)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::time::now, *};

    fn lane(limits: &str, waiting: u64) -> Lane {
        let mut lane = Lane::with(Limits::parse(limits).unwrap());
        lane.waiting.extend(0..waiting);
        lane
    }

    #[test]
    fn no_more_than_the_parallelism_pass_at_a_time() {
        let (mut lane, now) = (lane("parallelism=2", 3), now());
        let passed = [
            lane.next(now, 1.0),
            lane.next(now, 1.0),
            lane.next(now, 1.0),
        ];
        assert_eq!(passed, [Some(0), Some(1), None]);
        lane.leave();
        assert_eq!(lane.next(now, 1.0), Some(2));
    }

    #[test]
    fn no_more_than_the_rate_pass_in_a_period() {
        let (mut lane, now) = (lane("rate=1, period=1m", 2), now());
        assert_eq!(lane.next(now, 60.0), Some(0));
        assert_eq!(lane.next(now, 60.0), None);
        let opens = lane.opens(now, 60.0).unwrap();
        assert_eq!(opens - now, Duration::from_secs(1));
        assert_eq!(lane.next(opens, 60.0), Some(1));
    }

    #[test]
    fn limits_are_written_with_and_without_spaces() {
        let limits = Limits::parse("rate=10,parallelism=20,period=1m").unwrap();
        assert_eq!(
            limits,
            Limits::parse("parallelism=20, rate=10, period=60").unwrap()
        );
        for wrong in ["", "period=1m", "rate=0", "rate=x", "speed=1"] {
            assert!(Limits::parse(wrong).is_err(), "{wrong}");
        }
    }
}
