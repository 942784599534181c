//! On which days a cron expression fires, so that one that never does is seen.

use super::field::Item;

/// The days that the last three fields of an expression select.
#[derive(Debug)]
pub(super) struct Days {
    pub(super) of_month: Vec<Item>,
    pub(super) months: Vec<usize>,
    pub(super) weekdays: Vec<Item>,
    /// Whether the field of days, and that of weekdays, is `*`.
    pub(super) any_day: bool,
    pub(super) any_weekday: bool,
    /// Whether a day has to be selected by both, instead of by one.
    pub(super) both: bool,
}

impl Days {
    /// Whether there is such a day: after 28 years the calendar repeats, between the centuries that are no leap years.
    pub(super) fn are_any(&self) -> bool {
        // 1 January 2001 was a Monday.
        let mut weekday = 1;
        for year in 2001..2029 {
            for month in 1..=12 {
                let length = length(year, month);
                for day in 1..=length {
                    if self.months.contains(&month) && self.has(day, weekday, length) {
                        return true;
                    }
                    weekday = (weekday + 1) % 7;
                }
            }
        }
        false
    }

    fn has(&self, day: usize, weekday: usize, length: usize) -> bool {
        let by_day = self
            .of_month
            .iter()
            .any(|item| is_day(item, day, weekday, length));
        let by_weekday = self
            .weekdays
            .iter()
            .any(|item| is_weekday(item, day, weekday, length));
        match (self.any_day, self.any_weekday) {
            (true, true) => true,
            (true, false) => by_weekday,
            (false, true) => by_day,
            (false, false) if self.both => by_day && by_weekday,
            (false, false) => by_day || by_weekday,
        }
    }
}

fn length(year: usize, month: usize) -> usize {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        _ => 31,
    }
}

fn is_day(item: &Item, day: usize, weekday: usize, length: usize) -> bool {
    let weekday_of = |other: usize| (weekday + 7 * 5 + other - day) % 7;
    match item {
        Item::Numbers(days, _) => days.contains(&day),
        Item::Last => day == length,
        Item::LastWorkday => day == workday_near(length, weekday_of(length), length),
        Item::Nearest(near) => {
            *near <= length && day == workday_near(*near, weekday_of(*near), length)
        }
        Item::LastOf(_) => false,
    }
}

/// The day from Monday to Friday that is nearest to this one, in its month.
fn workday_near(day: usize, weekday: usize, length: usize) -> usize {
    match weekday {
        6 if day > 1 => day - 1,
        6 => day + 2,
        0 if day < length => day + 1,
        0 => day - 2,
        _ => day,
    }
}

fn is_weekday(item: &Item, day: usize, weekday: usize, length: usize) -> bool {
    match item {
        Item::Numbers(days, nth) => {
            days.iter().any(|other| other % 7 == weekday)
                && nth.is_none_or(|nth| day.div_ceil(7) == nth)
        }
        Item::LastOf(other) => *other == weekday && day + 7 > length,
        _ => false,
    }
}
