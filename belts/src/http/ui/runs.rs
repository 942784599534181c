//! The list of runs: every filter is in the address.

use axum::{extract::State, http::Uri, response::Response};
use maud::{Markup, html};

use super::{
    answer::{self, Wrong},
    layout::{Place, empty},
    search::{Found, search},
    shape::RunList,
    visit::{Asked, Visit, address},
    words::{short_error, status, time, took},
};
use crate::{
    http::{filters::narrowed, refusal::Refusal},
    inspect::{
        Runs,
        shape::{ShownPage, ShownRun},
    },
    plain::plain,
    store::{RunFilter, RunPage, RunStatus},
    worker::Worker,
};

/// How many runs a page has.
const WANTED: usize = 50;
/// What may be chosen together.
const STATUSES: [(&str, &str); 9] = [
    ("", "any"),
    ("pending,running,suspended,stopped,undoing", "unfinished"),
    ("failed", "failed"),
    ("running", "running"),
    ("pending", "pending"),
    ("suspended", "suspended"),
    ("completed", "completed"),
    ("cancelled", "cancelled"),
    ("stopped,undoing", "stopped or undoing"),
];
/// Those of unfinished runs that can be cancelled.
const OPEN: &str = "pending,running,suspended,stopped";
/// The most tags of a row.
const MOST_TAGS: usize = 5;
/// Lengths of time that are often asked for.
const TIMES: [(&str, &str); 5] = [
    ("", "any time"),
    ("15m", "15 minutes"),
    ("1h", "hour"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
];

pub(super) async fn page(
    State(worker): State<Worker>,
    visit: Visit,
    uri: Uri,
) -> Result<Response, Wrong> {
    let asked = Asked::of(&uri)?;
    let runs = visit.runs(&worker);
    let filter = filter(&runs, &asked, &visit)?;
    let id = asked.get("id").map(str::trim);
    let exact = match id {
        Some(id) => runs.get(id).await.ok(),
        None => None,
    };
    let found = match exact {
        Some(run) if visit.json => Found {
            runs: vec![run],
            next: None,
            stopped: false,
        },
        Some(run) => return Ok(answer::see_other(&visit.to_run(&run.run_id))),
        None => search(&runs, filter, id, WANTED).await?,
    };
    let mut page = ShownPage::of(&RunPage {
        runs: found.runs,
        next: found.next,
    });
    worker.shared().http.ui.hidden.hide_in_list(&mut page);
    let list = RunList {
        runs: page.runs,
        next: page.next,
        stopped: found.stopped,
    };
    Ok(answer::page(&visit, Place::Runs, "Runs", &list, || {
        html(&visit, &asked, &list)
    }))
}

/// The filter of an address; what is no part of it is left alone.
fn filter(runs: &Runs, asked: &Asked, visit: &Visit) -> Result<RunFilter, Refusal> {
    let mut list = runs.list();
    for (name, value) in asked.pairs() {
        if !matches!(name.as_str(), "id" | "did" | "values" | "limit") {
            list = narrowed(list, name, value.trim().to_owned(), visit.now)?;
        }
    }
    Ok(list.into_filter())
}

fn html(visit: &Visit, asked: &Asked, list: &RunList) -> Markup {
    let filters: Vec<_> = without(asked, &["page", "did"]);
    html! {
        div.head {
            h1 { "Runs" }
            @if visit.operates && may_cancel(asked) {
                a.button href=(visit.to(address("cancel", &to_cancel(asked)))) { "Cancel these…" }
            }
        }
        (form(visit, asked))
        @if list.runs.is_empty() && !list.stopped {
            @if filters.is_empty() {
                (empty("No runs yet", &html! { p { a href=(visit.to("publish")) { "Publish an event" } " that a function takes." } }))
            } @else {
                (empty("No run matches", &html! { p { a href=(visit.to("runs")) { "Show all runs" } } }))
            }
        } @else {
            (table(visit, list))
            (pager(visit, asked, list))
        }
    }
}

/// The filters of a list, of which what is undone cannot be cancelled.
fn to_cancel(asked: &Asked) -> Vec<(&str, &str)> {
    let mut filters = without(asked, &["page", "did"]);
    for (name, value) in &mut filters {
        if *name == "status" && *value == STATUSES[1].0 {
            *value = OPEN;
        }
    }
    filters
}

/// Whether runs that have not ended can be among them.
fn may_cancel(asked: &Asked) -> bool {
    let statuses = asked.get("status");
    let ends = |word: &str| matches!(word, "completed" | "failed" | "cancelled" | "undoing");
    let chooses = ["function", "status", "event", "parent", "tag"];
    // A part of an id is compared here, and chooses nothing in the store.
    asked.get("id").is_none()
        && chooses.iter().any(|name| asked.get(name).is_some())
        && statuses.is_none_or(|words| !words.split(',').any(ends) || words == STATUSES[1].0)
}

fn without<'a>(asked: &'a Asked, names: &[&str]) -> Vec<(&'a str, &'a str)> {
    let pairs = asked.pairs().iter();
    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
    pairs.filter(|(name, _)| !names.contains(name)).collect()
}

