//! The moments that a schedule names: by a cron expression in a time zone, or by a length of time.

use std::time::Duration;

use super::when::When;
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
};

/// The moments of a schedule, in order.
#[derive(Debug, Clone)]
pub(crate) enum Times {
    /// Every so many milliseconds, counted from the Unix epoch.
    Every(i64),
    #[cfg(feature = "schedules")]
    Cron(Box<cron::Cron>),
}

impl Times {
    /// # Errors
    /// The kind is [`Config`](ErrorKind::Config), and the text says what is wrong with the expression, the zone or the length.
    pub(crate) fn of(when: &When) -> Result<Self> {
        match when {
            When::Every(every) => Self::every(*every),
            #[cfg(feature = "schedules")]
            When::Cron { expression, zone } => {
                let cron = cron::Cron::new(expression, zone.as_deref())?;
                Ok(Self::Cron(Box::new(cron)))
            }
            #[cfg(not(feature = "schedules"))]
            When::Cron { expression, .. } => Err(wrong(format!(
                "the cron expression `{expression}` cannot be read without the feature `schedules` of belts; turn it on in Cargo.toml"
            ))),
        }
    }

    fn every(every: Duration) -> Result<Self> {
        let millis = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        if millis == 0 || Duration::from_millis(millis.unsigned_abs()) != every {
            return Err(wrong(format!(
                "a schedule cannot tick every {every:?}; write whole milliseconds, such as `15m` or `1s`"
            )));
        }
        Ok(Self::Every(millis))
    }

    /// The first moment after this one; `None` if there is none before the end of time.
    pub(crate) fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let next = match self {
            Self::Every(every) => {
                let millis = moment.as_millis().div_euclid(*every).checked_add(1)?;
                Some(Timestamp::from_millis(millis.checked_mul(*every)?))
            }
            #[cfg(feature = "schedules")]
            Self::Cron(cron) => cron.after(moment),
        };
        next.filter(|next| *next > moment && !next.is_never())
    }

    /// How many moments lie after `from` and not after `to`, and the last `most` of them in order. No more than
    /// [`COUNTED`] are counted.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp, most: usize) -> Passed {
        let mut passed = Passed::default();
        let mut start = from;
        if let Self::Every(every) = self {
            let count = to.as_millis().div_euclid(*every) - from.as_millis().div_euclid(*every);
            let skipped = count - i64::try_from(most).unwrap_or(i64::MAX);
            if skipped > 0 {
                passed.count = usize::try_from(skipped).unwrap_or(usize::MAX);
                let millis = (from.as_millis().div_euclid(*every) + skipped) * every;
                start = Timestamp::from_millis(millis);
            }
        }
        loop {
            while let Some(next) = self.after(start).filter(|next| *next <= to) {
                if passed.last.len() == most {
                    passed.last.pop_front();
                }
                passed.last.push_back(next);
                passed.count += 1;
                start = next;
                if passed.count >= COUNTED
                    && matches!(self.far(start, to), Some(far) if far > start)
                {
                    break;
                }
            }
            // So many that it would take long to count them: the last ones are looked for from the other end.
            match self.far(start, to) {
                Some(far) if passed.count >= COUNTED && far > start => start = far,
                _ => return passed,
            }
        }
    }

    /// A moment not long before `to`, from which the last ones can be counted. Lengths of time are not counted one by one.
    fn far(&self, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        match self {
            Self::Every(_) => None,
            #[cfg(feature = "schedules")]
            Self::Cron(_) => {
                let far = to.before(DAY);
                (far > from).then_some(far)
            }
        }
    }
}

/// How many moments of a cron expression are counted one by one.
pub(crate) const COUNTED: usize = 10_000;

/// Moments that have passed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) count: usize,
    /// The last of them.
    pub(crate) last: std::collections::VecDeque<Timestamp>,
}

fn wrong(text: String) -> Error {
    Error::new(ErrorKind::Config, text)
}

#[cfg(feature = "schedules")]
pub(crate) mod cron {
    //! Cron expressions, as croner reads them, on the zones that jiff brings.

