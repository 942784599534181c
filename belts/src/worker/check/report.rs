//! What a check has found, function by function.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::{self, Write as _},
    sync::Arc,
};

use super::verdict::Verdict;
use crate::plain::{grouped, plain};

/// How many concerns of one kind are printed of a function.
const SHOWN: usize = 10;

/// How many are kept: keys that are made while a function runs may be as many as its runs.
const KEPT: usize = 1_000;

/// What a [check](crate::Worker::check) has found. Its `Display` is what `BELTS_CHECK=1` prints.
#[derive(Debug, Default)]
pub struct CheckReport {
    pub(super) functions: Vec<CheckedFunction>,
}

/// What a check has found of one function.
#[derive(Debug)]
pub struct CheckedFunction {
    pub(super) function_id: Arc<str>,
    pub(super) runs: usize,
    pub(super) failing: usize,
    /// How many of those that would go on have something recorded that was not tried.
    pub(super) untried: usize,
    pub(super) more: bool,
    pub(super) builds: BTreeMap<Arc<str>, usize>,
    pub(super) fails: Concerns,
    pub(super) ignored: Concerns,
    pub(super) behind: Concerns,
    pub(super) notes: Concerns,
}

/// Something that a check has found of some runs of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    text: String,
    runs: usize,
    example: Arc<str>,
}

impl Concern {
    /// What it is about: why runs would fail, or the path of what would be ignored.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many of the runs have it.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// The id of one of them.
    pub fn example(&self) -> &str {
        &self.example
    }
}

/// Concerns by what they say, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Concerns {
    all: Vec<Concern>,
    places: HashMap<String, usize>,
    /// Whether there were more than are kept.
    has_more: bool,
}

impl Concerns {
    fn add(&mut self, text: &str, run_id: &Arc<str>) {
        if let Some(place) = self.places.get(text) {
            self.all[*place].runs += 1;
        } else if self.all.len() < KEPT {
            self.places.insert(text.to_owned(), self.all.len());
            self.all.push(Concern {
                text: text.to_owned(),
                runs: 1,
                example: Arc::clone(run_id),
            });
        } else {
            self.has_more = true;
        }
    }
}

impl CheckReport {
    /// The functions that have runs in flight, sorted by id.
    pub fn functions(&self) -> &[CheckedFunction] {
        &self.functions
    }

    /// How many runs were checked.
    pub fn runs(&self) -> usize {
        self.functions.iter().map(|function| function.runs).sum()
    }

    /// How many of them would not go on with this code.
    pub fn failing(&self) -> usize {
        self.functions.iter().map(|function| function.failing).sum()
    }

    /// Whether all of them would go on. Runs that were not checked do not count: see [`is_complete`](Self::is_complete).
    pub fn is_ok(&self) -> bool {
        self.failing() == 0
    }

    /// Whether every run in flight was checked: there were no more of a function than [`most`](crate::Check::most).
    pub fn is_complete(&self) -> bool {
        !self.functions.iter().any(|function| function.more)
    }

    /// 0 if all of them would go on, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.is_ok())
    }
}

impl CheckedFunction {
    pub(super) fn new(function_id: Arc<str>) -> Self {
        Self {
            function_id,
            runs: 0,
            failing: 0,
            untried: 0,
            more: false,
            builds: BTreeMap::new(),
            fails: Concerns::default(),
            ignored: Concerns::default(),
            behind: Concerns::default(),
            notes: Concerns::default(),
        }
    }

    pub(super) fn add(&mut self, run_id: &Arc<str>, build: Option<&Arc<str>>, verdict: &Verdict) {
        self.runs += 1;
        let fails = !verdict.fails.is_empty();
        self.failing += usize::from(fails);
        self.untried += usize::from(!fails && !verdict.behind.is_empty());
        if let Some(build) = build {
            *self.builds.entry(Arc::clone(build)).or_default() += 1;
        }
        for reason in &verdict.fails {
            self.fails.add(reason, run_id);
        }
        for note in &verdict.notes {
            self.notes.add(note, run_id);
        }
        for path in &verdict.ignored {
            self.ignored.add(path, run_id);
        }
        for path in &verdict.behind {
            self.behind.add(path, run_id);
        }
    }

    /// The function's id.
    pub fn function_id(&self) -> &str {
        &self.function_id
    }

    /// How many of its runs were checked.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// How many of these would not go on with this code.
    pub fn failing(&self) -> usize {
        self.failing
    }

