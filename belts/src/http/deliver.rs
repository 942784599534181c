//! A delivery: checked from the outside in, made durable, and answered.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{
    HttpMode, body,
    refusal::Refusal,
    signature,
    wire::{self, Context, Delivery},
};
use crate::{
    event::EncodedEvent,
    store::Subscription,
    worker::{Execute, Shared, Worker},
};

pub(super) async fn deliver(State(worker): State<Worker>, request: Request) -> Response {
    receive(&worker, request)
        .await
        .unwrap_or_else(Refusal::into_response)
}

async fn receive(worker: &Worker, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let shared = worker.shared();
    body::require_json(&parts.headers)?;
    let body = body::read(body, shared.http.max_body_bytes).await?;
    if !shared.http.keys.is_empty() {
        signature::verify(&shared.http.keys, &parts.headers, &body, worker.now())
            .inspect_err(|_| tracing::warn!("refused a delivery without a right signature"))?;
    }
    let mode = HttpMode::of(&parts.uri, shared)?;
    let event_id = event_id(&parts.headers)?;
    let delivery = Delivery::read(&body)?;
    if shared.is_draining() {
        return Err(Refusal::shutdown());
    }
    let correlation_key = check(shared, &delivery).await?;
    let event = EncodedEvent {
        event_type: delivery.event_type,
        payload: delivery.payload,
        correlation_key,
    };
    let started = execute(worker, event, delivery.context, event_id, mode)
        .start()
        .await?;
    tracing::debug!(
        event = %started.event_id, runs = started.runs.len(), duplicate = started.duplicate, ?mode,
        "received a delivery"
    );
    Ok(mode.answer(shared.clone(), started).await)
}

/// The event's id, where the sender named the message: another road to an id never has three parts that begin like this.
fn event_id(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(message) = headers.get(wire::WEBHOOK_ID) else {
        return Ok(None);
    };
    let message = message
        .to_str()
        .map_err(|_| Refusal::bad_request("the header `webhook-id` is not text"))?;
    let message = wire::id(message.to_owned(), "the header `webhook-id`")?;
    Ok(Some(crate::publish::stable_id(&[
        "http",
        wire::WEBHOOK_ID,
        &message,
    ])))
}

/// The event's correlation key, if somebody takes the event and it fits.
async fn check(shared: &Shared, delivery: &Delivery) -> Result<Option<Arc<str>>, Refusal> {
    let event_type = &*delivery.event_type;
    let local = delivery
        .context
        .function_id
        .as_deref()
        .map(|id| shared.registry.get(id));
    match (local, &delivery.context.function_id) {
        (Some(Some(function)), Some(id)) => {
            let types: Vec<_> = function
                .def
                .events
                .iter()
                .copied()
                .flatten()
                .copied()
                .collect();
            takes(id, &types, event_type)?;
            return Ok((function.def.check)(event_type, &delivery.payload)?);
        }
        (_, Some(id)) => {
            let subscriptions = shared.store.subscriptions().await?;
            let Some(function) = subscriptions
                .iter()
                .find(|function| *function.function_id == **id)
            else {
                let known = list(subscriptions.iter().map(|function| &*function.function_id));
                return Err(Refusal::unknown_function(format!(
                    "no function has the id `{id}`; there are: {known}"
                )));
            };
            takes(
                id,
                &function
                    .event_types
                    .iter()
                    .map(|known| &**known)
                    .collect::<Vec<_>>(),
                event_type,
            )?;
        }
        (_, None) if shared.registry.listeners(event_type).next().is_none() => {
            known(event_type, &shared.store.subscriptions().await?)?;
        }
        (_, None) => {}
    }
    Ok(shared.registry.check(event_type, &delivery.payload)?)
}

fn takes(function: &str, types: &[&str], event_type: &str) -> Result<(), Refusal> {
    if types.contains(&event_type) {
        return Ok(());
    }
    let known = list(types.iter().copied());
    Err(Refusal::bad_request(format!(
        "the function `{function}` does not take `{event_type}`; it takes: {known}"
    )))
}

fn known(event_type: &str, subscriptions: &[Subscription]) -> Result<(), Refusal> {
    let types = || {
        subscriptions
            .iter()
            .flat_map(|function| &function.event_types)
            .map(|known| &**known)
    };
    if types().any(|known| known == event_type) {
        return Ok(());
    }
    let known = list(types());
    Err(Refusal::unknown_event(format!(
        "no function takes the event type `{event_type}`; known types: {known}"
    )))
}

/// The words in order, each once, and not too many.
fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 50;
    let words: std::collections::BTreeSet<_> = words.collect();
    if words.is_empty() {
        return "none".to_owned();
    }
    let more = if words.len() > MOST { ", …" } else { "" };
    words.into_iter().take(MOST).collect::<Vec<_>>().join(", ") + more
}

fn execute(
    worker: &Worker,
    event: EncodedEvent,
    context: Context,
    event_id: Option<String>,
    mode: HttpMode,
) -> Execute {
    let named = context.execution_id.is_some();
    let mut execute = Execute::new(worker.clone(), Ok(event));
    execute.event_id = event_id;
    execute.due_at = context.timestamp;
    execute.function = context.function_id;
    execute.run_id = context.execution_id;
    execute.until = context.execution_target;
    execute.in_background = mode == HttpMode::Accept;
    execute.exclusive = named || mode != HttpMode::Accept;
    execute
}
