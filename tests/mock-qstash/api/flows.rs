//! Flow control: what each key allows, and how far it is used.

use axum::{
    Json,
    extract::{Path, State},
    http::Uri,
    response::IntoResponse as _,
};
use serde_json::{Value, json};

use super::{Answer, App};
use crate::{failed::Failed, filter::Filter, lane::Lane};

pub(super) async fn list(State(engine): App) -> Answer {
    let lanes: Vec<Value> = engine.look(|book| {
        book.flows
            .iter()
            .map(|(key, lane)| view(key, lane))
            .collect()
    });
    Ok(Json(lanes).into_response())
}

pub(super) async fn get(State(engine): App, Path(key): Path<String>) -> Answer {
    engine.look(|book| {
        let lane = book.flows.get(&key).ok_or_else(|| unknown(&key))?;
        Ok(Json(view(&key, lane)).into_response())
    })
}

pub(super) async fn global(State(engine): App) -> Answer {
    let view = engine.look(|book| json!({ "parallelismMax": book.settings.parallelism, "parallelismCount": book.active() }));
    Ok(Json(view).into_response())
}

pub(super) async fn act(
    State(engine): App,
    Path((key, action)): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    let filter = Filter::new(uri.query().unwrap_or_default(), b"");
    engine.change(|book| {
        let lane = book.flows.get_mut(&key).ok_or_else(|| unknown(&key))?;
        match action.as_str() {
            "pause" => lane.paused = true,
            "resume" => lane.paused = false,
            "resetRate" => lane.reset_rate(),
            "pin" => pin(lane, &filter)?,
            "unpin" => unpin(lane, &filter),
            _ => return Err(Failed::not_found(&action)),
        }
        Ok(().into_response())
    })
}

/// A period without a rate has no effect.
fn pin(lane: &mut Lane, filter: &Filter) -> Result<(), Failed> {
    for name in ["parallelism", "rate", "period"] {
        if let Some(value) = filter.ids(name).and_then(<[String]>::first) {
            lane.pinned.set(name, value).map_err(Failed::bad_request)?;
        }
    }
    Ok(())
}

fn unpin(lane: &mut Lane, filter: &Filter) {
    let is_asked = |name| filter.fits(name, Some("true"));
    if is_asked("parallelism") {
        lane.pinned.parallelism = None;
    }
    if is_asked("rate") {
        (lane.pinned.rate, lane.pinned.period) = (None, None);
    }
}

fn unknown(key: &str) -> Failed {
    Failed::not_found(&format!("flow control key {key}"))
}

fn view(key: &str, lane: &Lane) -> Value {
    let limits = lane.in_force();
    json!({
        "flowControlKey": key,
        "waitListSize": lane.waiting.len(),
        "parallelismMax": limits.parallelism.unwrap_or(0),
        "parallelismCount": lane.active,
        "rateMax": limits.rate.unwrap_or(0),
        "rateCount": lane.rate_count(),
        "ratePeriod": limits.period().as_secs(),
        "isPaused": lane.paused,
        "isPinnedParallelism": lane.pinned.parallelism.is_some(),
        "isPinnedRate": lane.pinned.rate.is_some(),
    })
}
