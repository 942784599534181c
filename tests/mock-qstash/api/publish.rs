//! Publishing: one message, one into a queue, or many at once.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, App};
use crate::{
    book::{Accepted, Incoming},
    engine::Engine,
    failed::Failed,
    target::Target,
    words::Words,
};

type Peer = ConnectInfo<SocketAddr>;

pub(super) async fn publish(
    State(engine): App,
    peer: Peer,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let incoming = incoming(Target::publish(&uri)?, &peer, &headers, body);
    publish_one(&engine, &incoming)
}

pub(super) async fn enqueue(
    State(engine): App,
    peer: Peer,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let incoming = incoming(Target::enqueue(&uri)?, &peer, &headers, body);
    publish_one(&engine, &incoming)
}

fn incoming(target: Target, peer: &Peer, headers: &HeaderMap, body: Bytes) -> Incoming {
    Incoming {
        destination: target.destination,
        queue: target.queue,
        words: Words::new(headers, target.options),
        body,
        caller_ip: peer.ip().to_string(),
        source: None,
    }
}

fn publish_one(engine: &Engine, incoming: &Incoming) -> Answer {
    engine.change(|book| {
        let accepted = book.publish(incoming)?;
        Ok(answer(&accepted, book.settings.duplicate_status))
    })
}

fn answer(accepted: &Accepted, duplicate: u16) -> Response {
    let is_duplicate = matches!(accepted, Accepted::One(taken) if taken.deduplicated);
    let duplicate = StatusCode::from_u16(duplicate).unwrap_or(StatusCode::ACCEPTED);
    let status = if is_duplicate {
        duplicate
    } else {
        StatusCode::OK
    };
    (status, Json(accepted)).into_response()
}

/// A message of a batch.
#[derive(Deserialize)]
struct Item {
    destination: String,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    queue: Option<String>,
}

/// Each item is taken or refused by itself, so the answer is 200 in either case.
pub(super) async fn batch(State(engine): App, peer: Peer, body: Bytes) -> Answer {
    let items: Vec<Item> = serde_json::from_slice(&body)
        .map_err(|error| Failed::bad_request(format!("invalid batch: {error}")))?;
    let answers: Vec<Value> = items
        .into_iter()
        .map(|item| {
            let incoming = Incoming {
                destination: item.destination,
                queue: item.queue,
                words: Words::of_item(&item.headers.unwrap_or_default()),
                body: item.body.unwrap_or_default().into(),
                caller_ip: peer.ip().to_string(),
                source: None,
            };
            match engine.change(|book| book.publish(&incoming)) {
                Ok(accepted) => json!(accepted),
                Err(failed) => json!({ "error": failed.message }),
            }
        })
        .collect();
    Ok(Json(answers).into_response())
}
