//! What the log says of one run, and the rules that it must have kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::log::{Line, Log, What, Who};

/// The lines about one run, by what they say. Numbers are places in the log.
#[derive(Debug)]
pub(crate) struct History<'a> {
    log: &'a Log,
    /// The function and the event's key.
    pub(crate) subject: Option<(&'a str, &'a str)>,
    /// The first line of each drive.
    first: BTreeMap<Who, usize>,
    begins: Vec<Begin<'a>>,
    done: HashMap<&'a str, usize>,
    failed: BTreeSet<&'a str>,
    /// By step: what it returned, to whom, and where.
    returned: BTreeMap<&'a str, Vec<(usize, Who, &'a str)>>,
    ends: Vec<(usize, Who, &'a str)>,
    hooks: usize,
}

#[derive(Debug, Clone, Copy)]
struct Begin<'a> {
    place: usize,
    by: Who,
    step: &'a str,
    mark: &'a str,
}

/// An execution whose result was recorded, somewhere between `done` and `returned`.
#[derive(Debug, Clone, Copy)]
struct Record<'a> {
    step: &'a str,
    mark: &'a str,
    by: Who,
    done: usize,
    returned: usize,
}

impl<'a> History<'a> {
    pub(crate) fn read(log: &'a Log, places: &[usize]) -> Self {
        let mut history = Self {
            log,
            subject: None,
            first: BTreeMap::new(),
            begins: Vec::new(),
            done: HashMap::new(),
            failed: BTreeSet::new(),
            returned: BTreeMap::new(),
            ends: Vec::new(),
            hooks: 0,
        };
        for &place in places {
            history.add(place, &log.lines[place]);
        }
        history
    }

    fn add(&mut self, place: usize, line: &'a Line) {
        let by = line.who;
        if line.what != What::Hook {
            self.first.entry(by).or_insert(place);
        }
        match &line.what {
            What::Start { function, key } => self.subject = Some((function, key)),
            What::Begin(step, mark) => self.begins.push(Begin {
                place,
                by,
                step,
                mark,
            }),
            What::Done(_, mark) => drop(self.done.insert(mark, place)),
            What::Fail(_, mark) => drop((self.failed.insert(mark), self.done.insert(mark, place))),
            What::Returned(step, value) => self
                .returned
                .entry(step)
                .or_default()
                .push((place, by, value)),
            What::End(output) => self.ends.push((place, by, output)),
            What::Hook => self.hooks += 1,
            _ => {}
        }
    }

