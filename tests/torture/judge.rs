//! Proves from the log alone that the guarantees held.
//!
//! What the log cannot tell is when exactly a result was recorded: that lies between its `done` line and the first
//! `returned` line with its mark. And a worker that was stopped in the middle of a step goes on with it when it is
//! continued, although its lease has ended: that is allowed (at least once), as long as nothing of it is recorded.
//! The rules are such that neither makes a right log look wrong.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

use crate::{
    history::History,
    log::{Log, What},
    plan::Expected,
};

/// A rule that was broken, and by which run.
#[derive(Debug)]
pub(crate) struct Objection {
    pub(crate) run: Option<String>,
    pub(crate) text: String,
}

/// What the log says in numbers.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) published: usize,
    pub(crate) duplicates: usize,
    pub(crate) unanswered: usize,
    pub(crate) kills: usize,
    pub(crate) stops: usize,
    pub(crate) restarts: usize,
    pub(crate) cuts: usize,
    pub(crate) runs: usize,
    pub(crate) drives: usize,
    pub(crate) leases_lost: usize,
    pub(crate) steps: usize,
    pub(crate) executions: usize,
    pub(crate) run_twice: usize,
    pub(crate) begun_without_lease: usize,
    pub(crate) recorded_run_twice: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) objections: Vec<Objection>,
    pub(crate) figures: Figures,
}

/// Judges the whole log.
pub(crate) fn judge(log: &Log, expected: &[Expected]) -> Verdict {
    let mut verdict = Verdict::default();
    let histories: BTreeMap<&str, History<'_>> = log
        .runs
        .iter()
        .map(|(run, places)| (run.as_str(), History::read(log, places)))
        .collect();
    verdict.each_key_is_published_once(log);
    verdict.every_publish_has_its_run(&histories, expected);
    for (run, history) in &histories {
        for text in history.objections() {
            verdict.object(Some(run), text);
        }
        verdict.figures.count(history);
    }
    for line in &log.lines {
        verdict.figures.note(&line.what);
    }
    verdict
}

impl Verdict {
    fn object(&mut self, run: Option<&str>, text: String) {
        self.objections.push(Objection {
            run: run.map(str::to_owned),
            text,
        });
    }

    /// Of several publishes with one key, one began something and the others were duplicates; that one may be a publish
    /// whose answer was lost.
    fn each_key_is_published_once(&mut self, log: &Log) {
        let mut originals: HashMap<&str, usize> = HashMap::new();
        let mut unanswered: HashSet<&str> = HashSet::new();
        for line in &log.lines {
            match &line.what {
                What::Published { key, duplicate } => {
                    *originals.entry(key).or_default() += usize::from(!duplicate);
                    self.figures.published += 1;
                    self.figures.duplicates += usize::from(*duplicate);
                }
                What::Unanswered(key) => drop(unanswered.insert(key)),
                _ => {}
            }
        }
        for (key, times) in originals {
            let lost = times == 0 && unanswered.contains(key);
            if times != 1 && !lost {
                self.object(
                    None,
                    format!("{times} publishes of {key} say that they were the first"),
                );
            }
        }
    }

    /// Every publish that returned has one run of each of its functions, which ended as it should, and there are no
    /// others.
    fn every_publish_has_its_run(
        &mut self,
        histories: &BTreeMap<&str, History<'_>>,
        expected: &[Expected],
    ) {
        let mut missing: HashSet<(&str, &str)> = expected
            .iter()
            .map(|run| (run.function, run.key.as_str()))
            .collect();
        let fails: HashSet<&str> = expected
            .iter()
            .filter(|run| run.fails)
            .map(|run| run.function)
            .collect();
        for (run, history) in histories {
            let Some((function, key)) = history.subject else {
                self.object(Some(run), "it did something before it began".into());
                continue;
            };
            if !missing.remove(&(function, key)) {
                self.object(
                    Some(run),
                    format!("it is one run too many of {function} for {key}"),
                );
            }
            match history.output() {
                None => self.object(Some(run), format!("{function} for {key} never ended")),
                Some(output) if (output == "failed") != fails.contains(function) => {
                    self.object(
                        Some(run),
                        format!("{function} for {key} ended with {output}"),
                    );
                }
                Some(_) => {}
            }
        }
        for (function, key) in missing {
            self.object(None, format!("{function} never began for {key}"));
        }
    }
}

impl Figures {
    fn note(&mut self, what: &What) {
        match what {
            What::Kill(_) => self.kills += 1,
            What::Stop(_) => self.stops += 1,
            What::Restart => self.restarts += 1,
            What::Cut => self.cuts += 1,
            What::Unanswered(_) => self.unanswered += 1,
            _ => {}
        }
    }

    fn count(&mut self, history: &History<'_>) {
        self.runs += 1;
        self.drives += history.drives();
        self.leases_lost += history.leases_lost();
        self.steps += history.steps();
        self.executions += history.executions();
        self.run_twice += history.run_twice();
        self.begun_without_lease += history.begun_without_lease();
        self.recorded_run_twice += history.recorded_run_twice().len();
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills, {} stops, {} server restarts, {} connections cut; {} publishes ({} duplicates; {} more failed), {} runs in {} drives, {} leases lost by stopped workers; \
             {} steps, {} executions, {} run again because they were never recorded, {} begun by a worker without \
             lease, {} recorded steps run again",
            self.kills,
            self.stops,
            self.restarts,
            self.cuts,
            self.published,
            self.duplicates,
            self.unanswered,
            self.runs,
            self.drives,
            self.leases_lost,
            self.steps,
            self.executions,
            self.run_twice,
            self.begun_without_lease,
            self.recorded_run_twice
        )
    }
}
