//! Queues: create, look, pause, resume and delete.

use axum::{
    Json,
    extract::{Path, State},
    response::IntoResponse as _,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, App};
use crate::{
    book::{Queue, check_name},
    failed::Failed,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    queue_name: String,
    #[serde(default)]
    parallelism: Option<u32>,
    #[serde(default)]
    paused: Option<bool>,
}

pub(super) async fn set(State(engine): App, Json(wanted): Json<Wanted>) -> Answer {
    check_name(&wanted.queue_name)?;
    engine.change(|book| {
        let clock = book.clock();
        let queue = book.queue(&wanted.queue_name);
        queue.updated_at = clock;
        queue.lane.limits.parallelism = wanted.parallelism.or(queue.lane.limits.parallelism);
        queue.lane.paused = wanted.paused.unwrap_or(queue.lane.paused);
    });
    Ok(().into_response())
}

pub(super) async fn list(State(engine): App) -> Answer {
    let queues: Vec<Value> = engine.look(|book| {
        book.queues
            .iter()
            .map(|(name, queue)| view(name, queue))
            .collect()
    });
    Ok(Json(queues).into_response())
}

pub(super) async fn get(State(engine): App, Path(name): Path<String>) -> Answer {
    engine.look(|book| {
        let queue = book.queues.get(&name).ok_or_else(|| unknown(&name))?;
        Ok(Json(view(&name, queue)).into_response())
    })
}

/// What still waits in it is cancelled.
pub(super) async fn delete(State(engine): App, Path(name): Path<String>) -> Answer {
    engine.change(|book| {
        let queue = book.queues.get(&name).ok_or_else(|| unknown(&name))?;
        for message in queue.lane.waiting.clone() {
            book.cancel(message);
        }
        book.queues.remove(&name);
        Ok(().into_response())
    })
}

pub(super) async fn act(
    State(engine): App,
    Path((name, action)): Path<(String, String)>,
) -> Answer {
    engine.change(|book| {
        let queue = book.queues.get_mut(&name).ok_or_else(|| unknown(&name))?;
        match action.as_str() {
            "pause" => queue.lane.paused = true,
            "resume" => queue.lane.paused = false,
            _ => return Err(Failed::not_found(&action)),
        }
        Ok(().into_response())
    })
}

fn unknown(name: &str) -> Failed {
    Failed::not_found(&format!("queue {name}"))
}

fn view(name: &str, queue: &Queue) -> Value {
    json!({
        "name": name,
        "parallelism": queue.lane.limits.parallelism,
        "createdAt": queue.created_at,
        "updatedAt": queue.updated_at,
        "lag": queue.lane.waiting.len(),
        "paused": queue.lane.paused,
    })
}
