use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Zoned, civil::date, tz::TimeZone, tz::TimeZoneDatabase};

use super::{cron::check, zone};

/// As the runtime reads it.
fn croner(expression: &str) -> Option<Cron> {
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    parser.parse(expression).ok()
}

fn fires(cron: &Cron) -> bool {
    let start: Zoned = date(2025, 1, 1).to_zoned(TimeZone::UTC).expect("a date");
    cron.find_next_occurrence(&start, false).is_ok()
}

#[test]
fn what_is_accepted_is_read_and_fires_at_run_time() {
    for expression in [
        "0 9 * * MON-FRI",
        "*/15 * * * *",
        "0 0 1 JAN *",
        "30 8-18/2 * * 1-5",
        "0 0 L * *",
        "0 0 LW * *",
        "0 0 15W * *",
        "0 0 * * 5L",
        "0 0 * * FRI#2",
        "0 0 * * MON-FRI#1",
        "0 0 29 2 *",
        "*/10 * * * * *",
        "0 0 12 ? * SUN",
        "0 0 ? * 7",
        "0 0 13 * FRI",
        "0 0 13 * +FRI",
        "@daily",
        "@HOURLY",
        "@weekly",
        "@monthly",
        "@yearly",
        "@annually",
        " 0 9  * * * ",
        "0 9 * jan-mar,DEC sat-sun",
        "0 0 31 * *",
        "5,10,20-30 * * * *",
        "0 0 * * 0",
        "59 23 31 12 6",
        "0 0 30 2 MON",
        "0 0 L 2 *",
        "0 0 1,15 * *",
    ] {
        assert_eq!(check(expression), Ok(()), "{expression}");
        let cron = croner(expression).unwrap_or_else(|| panic!("{expression}"));
        assert!(fires(&cron), "{expression}");
    }
}

#[test]
fn what_is_refused_names_the_field() {
    for (expression, wanted) in [
        (
            "0 25 * * *",
            "`25` is not an hour (0-23), field 2 of `0 25 * * *`",
        ),
        (
            "60 * * * *",
            "`60` is not a minute (0-59), field 1 of `60 * * * *`",
        ),
        (
            "0 0 0 * *",
            "`0` is not a day of the month (1-31), field 3 of `0 0 0 * *`",
        ),
        (
            "0 0 * 13 *",
            "`13` is not a month (1-12 or JAN-DEC), field 4 of `0 0 * 13 *`",
        ),
        (
            "0 0 * * 8",
            "`8` is not a day of the week (0-7 or SUN-SAT), field 5 of `0 0 * * 8`",
        ),
        (
            "0 0 25 * * *",
            "`25` is not an hour (0-23), field 3 of `0 0 25 * * *`",
        ),
        (
            "61 0 0 * * *",
            "`61` is not a second (0-59), field 1 of `61 0 0 * * *`",
        ),
        (
            "0 0 MON * *",
            "`MON` is not a day of the month (1-31), field 3 of `0 0 MON * *`",
        ),
        (
            "0 0 * * MONDAY",
            "`MONDAY` is not a day of the week (0-7 or SUN-SAT), field 5 of `0 0 * * MONDAY`",
        ),
        (
            "*/0 * * * *",
            "a step of `0` stays where it is; write `1` or more, field 1 of `*/0 * * * *`",
        ),
        (
            "5/15 * * * *",
            "`5/15` has no end; write `5-59/15`, field 1 of `5/15 * * * *`",
        ),
        (
            "/15 * * * *",
            "`/15` steps from nowhere; write `*/15`, field 1 of `/15 * * * *`",
        ),
        (
            "0 0 * * FRI-MON",
            "`FRI-MON` runs backwards; write `FRI-7,0-MON`, field 5 of `0 0 * * FRI-MON`",
        ),
        (
            "0 22-2 * * *",
            "`22-2` runs backwards; write `22-23,0-2`, field 2 of `0 22-2 * * *`",
        ),
        (
            "1,,2 * * * *",
            "a comma has nothing beside it; remove it, or write what is missing, field 1 of `1,,2 * * * *`",
        ),
        (
            "0 0 * * FRI#6",
            "`#6` counts beyond what a month has; write `#1` to `#5`, or `5L` for the last Friday, field 5 of `0 0 * * FRI#6`",
        ),
        (
            "0 ? * * *",
            "`?` is not an hour (0-23), field 2 of `0 ? * * *`",
        ),
        (
            "",
            "the cron expression is empty; write one, such as `0 9 * * MON-FRI`",
        ),
        (
            "0 0 30 2 *",
            "`0 0 30 2 *` never fires: no year has such a day; look at the day, the month and the weekday, fields 3 to 5",
        ),
        (
            "0 0 0 31 4,6,9,11 *",
            "`0 0 0 31 4,6,9,11 *` never fires: no year has such a day; look at the day, the month and the weekday, fields 4 to 6",
        ),
        (
            "@midnight",
            "there is no cron expression `@midnight`; write `@daily`",
        ),
        (
            "@dayly",
            "there is no cron expression `@dayly`; did you mean `@daily`? Known here: `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, `@annually`",
        ),
    ] {
        assert_eq!(check(expression), Err(wanted.to_owned()));
    }
    for (expression, part) in [
        ("* * * *", "has 4 fields"),
        ("0 0 * * * * 2030", "has 7 fields"),
        ("daily", "has 1 field;"),
    ] {
        let message = check(expression).expect_err(expression);
        assert!(message.contains(part), "{message}");
    }
}

