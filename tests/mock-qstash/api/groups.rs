//! URL groups, which the paths call topics.

use axum::{
    Json,
    extract::{Path, State},
    response::IntoResponse as _,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, App};
use crate::{
    book::{Endpoint, Group, check_name},
    failed::Failed,
    options::check_url,
};

#[derive(Deserialize)]
pub(super) struct Endpoints {
    endpoints: Vec<Endpoint>,
}

/// An endpoint that is there already gets its new name.
pub(super) async fn add(
    State(engine): App,
    Path(name): Path<String>,
    Json(new): Json<Endpoints>,
) -> Answer {
    check_name(&name)?;
    new.endpoints
        .iter()
        .try_for_each(|endpoint| check_url(&endpoint.url))?;
    engine.change(|book| {
        let clock = book.clock();
        let group = book.groups.entry(name).or_insert_with(|| Group {
            created_at: clock,
            updated_at: clock,
            endpoints: Vec::new(),
        });
        group.updated_at = clock;
        for endpoint in new.endpoints {
            group.endpoints.retain(|other| other.url != endpoint.url);
            group.endpoints.push(endpoint);
        }
    });
    Ok(().into_response())
}

/// By name or by URL; a group without endpoints is gone.
pub(super) async fn remove(
    State(engine): App,
    Path(name): Path<String>,
    Json(old): Json<Endpoints>,
) -> Answer {
    engine.change(|book| {
        let clock = book.clock();
        let group = book.groups.get_mut(&name).ok_or_else(|| unknown(&name))?;
        group.updated_at = clock;
        group
            .endpoints
            .retain(|endpoint| !old.endpoints.iter().any(|old| is_same(old, endpoint)));
        if group.endpoints.is_empty() {
            book.groups.remove(&name);
        }
        Ok(().into_response())
    })
}

fn is_same(old: &Endpoint, endpoint: &Endpoint) -> bool {
    old.url == endpoint.url || (old.name.is_some() && old.name == endpoint.name)
}

pub(super) async fn list(State(engine): App) -> Answer {
    let groups: Vec<Value> = engine.look(|book| {
        book.groups
            .iter()
            .map(|(name, group)| view(name, group))
            .collect()
    });
    Ok(Json(groups).into_response())
}

pub(super) async fn get(State(engine): App, Path(name): Path<String>) -> Answer {
    engine.look(|book| {
        let group = book.groups.get(&name).ok_or_else(|| unknown(&name))?;
        Ok(Json(view(&name, group)).into_response())
    })
}

pub(super) async fn delete(State(engine): App, Path(name): Path<String>) -> Answer {
    engine
        .change(|book| book.groups.remove(&name))
        .ok_or_else(|| unknown(&name))?;
    Ok(().into_response())
}

fn unknown(name: &str) -> Failed {
    Failed::not_found(&format!("url group {name}"))
}

fn view(name: &str, group: &Group) -> Value {
    json!({
        "name": name,
        "createdAt": group.created_at,
        "updatedAt": group.updated_at,
        "endpoints": group.endpoints,
    })
}
