//! Pausing and resuming functions and schedules, and triggering a schedule.

use std::future::ready;

use axum::{
    extract::State,
    http::Uri,
    response::Response,
    routing::{MethodRouter, get},
};
use maud::html;

use super::{
    answer::{self, Wrong},
    fields::Fields,
    question::Question,
    rerun::told,
    visit::{Asked, Visit, address},
};
use crate::{
    http::refusal::Refusal,
    inspect::{
        Functions, Runs, Schedules,
        shape::ChangedFunction,
        shown_schedule::{Action, ChangedSchedule},
    },
    plain::plain,
    worker::Worker,
};

/// What is done to a function or a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Pause,
    Resume,
    Trigger,
}

impl Change {
    fn path(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Trigger => "trigger",
        }
    }

    /// What it can be done to.
    fn subjects(self) -> &'static [&'static str] {
        match self {
            Self::Pause | Self::Resume => &["function", "schedule"],
            Self::Trigger => &["schedule"],
        }
    }

    fn action(self) -> Action {
        match self {
            Self::Pause => Action::Pause,
            Self::Resume => Action::Resume,
            Self::Trigger => Action::Trigger,
        }
    }

    fn title(self, of_function: bool) -> &'static str {
        match (self, of_function) {
            (Self::Pause, true) => "Pause this function?",
            (Self::Pause, false) => "Pause this schedule?",
            (Self::Resume, true) => "Resume this function?",
            (Self::Resume, false) => "Resume this schedule?",
            (Self::Trigger, _) => "Trigger this schedule now?",
        }
    }

    fn text(self, of_function: bool) -> &'static str {
        match (self, of_function) {
            (Self::Pause, true) => {
                "Its runs wait, in every process, until somebody resumes it. Events start runs as ever, and they wait too. What is \
                 driven now goes on until it sleeps, waits, is retried or ends."
            }
            (Self::Pause, false) => {
                "It does not tick until somebody resumes it. Ticks of that time are not missed: they never were."
            }
            (Self::Resume, true) => {
                "What is due of it goes on, all of it at once, within the limits of the workers."
            }
            (Self::Resume, false) => "Its ticks count from now on.",
            (Self::Trigger, _) => {
                "A run starts now, whatever the plan says and whatever goes on; if its function is paused, it waits for that. The next \
                 tick comes all the same."
            }
        }
    }

    fn button(self) -> &'static str {
        match self {
            Self::Pause => "Pause it",
            Self::Resume => "Resume it",
            Self::Trigger => "Start a run",
        }
    }
}

/// The question, and what is done then.
pub(super) fn change(change: Change) -> MethodRouter<Worker> {
    get(move |visit, uri| ready(ask(change, &visit, &uri)))
        .post(move |worker, visit, fields| make(change, worker, visit, fields))
}

fn ask(change: Change, visit: &Visit, uri: &Uri) -> Result<Response, Wrong> {
    let asked = Asked::of(uri)?;
    let function = asked.get("function").filter(|_| change != Change::Trigger);
    let (name, id) = match function {
        Some(id) => ("function", id),
        None => ("schedule", asked.need("schedule")?),
    };
    let question = Question {
        title: change.title(function.is_some()),
        text: html! {
            p.subject { (plain(id)) }
            p { (change.text(function.is_some())) }
        },
        action: change.path(),
        fields: vec![(name, id)],
        inputs: html! {},
        button: change.button(),
        is_grave: false,
        back: if function.is_some() {
            "functions".to_owned()
        } else {
            "schedules".to_owned()
        },
    };
    Ok(question.page(visit))
}

async fn make(
    change: Change,
    State(worker): State<Worker>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Wrong> {
    fields.only(change.subjects(), &[])?;
    if fields.get("function").is_some() && fields.get("schedule").is_some() {
        let text = "say either a `function` or a `schedule`";
        return Err(Refusal::bad_request(text).into());
    }
    let runs = visit.runs(&worker);
    if let Some(id) = fields.get("function").filter(|_| change != Change::Trigger) {
        let changed = of_function(runs, change, id.to_owned()).await?;
        return Ok(answer::done(
            &visit,
            &did("functions", change, changed.changed),
            &changed,
        ));
    }
    let name = fields.need("schedule")?.to_owned();
    let changed = of_schedule(runs, change, name).await?;
    let to = match &changed.run_id {
        Some(run) => told(run, "trigger"),
        None => did("schedules", change, changed.changed),
    };
    Ok(answer::done(&visit, &to, &changed))
}

fn did(page: &str, change: Change, changed: bool) -> String {
    let word = change.path();
    let word = if changed {
        word.to_owned()
    } else {
        format!("not-{word}")
    };
    address(page, &[("did", &word)])
}

async fn of_function(runs: Runs, change: Change, id: String) -> Result<ChangedFunction, Refusal> {
    let functions = Functions::with(runs);
    let paused = change == Change::Pause;
    let of = id.clone();
    // Where runs are handed on, it may take longer than anyone waits, and continues then.
    let changing = tokio::spawn(async move {
        if paused {
            functions.pause(&of).await
        } else {
            functions.resume(&of).await
        }
    });
    Ok(ChangedFunction {
        function_id: id,
        changed: changing.await.map_err(|_| Refusal::shutdown())??,
        paused,
    })
}

async fn of_schedule(runs: Runs, change: Change, name: String) -> Result<ChangedSchedule, Refusal> {
    let changing = tokio::spawn(async move {
        let changed = change
            .action()
            .of(&Schedules::with(runs.clone()), &name)
            .await?;
        if let Some(run) = &changed.run_id {
            runs.note_quietly(run, &format!("trigger the schedule {name}"))
                .await?;
        }
        Ok::<_, crate::Error>(changed)
    });
    Ok(changing.await.map_err(|_| Refusal::shutdown())??)
}
