//! The dead letter queue: list, get, delete, and publish again.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri},
    response::IntoResponse as _,
};
use serde_json::{Value, json};

use super::{Answer, App};
use crate::{book::Book, failed::Failed, filter::Filter, inspect::DeadLetter, view, words::Words};

/// So many letters are listed, deleted or retried at a time.
const MOST: u64 = 100;

pub(super) async fn list(State(engine): App, uri: Uri) -> Answer {
    let filter = Filter::new(uri.query().unwrap_or_default(), b"");
    engine.look(|book| {
        let (page, cursor) = page(book, &filter);
        let letters = page.iter().filter_map(|number| book.dead.get(number));
        let messages: Vec<Value> = letters
            .map(|letter| view::dead_letter(letter).into())
            .collect();
        Ok(Json(view::compact(
            json!({ "messages": messages, "cursor": cursor }),
        ))
        .into_response())
    })
}

pub(super) async fn get(State(engine): App, Path(id): Path<String>) -> Answer {
    engine.look(|book| {
        let letter = book
            .dead
            .get(&number(book, &id)?)
            .ok_or_else(|| unknown(&id))?;
        Ok(Json(view::dead_letter(letter)).into_response())
    })
}

pub(super) async fn delete(State(engine): App, Path(id): Path<String>) -> Answer {
    engine.change(|book| {
        book.dead.remove(&number(book, &id)?);
        Ok(Json(json!({ "deleted": 1 })).into_response())
    })
}

pub(super) async fn delete_many(State(engine): App, uri: Uri, body: Bytes) -> Answer {
    let filter = Filter::new(uri.query().unwrap_or_default(), &body);
    let (count, cursor) = engine.change(|book| {
        let (page, cursor) = page(book, &filter);
        let deleted = page
            .iter()
            .filter(|number| book.dead.remove(number).is_some());
        (deleted.count(), cursor)
    });
    Ok(Json(view::compact(json!({ "deleted": count, "cursor": cursor }))).into_response())
}

pub(super) async fn retry(
    State(engine): App,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let words = Words::new(&headers, Vec::new());
    engine.change(|book| {
        let number = number(book, &id)?;
        Ok((StatusCode::CREATED, Json(book.retry(number, &words)?)).into_response())
    })
}

pub(super) async fn retry_many(
    State(engine): App,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let filter = Filter::new(uri.query().unwrap_or_default(), &body);
    let words = Words::new(&headers, Vec::new());
    engine.change(|book| {
        let (page, cursor) = page(book, &filter);
        let responses = page.iter().map(|number| book.retry(*number, &words));
        let responses = responses.collect::<Result<Vec<_>, Failed>>()?;
        let answer = view::compact(json!({ "responses": responses, "cursor": cursor }));
        Ok((StatusCode::CREATED, Json(answer)).into_response())
    })
}

fn number(book: &Book, id: &str) -> Result<u64, Failed> {
    book.letter(id).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Failed {
    Failed::not_found(&format!("dlq message {id}"))
}

/// The letters that fit, behind the cursor and no more than asked for; and the cursor of the next page if there is one.
fn page(book: &Book, filter: &Filter) -> (Vec<u64>, Option<String>) {
    let count = filter.count(MOST);
    let behind = filter.number("cursor").unwrap_or(0);
    let fitting = book
        .dead
        .range(behind + 1..)
        .filter(|(_, letter)| fits(filter, letter));
    let mut page: Vec<u64> = fitting.map(|(number, _)| *number).take(count + 1).collect();
    let has_more = page.len() > count;
    page.truncate(count);
    let cursor = page.last().filter(|_| has_more).map(u64::to_string);
    (page, cursor)
}

/// Where ids are given, nothing else counts.
fn fits(filter: &Filter, letter: &DeadLetter) -> bool {
    if let Some(ids) = filter.ids("dlqIds") {
        return ids.contains(&letter.id);
    }
    let status = view::status(&letter.answer).to_string();
    filter.fits_message(&letter.message)
        && filter.fits_time(letter.message.created_at)
        && filter.fits("responseStatus", Some(&status))
}
