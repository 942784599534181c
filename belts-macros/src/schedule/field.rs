//! One field of a cron expression: what it may say, and what it selects.

/// A field and the numbers that it may have.
pub(super) struct Kind {
    /// As messages name a number of it.
    pub(super) one: &'static str,
    pub(super) least: usize,
    pub(super) most: usize,
    /// The names of its numbers, from the least on.
    names: &'static [&'static str],
}

pub(super) const SECOND: Kind = Kind::of("a second", 0, 59, &[]);
pub(super) const MINUTE: Kind = Kind::of("a minute", 0, 59, &[]);
pub(super) const HOUR: Kind = Kind::of("an hour", 0, 23, &[]);
pub(super) const DAY: Kind = Kind::of("a day of the month", 1, 31, &[]);
pub(super) const MONTH: Kind = Kind::of(
    "a month",
    1,
    12,
    &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
);
pub(super) const WEEKDAY: Kind = Kind::of(
    "a day of the week",
    0,
    7,
    &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
);

/// A part of a field, between commas.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Some of its numbers, and of weekdays the first to the fifth of a month only.
    Numbers(Vec<usize>, Option<usize>),
    /// `L`, in days: the last one.
    Last,
    /// `LW`: the last one from Monday to Friday.
    LastWorkday,
    /// `15W`: the nearest one from Monday to Friday.
    Nearest(usize),
    /// `5L`, in weekdays: the last one of the month.
    LastOf(usize),
}

impl Kind {
    const fn of(
        one: &'static str,
        least: usize,
        most: usize,
        names: &'static [&'static str],
    ) -> Self {
        Self {
            one,
            least,
            most,
            names,
        }
    }

    /// What it may be: `0-23`, `1-12 or JAN-DEC`.
    fn range(&self) -> String {
        let numbers = format!("{}-{}", self.least, self.most);
        match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!("{numbers} or {first}-{last}"),
            _ => numbers,
        }
    }

    fn is_day(&self) -> bool {
        self.most == DAY.most
    }

    fn is_weekday(&self) -> bool {
        self.most == WEEKDAY.most
    }

    /// Reads a field; the error says what is wrong, without the place.
    pub(super) fn read(&self, field: &str) -> Result<Vec<Item>, String> {
        field.split(',').map(|part| self.item(part)).collect()
    }

    fn item(&self, part: &str) -> Result<Item, String> {
        let part = part.to_ascii_uppercase();
        if part.is_empty() {
            return Err(
                "a comma has nothing beside it; remove it, or write what is missing".to_owned(),
            );
        }
        if let Some((range, step)) = part.split_once('/') {
            return self.steps(range, step);
        }
        if part == "*" || (part == "?" && (self.is_day() || self.is_weekday())) {
            return Ok(Item::Numbers((self.least..=self.most).collect(), None));
        }
        if self.is_day() {
            match part.as_str() {
                "L" => return Ok(Item::Last),
                "LW" => return Ok(Item::LastWorkday),
                _ => {}
            }
            if let Some(day) = part.strip_suffix('W') {
                return self.number(day).map(Item::Nearest);
            }
        }
        if self.is_weekday() {
            if part == "L" {
                return Err("`L` alone is no day of the week; write the last one of a kind, such as `5L` for the last Friday".to_owned());
            }
            if let Some((days, nth)) = part.split_once('#') {
                return self.nth(days, nth);
            }
            if let Some(day) = part.strip_suffix('L') {
                return self.number(day).map(|day| Item::LastOf(day % 7));
            }
        }
        if part.contains('#') {
            return Err(format!(
                "`{part}` counts weekdays, which stands in the last field only"
            ));
        }
        match part.split_once('-') {
            Some((first, last)) => Ok(Item::Numbers(self.between(first, last)?.collect(), None)),
            None => Ok(Item::Numbers(vec![self.number(&part)?], None)),
        }
    }

    /// `2#1`, `MON-FRI#1`.
    fn nth(&self, days: &str, nth: &str) -> Result<Item, String> {
        let days = match days.split_once('-') {
            Some((first, last)) => self.between(first, last)?.collect(),
            None => vec![self.number(days)?],
        };
        match nth.parse() {
            Ok(nth @ 1..=5) => Ok(Item::Numbers(days, Some(nth))),
            Ok(_) => Err(format!(
                "`#{nth}` counts beyond what a month has; write `#1` to `#5`, or `5L` for the last Friday"
            )),
            Err(_) if nth == "L" => Err("write `5L` for the last Friday, without `#`".to_owned()),
            Err(_) => Err(format!("`#{nth}` is not a number; write `#1` to `#5`")),
        }
    }

    /// `*/15`, `8-18/2`.
    fn steps(&self, range: &str, step: &str) -> Result<Item, String> {
        let (first, last) = match range {
            "*" => (self.least, self.most),
            "" => return Err(format!("`/{step}` steps from nowhere; write `*/{step}`")),
            _ => {
                let Some((first, last)) = range.split_once('-') else {
                    let first = self.number(range)?;
                    return Err(format!(
                        "`{range}/{step}` has no end; write `{first}-{}/{step}`",
                        self.most
                    ));
                };
                let range = self.between(first, last)?;
                (*range.start(), *range.end())
            }
        };
        let Ok(by) = step.parse::<usize>() else {
            return Err(format!(
                "`{step}` is no number of steps; write one, such as `*/15`"
            ));
        };
        if by == 0 {
            return Err("a step of `0` stays where it is; write `1` or more".to_owned());
        }
        if by > last - first && by > 1 {
            return Err(format!(
                "`{range}/{step}` steps over all but `{first}`; write that, or `every = \"…\"` for what does not fit the clock's hours"
            ));
        }
        Ok(Item::Numbers((first..=last).step_by(by).collect(), None))
    }

    fn between(&self, first: &str, last: &str) -> Result<std::ops::RangeInclusive<usize>, String> {
        let from = self.number(first)?;
        // Behind a dash Sunday is the end of the week.
        let to = if self.is_weekday() && last == "SUN" {
            7
        } else {
            self.number(last)?
        };
        if from > to {
            return Err(format!(
                "`{first}-{last}` runs backwards; write `{first}-{},{}-{last}`",
                self.most, self.least
            ));
        }
        Ok(from..=to)
    }

    fn number(&self, text: &str) -> Result<usize, String> {
        let named = self.names.iter().position(|name| *name == text);
        let number = named.map(|place| place + self.least).or_else(|| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits)
        });
        number
            .filter(|number| (self.least..=self.most).contains(number))
            .ok_or_else(|| format!("`{text}` is not {} ({})", self.one, self.range()))
    }
}
