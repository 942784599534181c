//! What happened to messages, the newest first.

use axum::{Json, extract::State, http::Uri, response::IntoResponse as _};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{Answer, App};
use crate::{
    book::{Book, Entry},
    filter::Filter,
    view,
};

const MOST: u64 = 1_000;

/// The name that the SDKs ask for.
pub(super) async fn events(State(engine): App, uri: Uri) -> Answer {
    let (events, cursor) = engine.look(|book| page(book, &uri));
    Ok(Json(view::compact(json!({ "events": events, "cursor": cursor }))).into_response())
}

/// The name in the documentation.
pub(super) async fn logs(State(engine): App, uri: Uri) -> Answer {
    let (logs, cursor) = engine.look(|book| page(book, &uri));
    Ok(Json(view::compact(json!({ "logs": logs, "cursor": cursor }))).into_response())
}

/// The cursor is how many entries of the filter were shown before.
fn page(book: &Book, uri: &Uri) -> (Vec<Value>, Option<String>) {
    let filter = Filter::new(uri.query().unwrap_or_default(), b"");
    let shown = filter
        .number("cursor")
        .and_then(|cursor| usize::try_from(cursor).ok())
        .unwrap_or(0);
    let count = filter.count(MOST);
    let fitting = book
        .log
        .iter()
        .rev()
        .filter_map(|entry| view_of(book, entry, &filter));
    let mut page: Vec<Value> = fitting
        .skip(shown)
        .take(count + 1)
        .map(Value::Object)
        .collect();
    let has_more = page.len() > count;
    page.truncate(count);
    (page, has_more.then(|| (shown + count).to_string()))
}

fn view_of(book: &Book, entry: &Entry, filter: &Filter) -> Option<Map<String, Value>> {
    let message = book.messages.get(&entry.message)?;
    let fits = filter.fits_message(message)
        && filter.fits_time(entry.time)
        && filter.fits("state", Some(entry.state));
    let mut view = view::message(message);
    if !message.options.redact.body {
        view.insert("body".to_owned(), STANDARD.encode(&message.body).into());
        view.remove("bodyBase64");
    }
    let answer = entry
        .answer
        .as_ref()
        .and_then(|answer| answer.as_ref().ok());
    view.extend(view::compact(json!({
        "time": entry.time,
        "state": entry.state,
        "nextDeliveryTime": entry.next,
        "error": entry.answer.as_ref().and_then(|answer| answer.as_ref().err()),
        "responseStatus": answer.map(|answer| answer.status),
        "responseHeader": answer.map(|answer| view::header_lists(&answer.headers)),
        "responseBody": answer.map(|answer| STANDARD.encode(&answer.body)),
    })));
    fits.then_some(view)
}
