//! Reads the log back.

use std::collections::{BTreeMap, HashMap};

use crate::Failure;

/// Who wrote a line: a process and its drive of a run, or the test (process 0).
pub(crate) type Who = (u32, u32);

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) millis: i64,
    pub(crate) who: Who,
    pub(crate) what: What,
    text: String,
}

/// What a line says. The last word of the first four is the mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Begin(String, String),
    Done(String, String),
    Fail(String, String),
    Returned(String, String),
    Start {
        function: String,
        key: String,
    },
    End(String),
    Hook,
    Published {
        key: String,
        duplicate: bool,
    },
    /// A publish of this key failed, and may have been done all the same.
    Unanswered(String),
    Kill(u32),
    Stop(u32),
    Cont(u32),
    /// The server was ended, and started again.
    Restart,
    /// A connection with the server was cut.
    Cut,
    Other,
}

/// The lines in the order in which they were written; a place in it is a moment.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) lines: Vec<Line>,
    /// The places of each run's lines.
    pub(crate) runs: BTreeMap<String, Vec<usize>>,
    /// From where to where each process was stopped; a kill ends that too.
    pub(crate) stops: HashMap<u32, Vec<(usize, usize)>>,
}

impl Log {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut log = Self {
            lines: Vec::new(),
            runs: BTreeMap::new(),
            stops: HashMap::new(),
        };
        for (place, text) in text.lines().enumerate() {
            let (line, run) =
                parse(text).ok_or_else(|| format!("the log has a line that is none: {text:?}"))?;
            if let Some(run) = run {
                log.runs.entry(run).or_default().push(place);
            }
            match line.what {
                What::Stop(pid) => log.stops.entry(pid).or_default().push((place, usize::MAX)),
                What::Cont(pid) | What::Kill(pid) => {
                    if let Some((_, end)) =
                        log.stops.get_mut(&pid).and_then(|stops| stops.last_mut())
                    {
                        *end = place.min(*end);
                    }
                }
                _ => {}
            }
            log.lines.push(line);
        }
        Ok(log)
    }

    /// The last lines about a run, with what the test did meanwhile; of everything where there is no run.
    pub(crate) fn tail(&self, run: Option<&str>, count: usize) -> String {
        let places: Vec<usize> = match run.and_then(|run| self.runs.get(run)) {
            Some(places) => {
                let (first, last) = (places[0], places[places.len() - 1]);
                let acts = |what: &What| {
                    matches!(
                        what,
                        What::Kill(_) | What::Stop(_) | What::Cont(_) | What::Restart
                    )
                };
                (first..=last)
                    .filter(|place| places.contains(place) || acts(&self.lines[*place].what))
                    .collect()
            }
            None => (0..self.lines.len()).collect(),
        };
        let tail: Vec<_> = places
            .iter()
            .rev()
            .take(count)
            .rev()
            .map(|place| &*self.lines[*place].text)
            .collect();
        tail.join("\n")
    }
}

fn parse(text: &str) -> Option<(Line, Option<String>)> {
    let mut words = text.split(' ');
    let millis = words.next()?.parse().ok()?;
    let who = match words.next()? {
        "test" => (0, 0),
        who => {
            let (pid, drive) = who.split_once('.')?;
            (pid.parse().ok()?, drive.parse().ok()?)
        }
    };
    let verb = words.next()?;
    let mut next = || words.next().map(str::to_owned);
    let subject = next()?;
    let (what, is_run) = match verb {
        "begin" => (What::Begin(next()?, next()?), true),
        "done" => (What::Done(next()?, next()?), true),
        "fail" => (What::Fail(next()?, next()?), true),
        "returned" => (What::Returned(next()?, next()?), true),
        "start" => (
            What::Start {
                function: next()?,
                key: next()?,
            },
            true,
        ),
        "end" => (What::End(next()?), true),
        "hook" => (What::Hook, true),
        "published" => (
            What::Published {
                key: subject.clone(),
                duplicate: next()? == "duplicate",
            },
            false,
        ),
        "unanswered" => (What::Unanswered(subject.clone()), false),
        "restart" => (What::Restart, false),
        "cut" => (What::Cut, false),
        "kill" => (What::Kill(subject.parse().ok()?), false),
        "stop" => (What::Stop(subject.parse().ok()?), false),
        "cont" => (What::Cont(subject.parse().ok()?), false),
        _ => (What::Other, false),
    };
    let line = Line {
        millis,
        who,
        what,
        text: text.to_owned(),
    };
    Some((line, is_run.then_some(subject)))
}
