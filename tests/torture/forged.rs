//! Who judges the judge: logs of which each breaks one rule, and some that look wrong and are right.

use crate::{Failure, judge::judge, log::Log, plan::Expected};

/// A run that went well, before the parts that the cases change.
const START: &str = "0 1.1 start r laps e0\n";
const END: &str = "9 1.1 end r m0\n";

/// The middle of a log, with its story.
type Forged = (&'static str, String);

pub(crate) fn judge_objects_to_forged_logs() -> Result<String, Failure> {
    let expected = [Expected {
        function: "laps",
        key: "e0".into(),
        fails: false,
    }];
    let objections = |text: &str| Ok::<_, Failure>(judge(&Log::parse(text)?, &expected).objections);
    for (name, middle) in right() {
        let objections = objections(&format!("{START}{middle}{END}"))?;
        if !objections.is_empty() {
            return Err(format!("{name}: the judge objects without cause: {objections:?}").into());
        }
    }
    for (name, middle) in wrong() {
        if objections(&format!("{START}{middle}{END}"))?.is_empty() {
            return Err(format!("{name}: the judge does not object").into());
        }
    }
    let ends = [
        ("no end", START.to_owned()),
        ("no run", String::new()),
        ("a failure", format!("{START}9 1.1 end r failed\n")),
    ];
    for (name, text) in &ends {
        if objections(text)?.is_empty() {
            return Err(format!("{name}: the judge does not object").into());
        }
    }
    Ok(String::new())
}

/// A step that runs, is recorded and returns.
fn step(by: &str, step: &str, mark: &str) -> String {
    format!(
        "1 {by} begin r {step} {mark}\n2 {by} done r {step} {mark}\n3 {by} returned r {step} {mark}\n"
    )
}

/// Two steps of the first drive.
fn steps() -> (String, String) {
    (step("1.1", "a", "m0"), step("1.1", "b", "m1"))
}

const TAKEN_OVER: &str = "4 2.1 start r laps e0\n5 2.1 returned r a m0\n";

/// Logs that break no rule.
fn right() -> Vec<Forged> {
    let (a, b) = steps();
    vec![
        ("a run that went well", format!("{a}{b}")),
        (
            "a run that was taken over",
            format!("{a}{TAKEN_OVER}{}", step("2.1", "b", "m1")),
        ),
        (
            "a stopped worker that goes on with a step in vain",
            format!(
                "{a}{TAKEN_OVER}{}6 1.1 begin r b m2\n6 1.1 done r b m2\n",
                step("2.1", "b", "m1")
            ),
        ),
        (
            "a publish whose answer was lost",
            format!("0 test unanswered e0\n1 test published e0 duplicate\n{a}"),
        ),
        (
            "a publish that failed before another was the first",
            format!("0 test unanswered e0\n1 test published e0 new\n{a}"),
        ),
        (
            "a server that was restarted",
            format!(
                "{a}4 test restart kill\n4 test cut 7\n5 1.2 start r laps e0\n6 1.2 returned r a m0\n"
            ),
        ),
        (
            "a worker that was stopped between its claim and its first line",
            format!("{a}4 test stop 3\n5 test cont 3\n5 3.1 start r laps e0\n6 3.1 begin r a m2\n"),
        ),
        (
            "a run that was undone, the last step first, and one of them twice",
            format!(
                "{a}{b}{}4 2.1 start r laps e0\n{}{}",
                undo("1.1", "b", "u0"),
                undo("2.1", "b", "u1"),
                undo("2.1", "a", "u2")
            ),
        ),
        (
            "a stopped worker that goes on with an undo in vain",
            format!(
                "{a}{b}4 2.1 start r laps e0\n{}{}{}",
                undo("2.1", "b", "u1"),
                undo("2.1", "a", "u2"),
                undo("1.1", "b", "u0")
            ),
        ),
    ]
}

/// What undoes a step, without a trace of its record.
fn undo(by: &str, step: &str, mark: &str) -> String {
    format!("5 {by} begin r undo:{step} {mark}\n6 {by} done r undo:{step} {mark}\n")
}

/// Logs of which each breaks one.
fn wrong() -> Vec<Forged> {
    let (a, b) = steps();
    vec![
        (
            "a recorded step runs again",
            format!("{a}4 2.1 start r laps e0\n5 2.1 begin r a m1\n"),
        ),
        (
            "a recorded step runs again in the same drive",
            format!("{a}4 1.1 begin r a m1\n"),
        ),
        (
            "two results of one step",
            format!("{a}4 2.1 start r laps e0\n5 2.1 returned r a m1\n"),
        ),
        (
            "a result of a worker whose run was taken over",
            format!("{a}{TAKEN_OVER}{b}"),
        ),
        (
            "two workers in turn",
            format!(
                "{a}4 2.1 start r laps e0\n{}{}",
                step("2.1", "b", "m1"),
                step("1.1", "c", "m2")
            ),
        ),
        ("two ends", format!("{a}8 1.1 end r m7\n")),
        (
            "a failure heard twice",
            format!("{a}8 1.0 hook r\n9 1.0 hook r\n"),
        ),
        (
            "two runs for one publish",
            format!("{a}0 1.2 start r2 laps e0\n1 1.2 end r2 m0\n"),
        ),
        (
            "a run that nobody published",
            format!("{a}0 1.2 start r2 laps e7\n1 1.2 end r2 m0\n"),
        ),
        (
            "two firsts",
            format!("{a}1 test published e0 new\n1 test published e0 new\n"),
        ),
        (
            "two firsts, one of which failed before",
            format!("{a}0 test unanswered e0\n1 test published e0 new\n1 test published e0 new\n"),
        ),
        (
            "a publish that was the first for nobody",
            format!("{a}1 test published e0 duplicate\n1 test published e0 duplicate\n"),
        ),
        (
            "a recorded step runs again after the server was restarted",
            format!("{a}4 test restart kill\n5 1.2 start r laps e0\n6 1.2 begin r a m1\n"),
        ),
        (
            "a run that was undone, the first step first",
            format!("{a}{b}{}{}", undo("1.1", "a", "u0"), undo("1.1", "b", "u1")),
        ),
        (
            "a step that was undone before the undo of the next was over",
            format!("{a}{b}5 1.1 begin r undo:b u0\n{}", undo("1.1", "a", "u1")),
        ),
        (
            "a step that was undone again",
            format!(
                "{a}{b}{}{}6 2.1 start r laps e0\n{}",
                undo("1.1", "b", "u0"),
                undo("1.1", "a", "u1"),
                undo("2.1", "b", "u2")
            ),
        ),
        (
            "a short sleep",
            "1 1.1 returned r before m0\n3000 1.1 returned r night slept\n".to_owned(),
        ),
    ]
}