    /// Whether there are runs that were not checked.
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// The builds that began the checked runs, each with how many.
    pub fn builds(&self) -> impl Iterator<Item = (&str, usize)> {
        self.builds.iter().map(|(build, runs)| (&**build, *runs))
    }

    /// Why runs would not go on.
    pub fn fails(&self) -> &[Concern] {
        &self.fails.all
    }

    /// The paths of what is recorded and would be ignored, since the code does not ask for it.
    pub fn ignored(&self) -> &[Concern] {
        &self.ignored.all
    }

    /// The paths of what is recorded and was not tried, since the code has the key and has not come to it: it asks for a step first that
    /// the run has not recorded. Its kind fits.
    pub fn untried(&self) -> &[Concern] {
        &self.behind.all
    }

    /// What else is worth knowing.
    pub fn notes(&self) -> &[Concern] {
        &self.notes.all
    }
}

fn runs(count: usize) -> String {
    match count {
        1 => "1 run".to_owned(),
        more => format!("{} runs", grouped(more)),
    }
}

fn concerns(out: &mut String, title: &str, found: &Concerns, in_ticks: bool) {
    for concern in found.all.iter().take(SHOWN) {
        let tick = if in_ticks { "`" } else { "" };
        let _ = writeln!(
            out,
            "  {title}: {tick}{}{tick} ({}, such as {})",
            plain(&concern.text),
            runs(concern.runs),
            plain(&concern.example)
        );
    }
    if let Some(more @ 1..) = found.all.len().checked_sub(SHOWN) {
        let least = if found.has_more { "at least " } else { "" };
        let _ = writeln!(out, "  {title}: {least}{} more of the kind", grouped(more));
    }
}

impl fmt::Display for CheckedFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        let fitting = self.runs - self.failing;
        let _ = write!(
            out,
            "{}: {} would go on",
            plain(&self.function_id),
            runs(fitting)
        );
        if self.untried > 0 {
            let _ = write!(
                out,
                ", {} of them as far as was tried",
                grouped(self.untried)
            );
        }
        if self.failing > 0 {
            let _ = write!(out, ", {} would fail", grouped(self.failing));
        }
        if self.more {
            out.push_str("; there are more, which were not checked");
        }
        out.push('\n');
        for (build, count) in &self.builds {
            let _ = writeln!(out, "  begun by {}: {}", plain(build), runs(*count));
        }
        concerns(&mut out, "would fail", &self.fails, false);
        concerns(&mut out, "would be ignored", &self.ignored, true);
        concerns(&mut out, "not tried, behind a new step", &self.behind, true);
        concerns(&mut out, "note", &self.notes, false);
        f.write_str(&out)
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for function in &self.functions {
            writeln!(f, "{function}")?;
        }
        if self.runs() == 0 {
            return writeln!(f, "no run is in flight: nothing was checked");
        }
        if !self.is_complete() {
            writeln!(
                f,
                "not every run was checked: of the functions that have more the newest were; say how many with BELTS_CHECK_MOST"
            )?;
        }
        let checked = runs(self.runs());
        match self.failing() {
            0 => writeln!(
                f,
                "{checked} in flight checked: all would go on with this code"
            ),
            failing => writeln!(
                f,
                "{checked} in flight checked: {} would not go on with this code",
                grouped(failing)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_by_what_is_found_of_them() {
        let mut function = CheckedFunction::new("ship".into());
        let build: Arc<str> = "0.1.0".into();
        for (id, fails, ignored) in [
            ("r-1", true, true),
            ("r-2", true, false),
            ("r-3", false, false),
        ] {
            let mut verdict = Verdict::default();
            if fails {
                verdict.fails.push("the key is another".to_owned());
            }
            if ignored {
                verdict.ignored.insert("audit".into());
            }
            function.add(&id.into(), Some(&build), &verdict);
        }
        let report = CheckReport {
            functions: vec![function],
        };
        assert_eq!(
            (report.runs(), report.failing(), report.exit_code()),
            (3, 2, 1)
        );
        assert_eq!(
            report.to_string(),
            "ship: 1 run would go on, 2 would fail\n  \
             begun by 0.1.0: 3 runs\n  \
             would fail: the key is another (2 runs, such as r-1)\n  \
             would be ignored: `audit` (1 run, such as r-1)\n\n\
             3 runs in flight checked: 2 would not go on with this code\n"
        );
    }
}
