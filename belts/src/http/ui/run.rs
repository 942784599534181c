//! One run: what it did, why it failed, and why it is not running.

use axum::{extract::State, http::Uri, response::Response};
use maud::{Markup, html};

use super::{
    answer::{self, Wrong},
    layout::Place,
    room::{MOST_STEPS, Room},
    shape::RunView,
    timeline,
    visit::{Asked, Visit, address, run as run_page},
    words::{clock, marked, status, time, took},
};
use crate::{
    codec::Failure,
    error::ErrorKind,
    http::{actor::Id, query::flag, refusal::Refusal},
    inspect::{
        open_callbacks::{OpenCallback, open_callbacks},
        shape::{ShownRun, Time},
        why::{Reason, Why},
    },
    plain::{grouped, plain},
    store::{RunStatus, StepKind},
    worker::Worker,
};

/// The most reasons of a page.
const MOST_REASONS: usize = 20;

/// `GET /runs/{id}`
pub(super) async fn page_of(
    worker: State<Worker>,
    visit: Visit,
    Id(id): Id,
    uri: Uri,
) -> Result<Response, Wrong> {
    show(worker, visit, &id, &Asked::of(&uri)?).await
}

/// `GET /run?id=…`
pub(super) async fn page(worker: State<Worker>, visit: Visit, uri: Uri) -> Result<Response, Wrong> {
    let asked = Asked::of(&uri)?;
    show(worker, visit, asked.need("id")?, &asked).await
}

async fn show(
    State(worker): State<Worker>,
    visit: Visit,
    id: &str,
    asked: &Asked,
) -> Result<Response, Wrong> {
    let values = asked
        .get("values")
        .map_or(Ok(false), |said| flag("values", said))?;
    let first = asked.get("from").map_or(Ok(0), |said| {
        said.parse::<usize>()
            .map_err(|_| Refusal::bad_request("`from` must be the number of a step"))
    })?;
    let runs = visit.runs(&worker);
    let record = runs.get(id).await?;
    let journal = runs.journal(id).await?;
    let shared = worker.shared();
    let here = shared.hands_on() && shared.registry.index(&record.function_id).is_some();
    let mut reasons = runs.why(&record, &journal, here).await?;
    let all_reasons = reasons.len();
    reasons.truncate(MOST_REASONS);
    let held = runs.held_since(&record).await?;
    let mut run = ShownRun::of(&record, values)
        .with_paused_at(held)
        .with_steps(&journal, values);
    let hidden = &shared.http.ui.hidden;
    hidden.hide(&mut run);
    let open = open_callbacks(&record, &journal);
    let steps = run.steps.as_mut();
    let (mut first_step, mut all_steps) = (0, 0);
    if let Some(steps) = steps {
        for step in steps
            .iter_mut()
            .filter(|step| step.kind == StepKind::Callback)
        {
            // Whoever has it can complete the callback.
            step.output = None;
        }
        all_steps = steps.len();
        first_step = first.min(all_steps.saturating_sub(1));
        steps.drain(..first_step);
        steps.truncate(MOST_STEPS);
    }
    let view = RunView {
        run,
        more_reasons: all_reasons - reasons.len(),
        reasons,
        first_step,
        all_steps,
    };
    let title = format!("{} {}", view.run.function_id, view.run.run_id);
    Ok(answer::page(&visit, Place::Runs, &title, &view, || {
        let mut room = Room::new(hidden);
        html(&visit, &view, &open, values, &mut room)
    }))
}

fn html(
    visit: &Visit,
    view: &RunView,
    open: &[OpenCallback<'_>],
    values: bool,
    room: &mut Room<'_>,
) -> Markup {
    let run = &view.run;
    let of_function = visit.to(address("runs", &[("function", &run.function_id)]));
    html! {
        div.head {
            div {
                h1 { a href=(of_function) { (plain(&run.function_id)) } " " (status(run.status)) }
                p.id { (plain(&run.run_id)) }
            }
            @if visit.operates { (actions(visit, run)) }
        }
        (reasons(visit, view, open))
        @if let Some(failure) = run.error.as_ref().filter(|_| run.status != RunStatus::Completed) {
            section.panel.bad {
                h2 { (title_of(run.status, failure)) }
                (room.error(failure))
                @if let Some(value) = failure.value.as_ref().filter(|_| values) { (room.json(&value.json)) }
            }
        }
        (facts(visit, run, room))
        @if values { (values_of(run, room)) }
        div.head {
            h2 { "Steps" }
            @if values {
                a.button href=(visit.to_run(&run.run_id)) { "Hide values" }
            } @else {
                a.button href=(visit.to(with_values(&run.run_id))) { "Show values" }
            }
        }
        (timeline::steps(visit, view, open, values, room))
        (notes(visit, run))
    }
}

fn title_of(status: RunStatus, failure: &Failure) -> &'static str {
    match status {
        RunStatus::Failed => "Why it failed",
        RunStatus::Cancelled if failure.kind == ErrorKind::Cancelled.as_str() => {
            "Why it was cancelled"
        }
        _ => "Its last failure",
    }
}

fn with_values(id: &str) -> String {
    let page = run_page(id);
    let and = if page.contains('?') { '&' } else { '?' };
    format!("{page}{and}values=true")
}

fn actions(visit: &Visit, run: &ShownRun) -> Markup {
    let id = [("run", run.run_id.as_str())];
    html! {
        div.buttons {
            @if matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) {
                a.button.main href=(visit.to(address("rerun", &id))) { "Rerun…" }
            }
            @if !run.status.is_finished() && run.status != RunStatus::Undoing {
                a.button href=(visit.to(address("cancel", &id))) { "Cancel…" }
            }
        }
    }
}