    use croner::{
        JobType,
        parser::{CronParser, Seconds, Year},
    };
    use jiff::{
        Timestamp as Moment, Zoned,
        tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
    };

    use super::wrong;
    use crate::{clock::Timestamp, error::Result};

    /// A cron expression in a time zone.
    #[derive(Debug, Clone)]
    pub(crate) struct Cron {
        cron: croner::Cron,
        zone: TimeZone,
    }

    impl Cron {
        pub(crate) fn new(expression: &str, zone: Option<&str>) -> Result<Self> {
            let parser = CronParser::builder()
                .seconds(Seconds::Optional)
                .year(Year::Disallowed)
                .build();
            let cron = parser.parse(expression).map_err(|error| {
                let text = format!("`{expression}` is not a cron expression of five or six fields");
                wrong(text).with_source(error)
            })?;
            let zone = zone_of(zone)?;
            let read = Self { cron, zone };
            if read.after(Timestamp::from_millis(0)).is_none() {
                return Err(wrong(format!(
                    "the cron expression `{expression}` names no day that there is, so it would never fire"
                )));
            }
            Ok(read)
        }

        pub(super) fn after(&self, moment: Timestamp) -> Option<Timestamp> {
            let moment = Moment::from_millisecond(moment.clamped().as_millis()).ok()?;
            let from = Zoned::new(moment, self.zone.clone());
            let next = self.cron.find_next_occurrence(&from, false);
            let next = next.ok().or_else(|| self.over_a_long_gap(&from))?;
            Some(Timestamp::from_millis(next.timestamp().as_millisecond()))
        }

        /// The next moment where a zone skips a whole day, which is further than croner looks for the end of a gap.
        fn over_a_long_gap(&self, from: &Zoned) -> Option<Zoned> {
            let local = self
                .cron
                .find_next_occurrence(&from.datetime(), false)
                .ok()?;
            let ambiguous = self.zone.to_ambiguous_zoned(local);
            if !matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
                return None;
            }
            let change = self.zone.following(from.timestamp()).next()?;
            let behind = Zoned::new(change.timestamp(), self.zone.clone());
            match self.cron.determine_job_type() {
                JobType::FixedTime => Some(behind),
                JobType::IntervalWildcard => self.cron.find_next_occurrence(&behind, true).ok(),
            }
        }
    }

    /// The zone of this name in the database that is built in, so that all workers agree.
    fn zone_of(name: Option<&str>) -> Result<TimeZone> {
        let Some(name) = name else {
            return Ok(TimeZone::UTC);
        };
        TimeZoneDatabase::bundled().get(name).map_err(|error| {
            let text = format!("there is no time zone `{name}`; name it as IANA does, such as `Europe/Berlin`, or `UTC`");
            wrong(text).with_source(error)
        })
    }

    #[cfg(test)]
    mod tests;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn lengths_of_time_count_from_the_epoch() {
        let times = Times::of(&When::Every(Duration::from_secs(900))).expect("a length");
        assert_eq!(times.after(at(0)), Some(at(900_000)));
        assert_eq!(times.after(at(899_999)), Some(at(900_000)));
        assert_eq!(times.after(at(900_000)), Some(at(1_800_000)));
        assert_eq!(times.after(at(-1)), Some(at(0)));
        assert_eq!(times.after(at(i64::MAX)), None);
        for wrong in [Duration::ZERO, Duration::from_nanos(1)] {
            assert!(Times::of(&When::Every(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_year_of_seconds_is_counted_without_naming_each() {
        let times = Times::of(&When::Every(Duration::from_secs(1))).expect("a length");
        let passed = times.between(at(500), at(31_536_000_000), 3);
        assert_eq!(passed.count, 31_536_000);
        let last: Vec<_> = passed.last.into_iter().collect();
        assert_eq!(
            last,
            [at(31_535_998_000), at(31_535_999_000), at(31_536_000_000)]
        );
        assert_eq!(times.between(at(0), at(999), 3), Passed::default());
    }
}
