//! Times and numbers as people read them.

use std::time::Duration;

use maud::{Markup, html};

use super::visit::Visit;
use crate::{
    clock::Timestamp,
    codec::Failure,
    inspect::shape::Time,
    plain::{grouped, plain},
    store::RunStatus,
};

/// The most characters of an error in a list.
const LONGEST_ERROR: usize = 240;

/// A moment as it is from now, with itself on hover; the script keeps it up to date.
pub(super) fn time(visit: &Visit, at: Time) -> Markup {
    html! {
        time datetime=(at.0) title=(clock(at)) { (relative(visit.now, at.0)) }
    }
}

/// The same, or nothing.
pub(super) fn time_or_none(visit: &Visit, at: Option<Time>) -> Markup {
    html! {
        @if let Some(at) = at { (time(visit, at)) } @else { span.none { "–" } }
    }
}

/// `2026-11-22 18:40:11 UTC`
pub(super) fn clock(at: Time) -> String {
    let text = at.0.to_string();
    let whole = text.split(['.', 'Z']).next().unwrap_or_default();
    format!("{} UTC", whole.replacen('T', " ", 1))
}

/// `3 min ago`, `in 2 h`; the script has the same words.
pub(super) fn relative(now: Timestamp, at: Timestamp) -> String {
    let (ago, ahead) = (now.since(at), at.since(now));
    let seconds = ago.max(ahead).as_secs();
    let text = match seconds {
        0..5 => return "now".to_owned(),
        5..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    };
    if ahead > ago {
        format!("in {text}")
    } else {
        format!("{text} ago")
    }
}

/// A length of time, to about two digits.
pub(super) fn took(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "<1 ms".to_owned(),
        1..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
        3_600_000..172_800_000 => format!(
            "{} h {} min",
            millis / 3_600_000,
            millis % 3_600_000 / 60_000
        ),
        _ => format!("{} d", millis / 86_400_000),
    }
}

/// `1,204`, or `1,000+` where no more were counted.
pub(super) fn counted(number: usize, most: usize) -> String {
    let more = if number >= most { "+" } else { "" };
    format!("{}{more}", grouped(number.min(most)))
}

pub(super) fn plural(number: usize, what: &str) -> String {
    format!(
        "{} {what}{}",
        grouped(number),
        if number == 1 { "" } else { "s" }
    )
}

/// A status, with its dot.
pub(super) fn status(status: RunStatus) -> Markup {
    html! { span.status data-is=(status) { (status) } }
}

/// An error in one line, cut to what a list has room for.
pub(super) fn short_error(failure: &Failure) -> String {
    let line = failure.report();
    match line.char_indices().nth(LONGEST_ERROR) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A text with what stands between backquotes as code.
pub(super) fn marked(text: &str) -> Markup {
    let text = plain(text);
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_from_now() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        for (seconds, text) in [
            (0, "now"),
            (-7, "7 s ago"),
            (7, "in 7 s"),
            (-61, "1 min ago"),
            (7_200, "in 2 h"),
            (-200_000, "2 d ago"),
        ] {
            let at = Timestamp::from_millis(now.as_millis() + seconds * 1000);
            assert_eq!(relative(now, at), text);
        }
        let at = Time(Timestamp::from_millis(1_800_000_000_123));
        assert_eq!(clock(at), "2027-01-15 08:00:00 UTC");
        assert_eq!(counted(1_000, 1_000), "1,000+");
        assert_eq!(took(Duration::from_millis(61_500)), "1 min 1 s");
    }
}