fn reasons(visit: &Visit, view: &RunView, open: &[OpenCallback<'_>]) -> Markup {
    let run = &view.run;
    if view.reasons.is_empty() {
        return html! {};
    }
    let is_driven = view.reasons.iter().any(|why| why.kind == Reason::Running);
    let title = if is_driven {
        "What it is doing"
    } else {
        "Why it is not running"
    };
    html! {
        section.panel.why {
            h2 { (title) }
            ul { @for why in &view.reasons { li data-is=(word(why.kind)) {
                (marked(&why.text))
                @if let Some(at) = why.at { " " span.faint { "· " (time(visit, at)) } }
                (remedy(visit, run, why, open))
            } } }
            @if view.more_reasons > 0 { p.faint { "And " (grouped(view.more_reasons)) " more: see its steps." } }
        }
    }
}

/// What can be done about it, or where to look.
fn remedy(visit: &Visit, run: &ShownRun, why: &Why, open: &[OpenCallback<'_>]) -> Markup {
    let of_step = |path: &'static str, step: &str| {
        visit.to(address(path, &[("run", &run.run_id), ("step", step)]))
    };
    html! {
        @match (why.kind, &why.step, &why.run) {
            (Reason::Paused, ..) if visit.operates => {
                " " a.button href=(visit.to(address("resume", &[("function", &run.function_id)]))) { "Resume…" }
            }
            (Reason::Parked, Some(step), _) if visit.operates => {
                " " a.button.main href=(of_step("settle", step)) { "Say what came of it…" }
            }
            (Reason::Callback, ..) if visit.operates => {
                @let own = open.iter().find(|open| why.callback.as_deref() == Some(&*open.key()));
                @if let Some(own) = own { " " a.button.main href=(of_step("complete", own.path)) { "Complete " (plain(own.path)) "…" } }
            }
            (Reason::Event, ..) if visit.operates => {
                " " a.button href=(visit.to("publish")) { "Publish an event" }
            }
            (_, _, Some(other)) => { " " a href=(visit.to_run(other)) { "That run" } }
            _ => {}
        }
    }
}

fn word(kind: Reason) -> String {
    let json = serde_json::to_string(&kind).unwrap_or_default();
    json.trim_matches('"').to_owned()
}

fn facts(visit: &Visit, run: &ShownRun, room: &mut Room<'_>) -> Markup {
    let fact = |name: &str, at: Option<Time>| {
        html! { @if let Some(at) = at { div { dt { (name) } dd { (time(visit, at)) } } } }
    };
    let is_over = run.status.is_finished();
    let by_event = visit.to(address("runs", &[("event", &run.event_id)]));
    html! {
        dl.facts {
            div { dt { "Event" } dd { a href=(by_event) { (plain(&run.event_type)) } } }
            (fact("Published", Some(run.created_at)))
            (fact("Started", run.started_at))
            (fact("Ended", run.finished_at))
            @if let Some((began, ended)) = run.started_at.zip(run.finished_at) {
                div { dt { "Took" } dd { (took(ended.0.since(began.0))) } }
            }
            (fact("Due", run.due_at))
            (fact("Must start by", run.start_by.filter(|_| run.started_at.is_none() && !is_over)))
            (fact("Must end by", run.finish_by.filter(|_| !is_over)))
            @if run.failed_attempts > 0 { div { dt { "Failed attempts" } dd { (run.failed_attempts) } } }
            @if let Some(parent) = &run.parent {
                div { dt { "Called by" } dd { a.id href=(visit.to_run(parent)) { (plain(parent)) } } }
            }
            @if run.steps.iter().flatten().any(|step| step.run.is_some()) {
                @let called = visit.to(address("runs", &[("parent", &run.run_id)]));
                div { dt { "Calls" } dd { a href=(called) { "its runs" } } }
            }
            @if let Some(why) = run.why.as_ref().filter(|_| run.status.is_finished()) {
                div { dt { "Flow" } dd { (plain(why)) } }
            }
            @if let Some(build) = &run.build { div { dt { "Begun by build" } dd { (plain(build)) } } }
            @if let Some(event) = &run.cancel_on { div { dt { "Cancelled by" } dd { (plain(event)) } } }
            @if !run.tags.is_empty() {
                div { dt { "Tags" } dd { @for tag in &run.tags {
                    a.tag href=(visit.to(address("runs", &[("tag", tag)]))) { (plain(tag)) } " "
                } } }
            }
            @if let Some(value) = &run.status_value {
                div.wide { dt { "It says" } dd { (room.json(value)) } }
            }
        }
    }
}

fn values_of(run: &ShownRun, room: &mut Room<'_>) -> Markup {
    html! {
        div.values {
            @if let Some(payload) = &run.payload { div { h3 { "Event" } (room.json(payload)) } }
            @if let Some(output) = &run.output { div { h3 { "Output" } (room.json(output)) } }
        }
    }
}

fn notes(visit: &Visit, run: &ShownRun) -> Markup {
    html! {
        @if !run.notes.is_empty() {
            h2 { "Who did what" }
            table.rows {
                thead { tr { th { "When" } th { "What" } th { "Who" } } }
                tbody { @for note in run.notes.iter().rev() { tr {
                    td data-label="When" title=(clock(note.at)) { (time(visit, note.at)) }
                    td data-label="What" { (plain(&note.action)) }
                    td data-label="Who" { (plain(&note.by)) }
                } } }
            }
        }
    }
}
