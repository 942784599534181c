//! Durations and backoffs as written in strings: `"1h30m"`, `"1s..60s"`.

use std::time::Duration;

const EXAMPLES: &str = "write whole numbers with their units, the largest first, such as `\"30s\"`, `\"1h30m\"` or `\"250ms\"` \
     (units: `d`, `h`, `m`, `s`, `ms`, `us`)";

/// The units, the largest first, each with its length in microseconds.
const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Reads a duration; the error is a whole message.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration; {EXAMPLES}");
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: u64 = 0;
    if text.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after, |c| c.is_ascii_alphabetic());
        let number: u64 = number.parse().map_err(|_| wrong())?;
        // The iterator moves on to ever smaller units, so a unit out of order is not found.
        let (_, micros) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        total = number
            .checked_mul(*micros)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| format!("`{text}` is too long"))?;
        rest = after;
    }
    Ok(Duration::from_micros(total))
}

/// Reads `first..max`; the error is a whole message.
pub(crate) fn parse_backoff(text: &str) -> Result<(Duration, Duration), String> {
    let (first, max) = text.split_once("..").ok_or_else(|| {
        format!("`{text}` is not a backoff; write the shortest and the longest wait, such as `\"1s..60s\"`")
    })?;
    let (first, max) = (parse(first.trim())?, parse(max.trim())?);
    if first > max {
        return Err(format!(
            "the backoff `{text}` decreases; write the shortest wait first"
        ));
    }
    Ok((first, max))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(
            parse("1d2h3m4s5ms6us"),
            Ok(Duration::from_micros(93_784_005_006))
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "30",
            "s",
            "30 s",
            "1.5s",
            "-1s",
            "1m1h",
            "1s1s",
            "1y",
            "30S",
            "99999999999999999999s",
            "9999999999d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_backoff_is_two_durations() {
        let wanted = (Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(parse_backoff("1s..60s"), Ok(wanted));
        assert_eq!(parse_backoff("1s .. 1m"), Ok(wanted));
        for text in ["1s", "1s..", "..1s", "60s..1s", "1s..=60s"] {
            assert!(parse_backoff(text).is_err(), "{text}");
        }
    }
}