/// Some thousand expressions made of parts, right and wrong ones.
#[test]
fn the_checker_and_the_crate_that_reads_at_run_time_agree() {
    let parts = |place: usize| -> &'static [&'static str] {
        match place {
            0 => &["*", "0", "59", "60", "*/7", "5-10", "10-5", "a", "1-70"],
            1 => &["*", "23", "24", "8-18/3", "*/24"],
            2 => &[
                "*", "?", "1", "31", "32", "0", "L", "LW", "31W", "30,31", "*/10", "L-3", "W",
            ],
            3 => &["*", "2", "4,6,9,11", "13", "FEB-APR"],
            _ => &[
                "*", "?", "0", "7", "8", "MON", "SAT-SUN", "5L", "2#5", "2#6", "+MON", "+TUE#1",
                "L#2", "1-3#2",
            ],
        }
    };
    // These croner takes, although they say nothing that anybody means.
    let lax = ["*/24"];
    let (mut right, mut wrong) = (0, 0);
    for minute in parts(0) {
        for hour in parts(1) {
            for day in parts(2) {
                for month in parts(3) {
                    for weekday in parts(4) {
                        let expression = format!("{minute} {hour} {day} {month} {weekday}");
                        if lax.iter().any(|lax| expression.contains(lax)) {
                            continue;
                        }
                        // Whether it fires depends on the last three fields; to search for what never comes takes long.
                        if (*minute, *hour) != ("0", "23") && (*month, *weekday) != ("*", "*") {
                            continue;
                        }
                        let reads = croner(&expression).is_some_and(|cron| fires(&cron));
                        assert_eq!(
                            check(&expression).is_ok(),
                            reads,
                            "{expression}: {:?}",
                            check(&expression)
                        );
                        *(if reads { &mut right } else { &mut wrong }) += 1;
                    }
                }
            }
        }
    }
    assert!(right > 200 && wrong > 200, "{right} {wrong}");
}

#[test]
fn the_zones_are_those_of_the_database_at_run_time() {
    let database = TimeZoneDatabase::bundled();
    let mut built_in: Vec<String> = database.available().map(|name| name.to_string()).collect();
    built_in.sort_unstable();
    let known: Vec<&str> = zone::names().collect();
    assert_eq!(
        known, built_in,
        "src/schedule/zones.txt should have these lines"
    );
}

#[test]
fn an_unknown_zone_is_answered_with_the_nearest() {
    for (name, part) in [
        ("Europe/Berlim", "did you mean `Europe/Berlin`?"),
        ("europe/berlin", "did you mean `Europe/Berlin`?"),
        ("New York", "did you mean `America/New_York`?"),
        ("Mars/Olympus_Mons", "name it as IANA does"),
        ("+02:00", "name it as IANA does"),
        ("", "name it as IANA does"),
    ] {
        let message = zone::check(name).expect_err(name);
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(zone::check("Europe/Berlin"), Ok(()));
    assert_eq!(zone::check("UTC"), Ok(()));
}
