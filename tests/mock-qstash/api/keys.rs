//! The signing keys.

use axum::{Json, extract::State, response::IntoResponse as _};

use super::{Answer, App};
use crate::book::Book;

pub(super) async fn get(State(engine): App) -> Answer {
    let keys = engine.look(|book| book.keys.clone());
    Ok(Json(keys).into_response())
}

pub(super) async fn rotate(State(engine): App) -> Answer {
    let keys = engine.change(Book::rotate);
    Ok(Json(keys).into_response())
}
