//! Messages under way: look at one, cancel one or many.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::IntoResponse as _,
};
use serde_json::json;

use super::{Answer, App};
use crate::{book::Book, failed::Failed, filter::Filter, view};

/// The service forgets a message at its end, and so it is not found any more.
pub(super) async fn get(State(engine): App, Path(id): Path<String>) -> Answer {
    engine.look(|book| {
        let message = book.message(&id).filter(|message| !message.state.is_end());
        let message = message.ok_or_else(|| Failed::not_found(&format!("message {id}")))?;
        Ok(Json(view::message(message)).into_response())
    })
}

pub(super) async fn cancel(State(engine): App, Path(id): Path<String>) -> Answer {
    let number = engine.look(|book| book.ids.get(&id).copied());
    let is_cancelled = number.is_some_and(|number| engine.change(|book| book.cancel(number)));
    if is_cancelled {
        return Ok(cancelled(1));
    }
    Err(Failed::not_found(&format!("message {id}")))
}

/// Those of these ids; or those that fit the filter, which without any are all.
pub(super) async fn cancel_many(State(engine): App, uri: Uri, body: Bytes) -> Answer {
    let filter = Filter::new(uri.query().unwrap_or_default(), &body);
    let count = engine.change(|book| {
        let chosen = chosen(book, &filter);
        chosen
            .into_iter()
            .filter(|number| book.cancel(*number))
            .count()
    });
    Ok(cancelled(count))
}

fn chosen(book: &Book, filter: &Filter) -> Vec<u64> {
    if let Some(ids) = filter.ids("messageIds") {
        return ids
            .iter()
            .filter_map(|id| book.ids.get(id).copied())
            .collect();
    }
    let pending = book
        .messages
        .iter()
        .filter(|(_, message)| !message.state.is_end());
    let fits = pending.filter(|(_, message)| {
        filter.fits_message(message) && filter.fits_time(message.created_at)
    });
    fits.map(|(number, _)| *number).collect()
}

fn cancelled(count: usize) -> axum::response::Response {
    (StatusCode::ACCEPTED, Json(json!({ "cancelled": count }))).into_response()
}
