//! The first page: every function, what fails of it now, and whether anybody drives it.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{
    answer::{self, Wrong},
    layout::{Place, empty},
    shape::{Lately, Overview, Row, per_minute, share},
    visit::{Visit, address},
    words::{counted, plural, time, time_or_none},
};
use crate::{
    inspect::shape::Time,
    plain::{grouped, plain},
    schedule::TICK,
    worker::Worker,
};

/// How far back ended runs are counted, and the most of them.
const LATELY: Duration = Duration::from_secs(15 * 60);
const MOST_ENDED: usize = 10_000;
/// The most unfinished runs of each function that are counted.
const MOST_UNFINISHED: usize = 1_000;

pub(super) async fn page(State(worker): State<Worker>, visit: Visit) -> Result<Response, Wrong> {
    let store = worker.store();
    let functions = store.functions(visit.now, MOST_UNFINISHED).await?;
    let ended = store.ended(visit.now.before(LATELY), MOST_ENDED).await?;
    let mut overview = Overview::of(&functions, ended.as_ref());
    let span = ended.as_ref().map(|ended| visit.now.since(ended.since));
    let shared = worker.shared();
    if shared.hands_on() {
        // It is driven by deliveries to this program, whenever one comes.
        for row in &mut overview.functions {
            row.is_here = shared.registry.index(&row.function.id).is_some();
        }
    }
    // To the minute, so that the page stays the same as long as nothing happens.
    overview.counted_since = ended.map(|ended| whole_minute(Time(ended.since)));
    let overview = Arc::new(overview);
    Ok(answer::page(
        &visit,
        Place::Functions,
        "Functions",
        &*overview,
        || html(&visit, &overview, span),
    ))
}

fn minutes(visit: &Visit, since: Time) -> usize {
    usize::try_from(visit.now.since(since.0).as_secs() / 60).unwrap_or(usize::MAX)
}

fn whole_minute(at: Time) -> Time {
    let millis = at.0.as_millis();
    Time(crate::clock::Timestamp::from_millis(
        millis - millis.rem_euclid(60_000),
    ))
}

fn html(visit: &Visit, overview: &Overview, span: Option<Duration>) -> Markup {
    let failing = overview
        .functions
        .iter()
        .filter(|row| row.lately.failed > 0)
        .count();
    html! {
        h1 { "Functions" }
        @if overview.functions.is_empty() {
            (empty("No functions yet", &html! {
                p { "Start a program that serves some: " code { "belts::serve().await" } ", with this store. They show here as soon as it runs." }
            }))
        } @else {
            p.summary {
                @if let Some(since) = overview.counted_since {
                    @if failing == 0 { "No failures" } @else { strong.bad { (plural(failing, "function")) " failing" } }
                    " in the last " (grouped(minutes(visit, since).max(1))) " min."
                } @else {
                    "This store cannot tell how many runs ended lately."
                }
            }
            table.rows {
                thead { tr {
                    th { "Function" }
                    th.number { "Failed" }
                    th { "Last failure" }
                    th.number { "Ended per min" }
                    th.number { "Unfinished" }
                    th { "State" }
                    th { span.sr { "Actions" } }
                } }
                tbody { @for row in &overview.functions { (row_html(visit, row, span)) } }
            }
        }
    }
}

fn row_html(visit: &Visit, row: &Row, span: Option<Duration>) -> Markup {
    let id = row.function.id.as_str();
    let runs = |status: &str| visit.to(address("runs", &[("function", id), ("status", status)]));
    let open = "pending,running,suspended,stopped,undoing";
    html! {
        tr {
            td.main data-label="Function" {
                a href=(visit.to(address("runs", &[("function", id)]))) { (plain(id)) }
                (events(visit, &row.function.events))
            }
            (lately(visit, span, &row.lately, &runs("failed")))
            td.number data-label="Unfinished" {
                @if row.function.unfinished == 0 { span.none { "0" } }
                @else { a href=(runs(open)) { (counted(row.function.unfinished, MOST_UNFINISHED)) } }
            }
            td data-label="State" { (state(visit, row)) }
            td.actions {
                @if visit.operates {
                    @if row.function.paused_at.is_some() {
                        a.button href=(visit.to(address("resume", &[("function", id)]))) { "Resume…" span.sr { " " (plain(id)) } }
                    } @else {
                        a.button href=(visit.to(address("pause", &[("function", id)]))) { "Pause…" span.sr { " " (plain(id)) } }
                    }
                }
            }
        }
    }
}

/// What starts a function: events by their types, and the clock.
fn events(visit: &Visit, types: &[String]) -> Markup {
    html! {
        @if !types.is_empty() {
            div.faint { "on " @for (place, event) in types.iter().enumerate() {
                @if place > 0 { ", " }
                @if event == TICK { a href=(visit.to("schedules")) { "the clock" } } @else { (plain(event)) }
            } }
        }
    }
}

fn lately(visit: &Visit, span: Option<Duration>, lately: &Lately, failed: &str) -> Markup {
    html! {
        td.number data-label="Failed" {
            @if lately.failed > 0 {
                a.bad href=(failed) { (grouped(lately.failed)) }
                span.share { (share(lately.failed, lately.all())) }
            } @else if span.is_some() { span.none { "0" } } @else { span.none { "–" } }
        }
        td data-label="Last failure" { (time_or_none(visit, lately.last_failed_at)) }
        td.number data-label="Ended per min" {
            @match span {
                Some(span) => (per_minute(lately.all(), span)),
                None => span.none { "–" },
            }
        }
    }
}

fn state(visit: &Visit, row: &Row) -> Markup {
    html! {
        @match (row.function.paused_at, row.function.living) {
            (Some(since), _) => { span.status data-is="paused" { "paused" } " " (time(visit, since)) },
            (None, true) => span.status data-is="living" title="A running worker has it" { "ready" },
            (None, false) if row.is_here => span.status data-is="living" title="Deliveries to this program drive it" { "ready" },
            (None, false) => span.status data-is="orphaned" title="No running worker has it" { "no worker" },
        }
    }
}
