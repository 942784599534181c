//! Times as written by people: `24h` for an age, or a date.

use jiff::civil::Date;

pub(crate) use crate::clock::duration;
use crate::{clock::Timestamp, plain::plain};

/// A time in the past, or an error that shows the accepted formats.
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(ago) = duration(text) {
        return Ok(now.before(ago));
    }
    let day = || {
        let _: Date = text.parse().ok().filter(|_| text.len() == 10)?;
        Timestamp::parse(&format!("{text}T00:00:00Z"))
    };
    Timestamp::parse(text).or_else(day).ok_or_else(|| {
        format!(
            "`{}` is not a time: write an age, such as `24h` or `30d`, or a date such as `2030-01-31` or \
             `2030-01-31T12:00:00Z`",
            plain(text)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_so_long_ago_or_a_date() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let day = 24 * 3600 * 1000;
        let right = [
            ("24h", 1_800_000_000_000 - day),
            ("30d", 1_800_000_000_000 - 30 * day),
            ("0s", 1_800_000_000_000),
            ("1h30m", 1_800_000_000_000 - 90 * 60 * 1000),
            ("1970-01-02", day),
            ("1970-01-02T00:00:01Z", day + 1000),
            ("1970-01-02T01:00:00+01:00", day),
            ("9999-12-31", 253_402_207_200_000),
        ];
        for (text, millis) in right {
            assert_eq!(
                moment(text, now),
                Ok(Timestamp::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "24",
            "-1h",
            "yesterday",
            "2030-13-01",
            "1mo\n",
            "2030-01-31T12:00",
        ] {
            let wrong = moment(text, now).expect_err(text);
            assert!(wrong.contains("such as `24h`"), "{wrong}");
        }
    }
}
