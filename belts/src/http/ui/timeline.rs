//! The steps of a run, each with its place in time.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{
    layout::empty,
    room::{MOST_STEPS, Room},
    shape::RunView,
    visit::{Visit, address, run as run_page},
    words::{time, took},
};
use crate::{
    clock::Timestamp,
    inspect::{open_callbacks::OpenCallback, shape::ShownStep},
    plain::plain,
    store::{RunStatus, StepKind, StepState},
};

/// How wide the bars are drawn.
const WIDTH: u64 = 1_000;

/// The time that the bars show.
struct Span {
    from: Timestamp,
    millis: u64,
    now: Timestamp,
    /// Whether somebody drives the run.
    runs: bool,
}

impl Span {
    fn of(visit: &Visit, view: &RunView) -> Self {
        let run = &view.run;
        let from = run.started_at.unwrap_or(run.created_at).0;
        let until = run.finished_at.map_or(visit.now, |at| at.0);
        let millis = u64::try_from(until.since(from).as_millis()).unwrap_or(u64::MAX);
        Self {
            from,
            millis: millis.max(1),
            now: until,
            runs: run.status == RunStatus::Running,
        }
    }

    /// A bar, drawn without styles, which the page may not have.
    fn bar(&self, step: &ShownStep) -> Markup {
        let place = |at: Timestamp| {
            let millis = u64::try_from(at.since(self.from).as_millis()).unwrap_or(u64::MAX);
            millis
                .saturating_mul(WIDTH)
                .checked_div(self.millis)
                .unwrap_or(0)
                .min(WIDTH)
        };
        let begin = place(step.started_at.0).min(WIDTH - 6);
        let end = place(step.finished_at.map_or(self.now, |at| at.0));
        let width = end.saturating_sub(begin).max(6);
        html! {
            svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" data-is=(state(step, self.runs)) {
                rect.track width="1000" height="10" {}
                rect x=(begin) width=(width.min(WIDTH - begin)) height="10" {}
            }
        }
    }
}

/// The steps that are shown, and where the others are.
pub(super) fn steps(
    visit: &Visit,
    view: &RunView,
    open: &[OpenCallback<'_>],
    values: bool,
    room: &mut Room<'_>,
) -> Markup {
    let steps = view.run.steps.as_deref().unwrap_or_default();
    if steps.is_empty() {
        let advice =
            html! { p { "A step shows here once it is done, or has failed and is tried again." } };
        return empty("No step is recorded", &advice);
    }
    let span = Span::of(visit, view);
    html! {
        table.rows.steps {
            thead { tr {
                th { "Step" } th { "State" } th.number { "Attempts" } th { "Began" } th.number { "Took" } th { "In time" }
                th { span.sr { "Actions" } }
            } }
            tbody { @for step in steps { (row(visit, view, step, &span, open, values, room)) } }
        }
        (pager(visit, view, steps.len(), values))
    }
}

fn row(
    visit: &Visit,
    view: &RunView,
    step: &ShownStep,
    span: &Span,
    open: &[OpenCallback<'_>],
    values: bool,
    room: &mut Room<'_>,
) -> Markup {
    html! {
        tr {
            td.main data-label="Step" {
                span.path { (plain(&step.path)) }
                @if step.kind != StepKind::Step { " " span.kind { (kind(step.kind)) } }
                @if let Some(waiting) = &step.waiting { div.faint { "waits for " (plain(waiting)) } }
                @if let Some(run) = &step.run { div { a href=(visit.to_run(run)) { "its run" } } }
            }
            td data-label="State" { span.status data-is=(state(step, span.runs)) { (state(step, span.runs)) } }
            td.number data-label="Attempts" { @if step.attempts == 0 { span.none { "–" } } @else { (step.attempts) } }
            td data-label="Began" { (time(visit, step.started_at)) }
            td.number data-label="Took" {
                @match (step.duration_ms, step.due_at) {
                    (Some(millis), _) => (took(std::time::Duration::from_millis(millis))),
                    (None, Some(due_at)) => { span.faint { "goes on " (time(visit, due_at)) } }
                    (None, None) => span.none { "–" },
                }
            }
            td.bar data-label="In time" { (span.bar(step)) }
            td.actions { @if visit.operates { (actions(visit, view, step, open)) } }
        }
        (below(step, values, room))
    }
}

/// What takes more room than a column has.
fn below(step: &ShownStep, values: bool, room: &mut Room<'_>) -> Markup {
    let output = step.output.as_ref().filter(|_| values);
    html! {
        @if step.error.is_some() || step.progress.is_some() || output.is_some() {
            tr.more { td colspan="7" {
                @if let Some(failure) = &step.error {
                    (room.error(failure))
                    @if let Some(value) = failure.value.as_ref().filter(|_| values) { (room.json(&value.json)) }
                }
                @if let Some(progress) = &step.progress { div.faint { "Last heartbeat" } (room.json(progress)) }
                @if let Some(output) = output { (room.json(output)) }
            } }
        }
    }
}

fn actions(visit: &Visit, view: &RunView, step: &ShownStep, open: &[OpenCallback<'_>]) -> Markup {
    let run = &view.run;
    let link = |path: &str, name: &str| {
        visit.to(address(path, &[("run", &run.run_id), (name, &step.path)]))
    };
    let of_step = html! { span.sr { " " (plain(&step.path)) } };
    html! {
        @if matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) && step.kind != StepKind::Undo {
            a.button href=(link("rerun", "from")) { "Rerun from here…" (of_step) }
        }
        @if step.kind == StepKind::Callback && open.iter().any(|open| open.path == step.path) {
            a.button href=(link("complete", "step")) { "Complete…" (of_step) }
        }
        @if step.parked {
            a.button href=(link("settle", "step")) { "Settle…" (of_step) }
        }
    }
}

fn kind(kind: StepKind) -> String {
    let json = serde_json::to_string(&kind).unwrap_or_default();
    json.trim_matches('"').to_owned()
}

/// How a step stands, in a word.
fn state(step: &ShownStep, runs: bool) -> &'static str {
    let is_evaluated =
        matches!(step.kind, StepKind::Step | StepKind::Undo) && step.due_at.is_none();
    match step.state {
        _ if step.left => "left",
        _ if step.parked => "unknown",
        StepState::Waiting if runs && is_evaluated => "running",
        StepState::Waiting if step.error.is_some() => "retrying",
        StepState::Waiting => "waiting",
        StepState::Completed => "completed",
        StepState::Failed => "failed",
    }
}

fn pager(visit: &Visit, view: &RunView, shown: usize, values: bool) -> Markup {
    let (first, all) = (view.first_step, view.all_steps);
    let link = |from: usize| {
        let mut page = run_page(&view.run.run_id);
        let and = if page.contains('?') { '&' } else { '?' };
        // Writing to a string does not fail.
        let _ = write!(
            page,
            "{and}from={from}{}",
            if values { "&values=true" } else { "" }
        );
        visit.to(page)
    };
    html! {
        @if shown < all {
            nav.pager aria-label="Pages of steps" {
                span { "Steps " (first + 1) " to " (first + shown) " of " (all) }
                @if first > 0 { a.button href=(link(first.saturating_sub(MOST_STEPS))) { "Earlier" } }
                @if first + shown < all { a.button href=(link(first + shown)) { "Later" } }
            }
        }
    }
}
