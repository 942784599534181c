//! Why a run that is not over is not running.

use serde::Serialize;

use super::{
    Runs,
    decided::Decided,
    settle::{parked, settlements},
    shape::Time,
};
use crate::{
    clock::Timestamp,
    error::Result,
    run::is_under,
    store::{CALLBACK, Entry, FunctionRecord, RunRecord, RunStatus, StepKind, StepState, Wait},
};

/// The most runs that are counted of those that are due before it.
const MOST_DUE: usize = 1_000;

/// One reason, or what the run is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Why {
    /// What kind of reason it is.
    pub(crate) kind: Reason,
    /// The same for people.
    pub(crate) text: String,
    /// Since when, or until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Time>,
    /// The step that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<String>,
    /// The run that is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
    /// What stands for the callback that is waited for.
    #[serde(skip)]
    pub(crate) callback: Option<std::sync::Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    /// A worker drives it.
    Running,
    /// It was asked to stop.
    Stopped,
    /// A person has to say what came of a step.
    Parked,
    /// Its function is paused.
    Paused,
    /// No running worker has its function.
    NoWorker,
    /// It is due, and waits for a worker that has room.
    Queued,
    /// A flow option of its function holds it.
    Flow,
    /// Its own time has not come.
    NotYet,
    /// It sleeps.
    Sleep,
    /// A step is tried again later.
    Retry,
    /// It waits for an event.
    Event,
    /// It waits for a callback.
    Callback,
    /// It waits for the end of another run.
    Run,
}

impl Why {
    fn new(kind: Reason, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            at: None,
            step: None,
            run: None,
            callback: None,
        }
    }

    fn at(mut self, at: Option<Timestamp>) -> Self {
        self.at = at.map(Time);
        self
    }
}

