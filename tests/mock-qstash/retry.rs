//! What an answer means for its message, and how long the pause before the next attempt is.

use std::time::{Duration, SystemTime};

use super::{inspect::Answer, options::Options, settings::Settings, time::go_duration};

/// What becomes of a message after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Delivered,
    Failed,
    /// It is tried again after this pause.
    Again(Duration),
}

const A_DAY: Duration = Duration::from_secs(86_400);

/// The verdict over an attempt that came after `retried` retries.
pub(crate) fn verdict(
    answer: Option<&Answer>,
    options: &Options,
    retried: u32,
    settings: &Settings,
) -> Verdict {
    match answer {
        Some(answer) if (200..300).contains(&answer.status) => Verdict::Delivered,
        Some(answer) if is_final(answer) => Verdict::Failed,
        _ if retried >= options.retries => Verdict::Failed,
        _ => Verdict::Again(pause(answer, options, retried, settings)),
    }
}

/// The status and the header belong together; one without the other is a failure like others.
fn is_final(answer: &Answer) -> bool {
    let header = answer.header("upstash-nonretryable-error");
    answer.status == 489 && header.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn pause(
    answer: Option<&Answer>,
    options: &Options,
    retried: u32,
    settings: &Settings,
) -> Duration {
    let asked = answer.and_then(|answer| asked(answer, (settings.clock)()));
    let own = options
        .retry_delay
        .as_ref()
        .map(|expression| expression.delay(retried));
    match (asked.or(own), settings.backoff) {
        (Some(wanted), _) => settings.faster(wanted),
        (None, Some(fixed)) => fixed,
        (None, None) => settings.faster(exponential(retried)),
    }
}

/// 12 s, 2 m 28 s, 30 m 8 s and so on, up to a day.
fn exponential(retried: u32) -> Duration {
    let seconds = (2.5 * f64::from(retried + 1)).exp().floor();
    Duration::from_secs_f64(seconds.min(A_DAY.as_secs_f64()))
}

/// The pause that the answer asks for. What is more than a day away is not heard.
fn asked(answer: &Answer, now: u64) -> Option<Duration> {
    const HEADERS: [&str; 4] = [
        "retry-after",
        "x-ratelimit-reset",
        "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
    ];
    let values = HEADERS.iter().filter_map(|name| answer.header(name));
    values
        .filter_map(|value| wait(value.trim(), now))
        .find(|pause| *pause <= A_DAY)
}

/// Seconds, a date, or a duration as Go writes it.
fn wait(value: &str, now: u64) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    go_duration(value).or_else(|| {
        let date = httpdate::parse_http_date(value).ok()?;
        let since_1970 = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(since_1970.saturating_sub(Duration::from_millis(now)))
    })
}

#[cfg(test)]
mod tests {
    use axum::{body::Bytes, http::HeaderMap};

    use super::{super::words::Words, *};

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Answer {
            status,
            headers: headers.collect::<HeaderMap>(),
            body: Bytes::new(),
        }
    }

    fn after(answer: Option<&Answer>, words: &[(&str, &str)], retried: u32) -> Verdict {
        let mut given = Words::default();
        for (name, value) in words {
            given.set(name, value);
        }
        let settings = Settings::default().clock(|| 1_445_412_000_000);
        verdict(answer, &Options::read(&given).unwrap(), retried, &settings)
    }

    fn seconds(seconds: u64) -> Verdict {
        Verdict::Again(Duration::from_secs(seconds))
    }

    #[test]
    fn any_2xx_is_success_and_all_else_is_retried() {
        assert_eq!(after(Some(&answer(204, &[])), &[], 0), Verdict::Delivered);
        for status in [199, 301, 400, 404, 489, 500] {
            assert_eq!(
                after(Some(&answer(status, &[])), &[], 0),
                seconds(12),
                "{status}"
            );
        }
        assert_eq!(after(None, &[], 0), seconds(12));
    }

    #[test]
    fn only_489_with_its_header_ends_a_message() {
        let header = ("upstash-nonretryable-error", "true");
        assert_eq!(
            after(Some(&answer(489, &[header])), &[], 0),
            Verdict::Failed
        );
        assert_eq!(after(Some(&answer(500, &[header])), &[], 0), seconds(12));
    }

    #[test]
    fn retries_are_counted_from_the_first_attempt() {
        assert_eq!(after(None, &[("retries", "0")], 0), Verdict::Failed);
        assert_eq!(after(None, &[], 2), seconds(1_808));
        assert_eq!(after(None, &[], 3), Verdict::Failed);
        assert_eq!(after(None, &[("retries", "9")], 4), seconds(86_400));
    }

    #[test]
    fn the_answer_may_ask_for_a_pause_of_at_most_a_day() {
        let own = [("retry-delay", "7000")];
        let pause = |name, value| after(Some(&answer(503, &[(name, value)])), &own, 0);
        assert_eq!(pause("retry-after", "5"), seconds(5));
        assert_eq!(
            pause("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"),
            seconds(480)
        );
        assert_eq!(
            pause("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT"),
            seconds(0)
        );
        assert_eq!(pause("x-ratelimit-reset", "6m5s"), seconds(365));
        assert_eq!(pause("x-ratelimit-reset-requests", "3"), seconds(3));
        assert_eq!(pause("x-ratelimit-reset-tokens", "4"), seconds(4));
        assert_eq!(pause("retry-after", "86401"), seconds(7));
        assert_eq!(pause("retry-after", "soon"), seconds(7));
    }
}
