//! A delivery: checked from the outside in, made durable, and answered.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, request::Parts},
    response::{IntoResponse, Response},
};

use super::{
    HttpMode, access, body,
    modes::{self, Tells},
    refusal::Refusal,
    refused, verify,
};
use crate::{
    dispatch::{
        Pushed, Recognized,
        wire::{self, Body},
    },
    error::{Error, ErrorKind},
    id::stable_id,
    panic::catch_future,
    telemetry::{Door, traceparent},
    worker::{Execute, Shared, TICKS, Trigger, Worker},
};

pub(super) async fn deliver(State(worker): State<Worker>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let shared = worker.shared();
    let http = &shared.http;
    let read = body::read_in_time(
        body,
        shared.most_in_a_message(),
        &http.limits,
        &*shared.clock,
    );
    let body = match read.await {
        Ok(body) => body,
        Err(refusal) => {
            shared.metrics.http.refused();
            return refusal.into_response();
        }
    };
    match verify(shared, &parts.headers, &body) {
        Ok(sender) => {
            // Whatever panics in one message, its sender gets a response.
            let received = async { Ok(receive(&worker, &parts, &body, sender.as_ref()).await) };
            catch_future(received)
                .await
                .unwrap_or_else(|panic| Err(panic.into()))
                .unwrap_or_else(|refusal| {
                    shared.metrics.http.refused();
                    refusal.answer(sender.as_ref())
                })
        }
        Err(refusal) => {
            shared.metrics.http.refused();
            refused::tell(shared, Door::Delivery, &parts, &refusal);
            refusal.into_response()
        }
    }
}

/// Rejects deliveries, since nothing proves who sends them.
pub(super) async fn refuse(State(worker): State<Worker>, request: Request) -> Refusal {
    let (parts, _) = request.into_parts();
    let refusal = Refusal::no_key();
    worker.shared().metrics.http.refused();
    refused::tell(worker.shared(), Door::Delivery, &parts, &refusal);
    refusal
}