impl Runs {
    /// Why a run does not go on, the reason that matters first; nothing of a run that is over. `here` says whether this program has
    /// its function, which may drive it without being a worker's loop.
    pub(crate) async fn why(
        &self,
        run: &RunRecord,
        journal: &[Entry],
        here: bool,
    ) -> Result<Vec<Why>> {
        if run.status.is_finished() {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let functions = self.store.functions(now, 1).await?;
        let of_run = |known: &&FunctionRecord| known.function_id == run.function_id;
        let function = functions.iter().find(of_run);
        let living = function.is_some_and(|known| known.living);
        let mut all = match run.status {
            RunStatus::Running if living || here => vec![running(journal)],
            RunStatus::Running => vec![Why::new(
                Reason::NoWorker,
                "The worker that drove it is gone. It goes on once a program with its function runs.",
            )],
            RunStatus::Stopped => vec![Why::new(
                Reason::Stopped,
                "It was asked to stop after a step, and goes on when somebody delivers it again.",
            )],
            _ if run.due_at.is_some_and(|due_at| due_at <= now) => Vec::new(),
            _ => waits(run, journal),
        };
        let is_due = all.is_empty();
        if let Some(since) = function.and_then(|known| known.paused_at) {
            let text = if is_due {
                "Its function is paused."
            } else {
                "And its function is paused."
            };
            let paused = Why::new(Reason::Paused, text).at(Some(since));
            all.insert(if is_due { 0 } else { all.len() }, paused);
        }
        if run.status != RunStatus::Running && !living && !here {
            let text = "No running worker has its function: start the program that has it, or forget the function if it is gone.";
            all.push(Why::new(Reason::NoWorker, text));
        }
        if let Some(in_line) = run.in_line.as_ref().filter(|_| all.is_empty()) {
            let text = format!(
                "It waits for a place: {}. It goes on when one of the runs that hold these ends or rests.",
                in_line.why(&run.function_id)
            );
            all.push(Why::new(Reason::Flow, text).at(run.due_at));
        }
        if all.is_empty() && living {
            all.push(self.queued(run, now).await?);
        } else if all.is_empty() {
            let text =
                "It is due, and goes on with the next delivery to a program that has its function.";
            all.push(Why::new(Reason::Queued, text).at(run.due_at));
        }
        Ok(all)
    }

    async fn queued(&self, run: &RunRecord, now: Timestamp) -> Result<Why> {
        let of = [std::sync::Arc::clone(&run.function_id)];
        let due = self.store.backlog(&of, now, MOST_DUE).await?;
        let due = due.first().copied().unwrap_or(0);
        let others = match due.saturating_sub(1) {
            0 => "no other run of its function does".to_owned(),
            1 => "so does 1 other run of its function".to_owned(),
            others if due >= MOST_DUE => {
                format!("so do {others} or more other runs of its function")
            }
            others => format!("so do {others} other runs of its function"),
        };
        let text = format!("It is due, and waits for a worker that has room; {others}.");
        Ok(Why::new(Reason::Queued, text).at(run.due_at))
    }
}

fn running(journal: &[Entry]) -> Why {
    let under_way = journal.iter().rev().find(|entry| entry.is_heartbeat());
    let mut why = Why::new(Reason::Running, "A worker drives it now.");
    why.step = under_way.map(|entry| entry.path.to_string());
    why
}

/// What a run waits for whose time has not come.
fn waits(run: &RunRecord, journal: &[Entry]) -> Vec<Why> {
    let races = Decided::all(journal);
    let settlements = settlements(journal);
    let undoing = run.status == RunStatus::Undoing;
    let open = journal.iter().filter(|entry| {
        // What it waited for is no matter any more once it is undone. A step that is parked is a reason of its own.
        let counts = !undoing || entry.kind == StepKind::Undo;
        let settles = settlements.iter().any(|path| is_under(&entry.path, path));
        let waits = entry.state == StepState::Waiting && entry.is_shown() && counts && !settles;
        waits && !races.iter().any(|race| race.has_left(entry))
    });
    let mut all: Vec<Why> = open
        .filter_map(|entry| wait(run.status, entry, journal))
        .collect();
    if let Some(text) = run.why().filter(|_| all.is_empty()) {
        let text = format!("By a flow option of its function: {text}.");
        all.push(Why::new(Reason::Flow, text));
    }
    // A person has to do something about it.
    all.sort_by_key(|why| !matches!(why.kind, Reason::Parked));
    if all.is_empty() {
        all.push(
            match (run.status, run.failed_attempts) {
                (RunStatus::Undoing, _) if !journal.iter().any(|entry| entry.undoable) => Why::new(
                    if run.due_at.is_none() { Reason::Running } else { Reason::NotYet },
                    "It was cancelled. A worker ends it and starts the failure handlers that hear of cancels.",
                ),
                (RunStatus::Undoing, _) if run.due_at.is_none() => {
                    Why::new(Reason::Running, "What its steps did is being undone now.")
                }
                (RunStatus::Undoing, _) => Why::new(
                    Reason::NotYet,
                    "What its steps did is being undone; it goes on then.",
                ),
                (_, 0) => Why::new(Reason::NotYet, "Its time has not come."),
                (_, 1) => Why::new(
                    Reason::Retry,
                    "The function failed once, and is tried again then.",
                ),
                (_, times) => {
                    let text =
                        format!("The function failed {times} times, and is tried again then.");
                    Why::new(Reason::Retry, text)
                }
            }
            .at(run.due_at),
        );
    }
    all
}

fn wait(status: RunStatus, entry: &Entry, journal: &[Entry]) -> Option<Why> {
    let path = &entry.path;
    let why = match (entry.kind, &entry.wait) {
        // Nobody asks any more once the run is undone.
        _ if status != RunStatus::Undoing && parked(entry, journal).is_some() => Why::new(
            Reason::Parked,
            format!(
                "Nobody knows whether `{path}` has happened: somebody has to say what came of it."
            ),
        ),
        (StepKind::Sleep, _) => Why::new(Reason::Sleep, format!("It sleeps in `{path}`.")),
        (StepKind::Step | StepKind::Undo, _) if entry.due_at.is_some() => {
            let times = match entry.attempts {
                1 => "once".to_owned(),
                times => format!("{times} times"),
            };
            let text = format!("`{path}` failed {times}, and is tried again then.");
            Why::new(Reason::Retry, text)
        }
        (_, Some(wait)) if wait.is_for_a_run() => {
            let mut why = Why::new(Reason::Run, format!("`{path}` waits for the end of a run."));
            let Wait::Event { key, .. } = wait;
            why.run = key.as_ref().map(ToString::to_string);
            why
        }
        (_, Some(Wait::Event { types, .. }))
            if types.iter().any(|awaited| &*awaited.event_type == CALLBACK) =>
        {
            let mut why = Why::new(Reason::Callback, format!("`{path}` waits for a callback."));
            let Some(Wait::Event { key, .. }) = &entry.wait else {
                return None;
            };
            why.callback.clone_from(key);
            why
        }
        (_, Some(wait)) => Why::new(Reason::Event, format!("`{path}` waits for {wait}.")),
        _ => return None,
    };
    let mut why = why.at(entry.due_at);
    why.step = Some(path.to_string());
    Some(why)
}
