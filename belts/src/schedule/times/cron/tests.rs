use super::*;

fn at(text: &str) -> Timestamp {
    let zoned: Moment = text.parse().expect(text);
    Timestamp::from_millis(zoned.as_millisecond())
}

/// The next moments after one, as local times with their offsets.
fn next(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let cron = Cron::new(expression, Some(zone)).expect(expression);
    let mut moment = at(after);
    let mut all = Vec::new();
    for _ in 0..count {
        moment = cron.after(moment).expect("a next moment");
        let local = Moment::from_millisecond(moment.as_millis())
            .expect("a moment")
            .to_zoned(cron.zone.clone());
        all.push(local.strftime("%m-%d %H:%M%:z").to_string());
    }
    all
}

#[test]
fn a_fixed_time_in_a_gap_runs_right_after_it() {
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2025-03-29T00:00:00Z", 3),
        [
            "03-29 02:30+01:00",
            "03-30 03:00+02:00",
            "03-31 02:30+02:00"
        ]
    );
    assert_eq!(
        next("30 2 * * *", "America/New_York", "2025-03-08T00:00:00Z", 3),
        [
            "03-08 02:30-05:00",
            "03-09 03:00-04:00",
            "03-10 02:30-04:00"
        ]
    );
    // Half an hour.
    assert_eq!(
        next(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2025-10-04T00:00:00Z",
            3
        ),
        [
            "10-05 02:30+11:00",
            "10-06 02:15+11:00",
            "10-07 02:15+11:00"
        ]
    );
    // A whole day: there was no 30 December.
    assert_eq!(
        next("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 4),
        [
            "12-29 09:00-10:00",
            "12-31 00:00+14:00",
            "12-31 09:00+14:00",
            "01-01 09:00+14:00"
        ]
    );
}

#[test]
fn a_fixed_time_that_comes_twice_runs_once() {
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2025-10-25T00:00:00Z", 3),
        [
            "10-25 02:30+02:00",
            "10-26 02:30+02:00",
            "10-27 02:30+01:00"
        ]
    );
    assert_eq!(
        next("30 1 * * *", "America/New_York", "2025-11-01T00:00:00Z", 3),
        [
            "11-01 01:30-04:00",
            "11-02 01:30-04:00",
            "11-03 01:30-05:00"
        ]
    );
    assert_eq!(
        next(
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2025-04-05T00:00:00Z",
            3
        ),
        [
            "04-06 01:45+11:00",
            "04-07 01:45+10:30",
            "04-08 01:45+10:30"
        ]
    );
}

#[test]
fn intervals_run_through() {
    assert_eq!(
        next("*/30 * * * *", "Europe/Berlin", "2025-03-30T00:20:00Z", 4),
        [
            "03-30 01:30+01:00",
            "03-30 03:00+02:00",
            "03-30 03:30+02:00",
            "03-30 04:00+02:00"
        ]
    );
    assert_eq!(
        next("*/30 * * * *", "Europe/Berlin", "2025-10-25T23:50:00Z", 6),
        [
            "10-26 02:00+02:00",
            "10-26 02:30+02:00",
            "10-26 02:00+01:00",
            "10-26 02:30+01:00",
            "10-26 03:00+01:00",
            "10-26 03:30+01:00"
        ]
    );
    assert_eq!(
        next(
            "*/30 * * * *",
            "America/New_York",
            "2025-11-02T05:20:00Z",
            4
        ),
        [
            "11-02 01:30-04:00",
            "11-02 01:00-05:00",
            "11-02 01:30-05:00",
            "11-02 02:00-05:00"
        ]
    );
    assert_eq!(
        next(
            "*/15 * * * *",
            "Australia/Lord_Howe",
            "2025-04-05T14:40:00Z",
            4
        ),
        [
            "04-06 01:45+11:00",
            "04-06 01:30+10:30",
            "04-06 01:45+10:30",
            "04-06 02:00+10:30"
        ]
    );
    assert_eq!(
        next("0 */6 * * *", "Pacific/Apia", "2011-12-30T03:00:00Z", 4),
        [
            "12-29 18:00-10:00",
            "12-31 00:00+14:00",
            "12-31 06:00+14:00",
            "12-31 12:00+14:00"
        ]
    );
    assert_eq!(
        next("30 * * * *", "Europe/Berlin", "2025-10-25T23:50:00Z", 4),
        [
            "10-26 02:30+02:00",
            "10-26 02:30+01:00",
            "10-26 03:30+01:00",
            "10-26 04:30+01:00"
        ]
    );
}

/// Over the change, each moment comes after the one before, also from any moment between.
#[test]
fn moments_come_in_order_wherever_one_begins() {
    for zone in [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
    ] {
        for expression in [
            "30 2 * * *",
            "*/30 * * * *",
            "0 0 * * *",
            "0 9 * * MON-FRI",
            "15 */2 L * *",
            "@daily",
        ] {
            let cron = Cron::new(expression, Some(zone)).expect(expression);
            for day in [
                "2011-12-29T00:00:00Z",
                "2025-03-08T00:00:00Z",
                "2025-03-29T00:00:00Z",
                "2025-04-05T00:00:00Z",
                "2025-10-04T00:00:00Z",
                "2025-10-25T00:00:00Z",
                "2025-11-01T00:00:00Z",
            ] {
                let begin = at(day);
                let mut moment = begin;
                let mut planned = Vec::new();
                while let Some(next) = cron
                    .after(moment)
                    .filter(|next| next.since(begin).as_secs() < 4 * 86_400)
                {
                    assert!(next > moment, "{expression} {zone} {day}");
                    planned.push(next);
                    moment = next;
                }
                for minutes in 0..(3 * 24 * 4) {
                    let from = begin.after(std::time::Duration::from_secs(minutes * 900 + 1));
                    let first = planned.iter().copied().find(|planned| *planned > from);
                    let found = cron
                        .after(from)
                        .filter(|next| next.since(begin).as_secs() < 4 * 86_400);
                    assert_eq!(found, first, "{expression} {zone} from {from}");
                }
            }
        }
    }
}

#[test]
fn what_never_fires_and_what_is_unknown_is_refused() {
    for (expression, zone, text) in [
        ("0 0 30 2 *", None, "never fire"),
        ("0 25 * * *", None, "is not a cron expression"),
        ("0 0 * * * * 2030", None, "is not a cron expression"),
        (
            "0 9 * * *",
            Some("Europe/Berlim"),
            "there is no time zone `Europe/Berlim`",
        ),
    ] {
        let error = Cron::new(expression, zone).expect_err(expression);
        assert!(error.to_string().contains(text), "{error}");
    }
}
