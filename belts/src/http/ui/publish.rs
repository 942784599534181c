//! Publishing an event by a form.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, http::Uri, response::Response};
use maud::{Markup, html};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    answer::{self, Wrong},
    cookie::hex,
    fields::Fields,
    layout::{Place, hidden},
    rerun::told,
    visit::{Asked, Visit, address},
};
use crate::{
    dispatch::{MessageOptions, wire},
    http::refusal::Refusal,
    id::event_id,
    inspect::when,
    plain::plain,
    publish::SkippedRun,
    store::NewEvent,
    worker::Worker,
};

/// The events that can be published, and the functions that each starts.
#[derive(Serialize)]
struct Known {
    events: BTreeMap<String, Vec<Arc<str>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    event_id: String,
    duplicate: bool,
    runs: Vec<DoneRun>,
    /// What flow options skipped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<SkippedRun>,
    /// Whether a dispatcher carries it, so that nobody knows yet what it starts.
    is_carried: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DoneRun {
    run_id: String,
    function_id: String,
}

pub(super) async fn form(
    State(worker): State<Worker>,
    visit: Visit,
    uri: Uri,
) -> Result<Response, Wrong> {
    let asked = Asked::of(&uri)?;
    let known = known(&worker).await?;
    let shape = asked
        .get("type")
        .and_then(|it| worker.shared().registry.shape(it));
    let text = asked
        .get("data")
        .map(str::to_owned)
        .or(shape)
        .unwrap_or_else(|| "{\n  \n}".to_owned());
    let chosen = asked.get("type").unwrap_or_default();
    Ok(answer::page(
        &visit,
        Place::Publish,
        "Publish an event",
        &known,
        || html(&visit, &known, chosen, &text),
    ))
}

async fn known(worker: &Worker) -> Result<Known, Wrong> {
    let mut events: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
    for subscription in worker.store().subscriptions().await? {
        for event_type in &subscription.event_types {
            let functions = events.entry(event_type.to_string()).or_default();
            functions.push(Arc::clone(&subscription.function_id));
        }
    }
    for event_type in worker.store().awaited().await? {
        events.entry(event_type.to_string()).or_default();
    }
    events.retain(|event_type, _| !event_type.starts_with("belts."));
    Ok(Known { events })
}

fn html(visit: &Visit, known: &Known, chosen: &str, text: &str) -> Markup {
    html! {
        h1 { "Publish an event" }
        @if !known.events.is_empty() {
            ul.types aria-label="Events that are taken here" { @for (event_type, functions) in &known.events { li {
                a href=(visit.to(address("publish", &[("type", event_type)]))) aria-current=[(event_type == chosen).then_some("true")] {
                    (plain(event_type))
                }
                " " span.faint {
                    @if functions.is_empty() { "is waited for" } @else {
                        "starts " @for (place, id) in functions.iter().enumerate() { @if place > 0 { ", " } (plain(id)) }
                    }
                }
            } } }
        }
        @if visit.operates {
            form.publish method="post" action=(visit.to("publish")) {
                (hidden("form", &visit.form))
                (hidden("once", &Uuid::new_v4().simple().to_string()))
                label { "Type" input name="type" value=(chosen) required autocomplete="off" spellcheck="false"; }
                label { "Event " span.faint { "a JSON object, without its type" }
                    textarea name="data" rows="10" required spellcheck="false" { (text) }
                }
                div.pair {
                    label { "Key " span.faint { "publishes once, however often it is sent" }
                        input name="key" autocomplete="off" spellcheck="false";
                    }
                    label { "Delay " span.faint { "such as 10m" }
                        input name="delay" autocomplete="off" spellcheck="false";
                    }
                }
                div.buttons { button { "Publish" } }
            }
        } @else {
            p.reason { "You may look at everything here, and change nothing." }
        }
    }
}

pub(super) async fn publish(
    State(worker): State<Worker>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Wrong> {
    let event = event(&worker, &visit, &fields).await?;
    let shared = Arc::clone(worker.shared());
    let is_carried = shared.dispatcher.is_some();
    let runs = visit.runs(&worker);
    let event_type = Arc::clone(&event.event_type);
    runs.tell_of(&format!("publish {event_type}"));
    // Whoever asks may go before it is done.
    let publishing = tokio::spawn(async move {
        let published = shared.send(event, MessageOptions::default()).await?;
        if !published.duplicate {
            for run in &published.runs {
                runs.note_quietly(&run.run_id, &format!("publish {event_type}"))
                    .await?;
            }
        }
        Ok::<_, crate::Error>(published)
    });
    let published = publishing.await.map_err(|_| Refusal::shutdown())??;
    let runs = published.runs.iter().map(|run| DoneRun {
        run_id: run.run_id.clone(),
        function_id: run.function_id.clone(),
    });
    let done = Done {
        runs: runs.collect(),
        duplicate: published.duplicate,
        event_id: published.event_id,
        skipped: published.skipped,
        is_carried,
    };
    let list = |did| address("runs", &[("event", &done.event_id), ("did", did)]);
    let to = match (done.runs.as_slice(), done.skipped.as_slice()) {
        _ if done.duplicate => list("duplicate"),
        _ if is_carried => list("carried"),
        ([run], []) => told(&run.run_id, "publish"),
        ([], [skipped]) => told(&skipped.run_id, "skipped"),
        ([], []) => address("publish", &[("did", "silent")]),
        _ => list("publish"),
    };
    Ok(answer::done(&visit, &to, &done))
}

/// The event of a form, if somebody takes it and it fits.
async fn event(worker: &Worker, visit: &Visit, fields: &Fields) -> Result<NewEvent, Wrong> {
    fields.only(&["type", "data", "once"], &["key", "delay"])?;
    let shared = worker.shared();
    let event_type =
        wire::event_type_of(fields.need("type")?.trim().to_owned(), "the event's type")
            .map_err(Refusal::from)?;
    let text = fields.need("data")?.trim();
    let parsed: Result<BTreeMap<String, &RawValue>, _> = serde_json::from_str(text);
    let named = parsed.map_err(|error| {
        Refusal::bad_request(format!("the event must be a JSON object: {error}"))
    })?;
    if named.contains_key("type") {
        let text =
            "the event has a field `type`; leave it out, since the type is a field of its own";
        return Err(Refusal::bad_request(text).into());
    }
    let delay = fields.get("delay").map(|said| {
        when::duration(said.trim()).ok_or_else(|| {
            Refusal::bad_request("the delay is no time such as `90s`, `10m` or `24h`")
        })
    });
    let delay = delay.transpose()?;
    let received = wire::WireEvent {
        event_type: event_type.into(),
        payload: text.as_bytes().into(),
    };
    let correlation_key = shared.check(&received, None).await?;
    shared.check_size(&received.event_type, &received.payload)?;
    // The same form sent twice publishes once; what is changed in it meanwhile is another event.
    let once = fields
        .get("once")
        .map(|once| format!("form {once} {}", hex(&Sha256::digest(text))));
    let key = fields.get("key").map(str::to_owned).or(once);
    let id = event_id(&received.event_type, key.as_deref());
    let due_at = delay.map_or(visit.now, |delay| visit.now.after(delay));
    let mut event = NewEvent::new(id, received.event_type, received.payload, due_at);
    event.correlation_key = correlation_key;
    event.traceparent = shared.traceparent();
    Ok(event)
}
