//! Cancelling: one run, or all that pass the filters of a list, which are counted first.

use axum::{extract::State, http::Uri, response::Response};
use maud::{Markup, html};

use super::{
    answer::{self, Wrong},
    exact,
    fields::Fields,
    layout::{Place, hidden},
    question::Question,
    rerun::told,
    search::count,
    visit::{Visit, address, run},
    words::{counted, plural},
};
use crate::{
    clock::Timestamp,
    http::{
        filters::{self, narrowed},
        query::query,
        refusal::Refusal,
    },
    inspect::{
        Runs, chosen,
        count::RunCount,
        shape::{Changed, ShownCancelled},
    },
    plain::plain,
    store::{RunFilter, RunStatus},
    worker::Worker,
};

/// The most runs that are counted.
const MOST: usize = 1_000;
/// What a form says that is no filter.
const NO_FILTERS: [&str; 2] = ["form", "done"];
const TIMES: [&str; 2] = ["since", "until"];

pub(super) async fn ask(
    State(worker): State<Worker>,
    visit: Visit,
    uri: Uri,
) -> Result<Response, Wrong> {
    let asked = query(&uri)?;
    let runs = visit.runs(&worker);
    if let Some(id) = one(&asked)? {
        let record = runs.get(id).await?;
        return Ok(ask_of_one(&visit, id, &record.function_id));
    }
    let mut filter = filter(&runs, &asked, visit.now)?;
    chosen::check(&filter, visit.now)?;
    if filter.statuses.is_empty() {
        filter.statuses = RunStatus::UNFINISHED.into();
    }
    // What is cancelled is what was there when it was asked, however long the answer takes.
    let since = filter.since.map(|since| since.to_string());
    let until = filter.until.unwrap_or(visit.now).to_string();
    let count = count(&runs, filter, MOST).await?;
    let pairs = asked.iter();
    let list: Vec<_> = pairs
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let back = address("runs", &list);
    let not_times = list.iter().filter(|(name, _)| !TIMES.contains(name));
    let mut fields: Vec<_> = not_times.copied().collect();
    fields.extend(since.as_deref().map(|since| ("since", since)));
    fields.push(("until", &until));
    let question = Question {
        title: "Cancel these runs?",
        text: counts(&count),
        action: "cancel",
        inputs: html! {},
        button: "Cancel them",
        is_grave: true,
        back,
        fields,
    };
    Ok(question.page(&visit))
}

fn ask_of_one(visit: &Visit, id: &str, function: &str) -> Response {
    let question = Question {
        title: "Cancel this run?",
        text: html! {
            p.subject { (plain(function)) " " span.id { (plain(id)) } }
            p { "It stops where it is, together with the runs that it has called and waits for. A step that is under way is "
                "dropped. Steps that know how to undo what they did are undone. It can be run again later." }
        },
        action: "cancel",
        fields: vec![("run", id)],
        inputs: html! {},
        button: "Cancel it",
        is_grave: true,
        back: run(id),
    };
    question.page(visit)
}

fn counts(count: &RunCount) -> Markup {
    let most = if count.more { count.runs } else { usize::MAX };
    html! {
        p { strong { (counted(count.runs, most)) } " of these have not ended"
            @if count.more { ", or more: no more were counted" }
            ". They stop where they are, together with the runs that they have called and wait for." }
        @if !count.groups.is_empty() {
            table.rows {
                thead { tr { th { "Function" } th { "Status" } th.number { "Runs" } } }
                tbody { @for group in &count.groups { tr {
                    td data-label="Function" { (plain(&group.function_id)) }
                    td data-label="Status" { (group.status) }
                    td.number data-label="Runs" { (counted(group.runs, usize::MAX)) }
                } } }
            }
        }
    }
}

pub(super) async fn cancel(
    State(worker): State<Worker>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Wrong> {
    let runs = visit.runs(&worker);
    if let Some(id) = one(fields.pairs())? {
        let changed = runs.cancel(id).await?;
        let status = runs.get(id).await?.status;
        let did = match (changed, status) {
            (false, _) => "not-cancelled",
            (true, RunStatus::Undoing) => "undo",
            (true, _) => "cancel",
        };
        let done = Changed {
            run_id: id.to_owned(),
            changed,
            status,
        };
        return Ok(answer::done(&visit, &told(id, did), &done));
    }
    let filter = filter(&runs, fields.pairs(), visit.now)?;
    // Whoever asks may go; runs that wait for those that were cancelled are told all the same.
    let cancelling = tokio::spawn(async move { runs.cancel_some(filter).await });
    let (done, result) = cancelling.await.map_err(|_| Refusal::shutdown())?;
    if let Err(error) = result {
        return Err(filters::refusal(error).after(done).into());
    }
    let before = fields
        .get("done")
        .and_then(|done| done.parse::<usize>().ok());
    let all = before.unwrap_or(0).saturating_add(done.cancelled);
    let done = ShownCancelled::from(done);
    Ok(answer::outcome(
        &visit,
        Place::Runs,
        "Cancelled",
        &done,
        || part(&visit, &fields, &done, all),
    ))
}

/// The run that is meant alone.
fn one(fields: &[(String, String)]) -> Result<Option<&str>, Refusal> {
    let run = fields.iter().find(|(name, _)| name == "run");
    if run.is_some() {
        exact::only(fields, &["run"], &["form"])?;
    }
    Ok(run.map(|(_, id)| id.as_str()))
}

/// The filter, of which nothing may be left out: each field less would cancel more.
fn filter(runs: &Runs, fields: &[(String, String)], now: Timestamp) -> Result<RunFilter, Refusal> {
    exact::once(fields)?;
    let mut list = runs.list();
    for (name, value) in fields {
        let value = value.trim();
        if NO_FILTERS.contains(&name.as_str()) {
            continue;
        }
        if value.is_empty() {
            let text = format!(
                "`{}` is empty; leave it out, or say what is meant",
                plain(name)
            );
            return Err(Refusal::bad_request(text));
        }
        if name == "id" {
            return Err(Refusal::bad_request(
                "runs cannot be cancelled by a part of their ids; cancel one with `run`, or remove `id`",
            ));
        }
        list = narrowed(list, name, value.to_owned(), now)?;
    }
    Ok(list.into_filter())
}

/// What a part has done, and the button for the next.
fn part(visit: &Visit, fields: &Fields, done: &ShownCancelled, all: usize) -> Markup {
    let filters = || {
        let pairs = fields.pairs().iter();
        let pairs = pairs.filter(|(name, value)| {
            !value.is_empty() && name != "page" && !NO_FILTERS.contains(&name.as_str())
        });
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    };
    let list: Vec<_> = filters().collect();
    html! {
        section.question {
            h1 { "Cancelled " (plural(all, "run")) }
            @if done.ended > 0 { p { (plural(done.ended, "run")) " had ended meanwhile." } }
            @if let Some(next) = &done.next {
                p { "There may be more: they are cancelled in parts, so that each is answered in time." }
                form method="post" action=(visit.to("cancel")) {
                    (hidden("form", &visit.form))
                    (hidden("page", next))
                    (hidden("done", &all.to_string()))
                    @for (name, value) in filters() { (hidden(name, value)) }
                    div.buttons {
                        button.danger { "Cancel the next part" }
                        a.button href=(visit.to(address("runs", &list))) { "Leave the rest" }
                    }
                }
            } @else {
                p { a.button href=(visit.to(address("runs", &list))) { "Back to the runs" } }
            }
        }
    }
}