/// The sender: the dispatcher, someone with a signing key, or anyone if no key is set.
fn verify(
    shared: &Shared,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Recognized>, Refusal> {
    let now = shared.clock.now();
    if let Some(dispatcher) = &shared.dispatcher {
        let pushed = Pushed::new(headers, body, now).with_url(shared.http.url.as_deref());
        if let Some(recognized) = dispatcher.recognize(&pushed) {
            return Ok(Some(recognized?));
        }
    }
    if !shared.http.keys.is_empty() {
        verify::verify(&shared.http.keys, headers, body, now)?;
    } else if shared.dispatcher_signs() {
        return Err(Refusal::signature(
            "the request is not signed by the dispatcher, and this worker accepts nothing else",
        ));
    }
    Ok(None)
}

async fn receive(
    worker: &Worker,
    parts: &Parts,
    body: &[u8],
    sender: Option<&Recognized>,
) -> Result<Response, Refusal> {
    let shared = worker.shared();
    body::require_json(&parts.headers)?;
    body::require_plain(&parts.headers)?;
    // `None` if the run is driven within the request and handed on.
    let mode = match sender {
        // A dispatcher that pushes treats the status as the verdict: without a loop, everything must be handed on by then.
        Some(_) if shared.hands_on() => None,
        _ => HttpMode::of(&parts.uri, shared)?,
    };
    let mode = match mode {
        Some(HttpMode::Stream) if sender.is_some() => Some(HttpMode::Accept),
        mode => mode,
    };
    let foreign = foreign_id(&parts.headers, sender)?;
    let Body { event, mut context } = Body::read(body)?;
    // A publisher names its span in the body, which proxies do not change.
    if context.traceparent.is_none() {
        let header = parts.headers.get(wire::TRACEPARENT);
        context.traceparent = header.and_then(|text| traceparent(text.to_str().ok()?));
    }
    if shared.is_draining() {
        return Err(Refusal::shutdown());
    }
    let place = HttpMode::wait_in_line(mode, shared)?;
    let named = context.execution_id.is_some();
    let asked = match (&event, context.timestamp) {
        (None, Some(due_at)) => Trigger::WakeUp {
            due_at,
            hop: context.hop,
        },
        (_, None) if named => Trigger::GoOn,
        _ => Trigger::Begin,
    };
    let wakes = event.is_none();
    let is_for_ticks = wakes && context.execution_id.as_deref() == Some(TICKS);
    // A wake-up of a run that has been purged has nothing left to do; a person who names a run is told that it does not exist.
    let may_be_over =
        wakes && context.function_id.is_none() && (context.timestamp.is_some() || sender.is_some());
    let mut execute = match event {
        Some(event) => worker.receive(event, context, foreign).await?,
        None => wake(worker, context),
    };
    execute.in_background = mode == Some(HttpMode::Accept);
    execute.exclusive = match mode {
        Some(HttpMode::Accept) => named && !matches!(asked, Trigger::WakeUp { .. }),
        Some(_) => true,
        None => false,
    };
    execute.hands_on = mode.is_none();
    let mut started = match execute.start().await {
        Err(error) if may_be_over && error.kind() == ErrorKind::UnknownRun => {
            if mode.is_none() && is_for_ticks {
                let brought = match asked {
                    Trigger::WakeUp { due_at, hop } => Some((due_at, hop)),
                    _ => None,
                };
                let pushed = shared.push_ticks(brought).await;
                pushed.map_err(|error| unfinished(shared, error))?;
            }
            shared.metrics.http.taken(false);
            return Ok(modes::over());
        }
        started => started?,
    };
    tracing::debug!(
        event = %started.event_id, runs = started.runs.len(), duplicate = started.duplicate, ?mode,
        "received a delivery"
    );
    let Some(mode) = mode else {
        started
            .hand_on(asked)
            .await
            .map_err(|error| unfinished(shared, error))?;
        shared.metrics.http.taken(started.duplicate && !wakes);
        return Ok(modes::handed_on(&started));
    };
    shared.metrics.http.taken(started.duplicate && !wakes);
    let replayed = sender.is_none() && is_replay(shared, &parts.headers);
    let tells = if access::may_read(worker, parts) {
        Tells::Outcomes
    } else if replayed {
        Tells::IdsAtOnce
    } else if started.duplicate {
        Tells::Ids
    } else {
        Tells::Outcomes
    };
    Ok(mode.answer(Arc::clone(shared), started, tells, place).await)
}

/// Whether a signed message was accepted before. Rejected ones are not remembered: they have to be redelivered.
fn is_replay(shared: &Shared, headers: &HeaderMap) -> bool {
    let id = headers
        .get(wire::WEBHOOK_ID)
        .and_then(|id| id.to_str().ok());
    !shared.http.keys.is_empty()
        && id.is_some_and(|id| shared.http.replays.take(id, shared.clock.now()))
}

/// A wake-up of a run that has to exist.
fn wake(worker: &Worker, context: wire::Context) -> Execute {
    let run_id = context.execution_id.unwrap_or_default();
    let unknown = Error::new(
        ErrorKind::UnknownRun,
        format!("there is no run `{run_id}`, and no event to start it with"),
    );
    let mut execute = Execute::new(worker.clone(), Err(unknown));
    execute.function = context.function_id;
    execute.run_id = Some(run_id);
    execute.until = context.execution_target;
    execute
}

/// The event's id, if the sender named the message: ids made any other way never start with these parts.
fn foreign_id(headers: &HeaderMap, sender: Option<&Recognized>) -> Result<Option<String>, Refusal> {
    if let Some(message) = sender.and_then(|sender| sender.message_id.as_deref()) {
        return Ok(Some(stable_id(&["message", message])));
    }
    let Some(message) = headers.get(wire::WEBHOOK_ID) else {
        return Ok(None);
    };
    let message = message
        .to_str()
        .map_err(|_| Refusal::bad_request("the header `webhook-id` is not text"))?;
    let message = wire::id(message.to_owned(), "the header `webhook-id`")?;
    Ok(Some(wire::webhook_event_id(&message)))
}

/// Why a delivery is unfinished: it must be redelivered, once the run can be leased and handed on. The message itself is valid,
/// so not even a wrong setting, such as the dispatcher's token, is a reason to set it aside.
fn unfinished(shared: &Shared, error: Error) -> Refusal {
    match error.kind() {
        ErrorKind::Busy => Refusal::from(error).retry_after(shared.host.lease.length),
        ErrorKind::Config | ErrorKind::TooLarge => {
            Refusal::from(Error::dispatcher("could not hand on a run", error)).without_retry_after()
        }
        _ => Refusal::from(error).without_retry_after(),
    }
}
