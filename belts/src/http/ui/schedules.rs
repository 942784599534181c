//! What the clock starts, and when next.

use axum::{extract::State, http::Uri, response::Response};
use maud::{Markup, html};

use super::{
    answer::{self, Wrong},
    layout::{Place, empty},
    visit::{Asked, Visit, address},
    words::{clock, time},
};
use crate::{
    inspect::{
        Schedules,
        shown_schedule::{ShownSchedule, ShownSchedules},
    },
    plain::{grouped, plain},
    worker::Worker,
};

/// How many schedules a page has, and how many of the next ticks of each.
const MOST: usize = 100;
const TICKS: usize = 3;

pub(super) async fn page(
    State(worker): State<Worker>,
    visit: Visit,
    uri: Uri,
) -> Result<Response, Wrong> {
    let asked = Asked::of(&uri)?;
    let schedules = Schedules::with(visit.runs(&worker));
    let (page, next) = schedules.page(asked.get("after"), MOST).await?;
    let mut shown = Vec::with_capacity(page.len());
    for record in &page {
        shown.push(ShownSchedule::of(record, TICKS));
        // Ticks of some expressions are far apart, and take long to find.
        tokio::task::yield_now().await;
    }
    let shown = ShownSchedules {
        schedules: shown,
        next: next.map(|name| name.to_string()),
    };
    Ok(answer::page(
        &visit,
        Place::Schedules,
        "Schedules",
        &shown,
        || html(&visit, &shown),
    ))
}

fn html(visit: &Visit, shown: &ShownSchedules) -> Markup {
    let schedules = &shown.schedules;
    html! {
        h1 { "Schedules" }
        @if schedules.is_empty() {
            (empty("The clock starts nothing here", &html! {
                p { "Give a function " code { "cron = \"0 9 * * *\"" } " or " code { "every = \"15m\"" } ", or put a schedule with "
                    code { "belts schedules put" } "." }
            }))
        } @else {
            table.rows {
                thead { tr {
                    th { "Schedule" } th { "When" } th { "Next" } th { "Last run" } th.number { "Started" }
                    th.number { "Missed" } th.number { "Skipped" } th { span.sr { "Actions" } }
                } }
                tbody { @for schedule in schedules { (row(visit, schedule)) } }
            }
        }
        @if let Some(next) = &shown.next {
            nav.pager aria-label="Pages" {
                a.button rel="next" href=(visit.to(address("schedules", &[("after", next)]))) { "More" }
            }
        }
    }
}

fn row(visit: &Visit, schedule: &ShownSchedule) -> Markup {
    let name = schedule.name.as_str();
    html! {
        tr {
            td.main data-label="Schedule" {
                (plain(name))
                @if schedule.function_id != name { div.faint { "starts " (plain(&schedule.function_id)) } }
            }
            td data-label="When" { code { (plain(&schedule.schedule.to_string())) } }
            td data-label="Next" { (next(visit, schedule)) }
            td data-label="Last run" {
                @match &schedule.last {
                    Some(last) => a href=(visit.to_run(&last.run_id)) { (time(visit, last.started_at)) },
                    None => span.none { "–" },
                }
            }
            td.number data-label="Started" { (number(schedule.counts.started)) }
            td.number data-label="Missed" { (number(schedule.counts.missed)) }
            td.number data-label="Skipped" title=[schedule.skips.last().map(|skip| plain(&skip.reason).into_owned())] {
                (number(schedule.counts.skipped))
            }
            td.actions { @if visit.operates { (actions(visit, schedule)) } }
        }
    }
}

fn next(visit: &Visit, schedule: &ShownSchedule) -> Markup {
    html! {
        @if let Some(since) = schedule.paused_at {
            span.status data-is="paused" { "paused" } " " (time(visit, since))
            @if schedule.held_by_function { div.faint { "with its function" } }
        } @else if !schedule.living {
            span.status data-is="orphaned" { "no worker" }
        } @else {
            @match schedule.next.split_first() {
                Some((first, later)) => {
                    (time(visit, *first))
                    @for tick in later { div.faint { (clock(*tick)) } }
                }
                None => span.none { "–" },
            }
        }
    }
}

fn number(count: u64) -> String {
    grouped(usize::try_from(count).unwrap_or(usize::MAX))
}

fn actions(visit: &Visit, schedule: &ShownSchedule) -> Markup {
    let of = [("schedule", schedule.name.as_str())];
    let named = html! { span.sr { " " (plain(&schedule.name)) } };
    let (path, word) = if schedule.paused_at.is_some() && !schedule.held_by_function {
        ("resume", "Resume")
    } else {
        ("pause", "Pause")
    };
    html! {
        a.button href=(visit.to(address("trigger", &of))) { "Trigger…" (named) }
        " "
        a.button href=(visit.to(address(path, &of))) { (word) "…" (named) }
        @if schedule.held_by_function {
            " "
            a.button href=(visit.to(address("resume", &[("function", &schedule.function_id)]))) { "Resume its function…" (named) }
        }
    }
}