fn form(visit: &Visit, asked: &Asked) -> Markup {
    let now = |name: &str| asked.get(name).unwrap_or_default();
    let field = |name: &'static str, label: &str, hint: &str, value: &str| {
        html! {
            label { (label)
                input name=(name) value=(value) placeholder=(hint) autocomplete="off" spellcheck="false";
            }
        }
    };
    let text = |name, label: &str, hint: &str| field(name, label, hint, now(name));
    let mut tags: Vec<_> = asked.all("tag").collect();
    if tags.is_empty() {
        tags.push("");
    }
    html! {
        form.filters method="get" action=(visit.to("runs")) role="search" aria-label="Filter runs" {
            label { "Status" (select("status", &asked.all("status").collect::<Vec<_>>().join(","), &STATUSES)) }
            label { "Within" (select("since", now("since"), &TIMES)) }
            (text("function", "Function", "id"))
            @for tag in tags { (field("tag", "Tag", "name=value", tag)) }
            (text("id", "Run", "id, or a part of it"))
            (text("event", "Event", "id"))
            @for name in ["until", "parent"] {
                @if asked.get(name).is_some() { (text(name, if name == "until" { "Until" } else { "Called by" }, "")) }
            }
            div.buttons {
                button { "Filter" }
                a.button href=(visit.to("runs")) { "Clear" }
            }
        }
    }
}

fn select(name: &str, now: &str, known: &[(&str, &str)]) -> Markup {
    let is_known = known.iter().any(|(value, _)| *value == now);
    html! {
        select name=(name) {
            @for (value, words) in known {
                option value=(value) selected[*value == now] { (words) }
            }
            @if !is_known { option value=(now) selected { (plain(now)) } }
        }
    }
}

fn table(visit: &Visit, list: &RunList) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th { "Run" } th { "Status" } th { "When" } th.number { "Took" } th { "Error" }
            } }
            tbody { @for run in &list.runs { (row(visit, run)) } }
        }
    }
}

fn row(visit: &Visit, run: &ShownRun) -> Markup {
    let since = run.finished_at.or(run.started_at).unwrap_or(run.created_at);
    let began = run.started_at.zip(run.finished_at);
    html! {
        tr {
            td.main data-label="Run" {
                a.id href=(visit.to_run(&run.run_id)) { (plain(&run.function_id)) " " span.faint { (plain(&run.run_id)) } }
                @for tag in run.tags.iter().take(MOST_TAGS) { " " a.tag href=(visit.to(address("runs", &[("tag", tag)]))) { (plain(tag)) } }
                @if run.tags.len() > MOST_TAGS { " " span.faint { "+" (run.tags.len() - MOST_TAGS) } }
            }
            td data-label="Status" { (status(run.status)) }
            td data-label="When" { (time(visit, since)) }
            td.number data-label="Took" {
                @match began {
                    Some((began, ended)) => (took(ended.0.since(began.0))),
                    None => span.none { "–" },
                }
            }
            td.error data-label="Error" {
                @match run.error.as_ref().filter(|_| run.status != RunStatus::Completed) {
                    Some(failure) => div.lines { (short_error(failure)) },
                    None => span.none { "–" },
                }
            }
        }
    }
}

fn pager(visit: &Visit, asked: &Asked, list: &RunList) -> Markup {
    html! {
        nav.pager aria-label="Pages" {
            @if list.stopped {
                span { "The search has stopped here, so that it costs the store little. " }
            }
            @if let Some(next) = &list.next {
                @let mut older = without(asked, &["page", "did"]);
                @let () = older.push(("page", next));
                a.button rel="next" href=(visit.to(address("runs", &older))) {
                    @if list.stopped { "Search older runs" } @else { "Older" }
                }
            }
            @if asked.get("page").is_some() {
                a.button href=(visit.to(address("runs", &without(asked, &["page", "did"])))) { "Newest" }
            }
        }
    }
}