    /// What the run ended with, if it did.
    pub(crate) fn output(&self) -> Option<&'a str> {
        self.ends.first().map(|(.., output)| *output)
    }

    /// Every rule that was broken, in words.
    pub(crate) fn objections(&self) -> Vec<String> {
        let mut objections = self.one_value_for_each_step();
        objections.extend(self.recorded_run_twice());
        objections.extend(self.one_worker_at_a_time());
        objections.extend(self.sleeps_are_long_enough());
        objections.extend(self.undone_out_of_turn());
        let outputs: BTreeSet<_> = self.ends.iter().map(|(.., output)| output).collect();
        if outputs.len() > 1 {
            objections.push(format!("it ended in several ways: {outputs:?}"));
        }
        if self.hooks > 1 {
            objections.push(format!(
                "the hook heard {} times of its failure",
                self.hooks
            ));
        }
        objections
    }

    /// A step returns what was recorded first, whoever asks and whenever; so no second result was recorded.
    fn one_value_for_each_step(&self) -> Vec<String> {
        let differs = |returned: &[(usize, Who, &str)]| {
            returned.iter().any(|(.., value)| *value != returned[0].2)
        };
        let changed = self
            .returned
            .iter()
            .filter(|(_, returned)| differs(returned));
        changed
            .map(|(step, returned)| format!("{step} returned several values: {returned:?}"))
            .collect()
    }

    /// The steps that ran although their results were recorded, other than in the hands of a worker that had lost the
    /// run without knowing: one that had begun its drive before the result was recorded.
    pub(crate) fn recorded_run_twice(&self) -> Vec<String> {
        let wrong = |begin: &&Begin<'_>| {
            self.late(begin)
                .is_some_and(|returned| !self.may_be_behind(begin, returned))
        };
        self.begins
            .iter()
            .filter(wrong)
            .map(|begin| format!("{} ran again after it had returned", begin.step))
            .collect()
    }

    /// How many steps a worker without lease began after another had recorded them.
    pub(crate) fn begun_without_lease(&self) -> usize {
        self.begins
            .iter()
            .filter(|begin| self.late(begin).is_some())
            .count()
            - self.recorded_run_twice().len()
    }

    /// Where the step had returned for the first time, if that was before this execution.
    fn late(&self, begin: &Begin<'_>) -> Option<usize> {
        let (returned, ..) = *self.returned.get(begin.step)?.first()?;
        (returned < begin.place).then_some(returned)
    }

    /// Whether this execution's drive may have claimed the run before the step was recorded.
    fn may_be_behind(&self, begin: &Begin<'_>, returned: usize) -> bool {
        if self.returned[begin.step]
            .iter()
            .any(|(place, by, _)| *by == begin.by && *place < begin.place)
        {
            return false;
        }
        self.may_have_claimed_before(begin.by, returned)
    }

    /// Whether a drive may have claimed the run before this moment.
    fn may_have_claimed_before(&self, by: Who, moment: usize) -> bool {
        let first = self.first[&by];
        // It may have been stopped between the claim and its first line.
        let stops = self.log.stops.get(&by.0).map_or(&[][..], Vec::as_slice);
        first < moment
            || stops
                .iter()
                .any(|(from, to)| *from < first && (moment..first).contains(to))
    }

    /// What undoes a step begins when everything after that step is undone; from then on nothing of that is undone again, other than
    /// in the hands of a worker that had lost the run.
    fn undone_out_of_turn(&self) -> Vec<String> {
        let undone = self
            .begins
            .iter()
            .filter_map(|begin| Some((begin.step.strip_prefix("undo:")?, begin)));
        let mut first: BTreeMap<&str, &Begin<'_>> = BTreeMap::new();
        for (step, begin) in undone.clone() {
            first.entry(step).or_insert(begin);
        }
        let recorded = |step: &str| self.returned.get(step).map(|returned| returned[0].0);
        let mut objections = Vec::new();
        for (later, begin) in undone {
            for (earlier, next) in &first {
                if recorded(later) <= recorded(earlier) {
                    continue;
                }
                let is_again = begin.place > next.place;
                if is_again && !self.may_have_claimed_before(begin.by, next.place) {
                    objections.push(format!("{later} was undone after {earlier}"));
                }
                if !self.is_done_before(begin.step, next.place) {
                    objections.push(format!("{earlier} was undone before {later} was"));
                }
            }
        }
        objections
    }

    /// Whether some execution of this step was over at this moment.
    fn is_done_before(&self, step: &str, moment: usize) -> bool {
        let mut executions = self.begins.iter().filter(|begin| begin.step == step);
        executions.any(|begin| self.done.get(begin.mark).is_some_and(|done| *done < moment))
    }

    /// The results of each drive were recorded in one stretch of time, apart from those of all others; and once a
    /// drive has replayed a result of another, whose lease is therefore older, that one records nothing more.
    fn one_worker_at_a_time(&self) -> Vec<String> {
        let records = self.records();
        let mut objections = Vec::new();
        for b in &records {
            for before in records
                .iter()
                .filter(|a| a.by != b.by && a.returned < b.done)
            {
                if let Some(after) = records
                    .iter()
                    .find(|after| after.by == before.by && after.done > b.returned)
                {
                    objections.push(format!(
                        "{:?} recorded {} between {} and {} of {:?}",
                        b.by, b.step, before.step, after.step, before.by
                    ));
                }
            }
            for (replayer, since) in self.replayers(b) {
                if let Some(late) = records
                    .iter()
                    .find(|late| late.by == b.by && late.done > since)
                {
                    objections.push(format!(
                        "{:?} recorded {} although {replayer:?} had taken the run over",
                        late.by, late.step
                    ));
                }
            }
        }
        objections.sort();
        objections.dedup();
        objections
    }

    /// The drives of others that replayed this record, and since when they had the run at the latest.
    fn replayers(&self, record: &Record<'a>) -> impl Iterator<Item = (Who, usize)> {
        let by = record.by;
        self.returned[record.step]
            .iter()
            .filter(move |(_, who, _)| *who != by)
            .map(|(_, who, _)| (*who, self.first[who]))
    }

    fn records(&self) -> Vec<Record<'a>> {
        let marked = self.begins.iter().filter_map(|begin| {
            let (returned, ..) = *self
                .returned
                .get(begin.step)?
                .iter()
                .find(|(.., value)| *value == begin.mark)?;
            let done = *self.done.get(begin.mark)?;
            Some(Record {
                step: begin.step,
                mark: begin.mark,
                by: begin.by,
                done,
                returned,
            })
        });
        marked.collect()
    }

    /// `night` of the function `nap` lasts 3.5 s from when it is reached, which is after `before` has returned.
    fn sleeps_are_long_enough(&self) -> Option<String> {
        let at = |step: &str| {
            self.returned
                .get(step)
                .map(|returned| self.log.lines[returned[0].0].millis)
        };
        let slept = at("night")? - at("before")?;
        (slept < 3_500).then(|| format!("it slept for {slept} ms instead of 3500"))
    }

    pub(crate) fn drives(&self) -> usize {
        self.first.len()
    }

    /// How many recorded steps the run has.
    pub(crate) fn steps(&self) -> usize {
        self.records().len()
    }

    pub(crate) fn executions(&self) -> usize {
        self.begins.len()
    }

    /// Executions that neither failed nor were recorded: their process died or lost the run.
    pub(crate) fn run_twice(&self) -> usize {
        let recorded: BTreeSet<_> = self.records().iter().map(|record| record.mark).collect();
        let in_vain = |begin: &&Begin<'_>| {
            !recorded.contains(begin.mark) && !self.failed.contains(begin.mark)
        };
        self.begins.iter().filter(in_vain).count()
    }

    /// Drives that another process took over while their own was stopped.
    pub(crate) fn leases_lost(&self) -> usize {
        let lost = |(drive, first): &(&Who, &usize)| {
            let stops = self.log.stops.get(&drive.0).map_or(&[][..], Vec::as_slice);
            stops.iter().any(|(from, to)| {
                let ended = self
                    .ends
                    .iter()
                    .any(|(place, by, _)| by == *drive && place < from);
                let taken = self
                    .first
                    .iter()
                    .any(|(other, first)| other.0 != drive.0 && (from..to).contains(&first));
                *first < from && !ended && taken
            })
        };
        self.first.iter().filter(lost).count()
    }
}
