//! The command `publish`.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    args::PublishArgs,
    place::Place,
    print::{self, Out, plain, plural},
    wrong::Wrong,
};
use crate::{
    clock::{Clock as _, SystemClock},
    dispatch::wire,
    id::event_id,
    store::NewEvent,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    event_id: &'a str,
    duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<Vec<ShownRun<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownRun<'a> {
    run_id: &'a str,
    function_id: &'a str,
}

pub(super) async fn publish(place: &dyn Place, asked: PublishArgs, out: Out) -> Result<(), Wrong> {
    let payload = payload(&asked.payload)?;
    let event_type = wire::event_type_of(asked.event_type, "the event's type")
        .map_err(|wrong| Wrong::usage(wrong.message))?;
    let now = SystemClock.now();
    let id = event_id(&event_type, asked.key.as_deref());
    let event = NewEvent::new(
        id.as_str(),
        event_type.as_str(),
        payload,
        asked.delay.map_or(now, |delay| now.after(delay)),
    );
    let sent = place.publish(event).await?;
    let runs = sent.runs.as_deref();
    if out.json {
        let runs = runs.map(|runs| runs.iter().map(ShownRun::of).collect());
        return print::object(&Shown {
            event_id: &id,
            duplicate: sent.duplicate,
            runs,
        });
    }
    if sent.duplicate {
        return print::write(&format!("{id} was already published\n"));
    }
    let started = runs.map_or_else(String::new, |runs| {
        format!(", started {}", plural(runs.len(), "run"))
    });
    print::write(&format!("published {id}{started}\n"))?;
    for (run, function) in runs.unwrap_or_default() {
        print::write(&format!("  {}  {}\n", plain(run), plain(function)))?;
    }
    if runs.is_some_and(<[_]>::is_empty) {
        print::tell(&format!("no function subscribes to `{event_type}`"));
    }
    Ok(())
}

impl<'a> ShownRun<'a> {
    fn of((run_id, function_id): &'a (String, String)) -> Self {
        Self {
            run_id,
            function_id,
        }
    }
}

/// The payload as given.
fn payload(given: &str) -> Result<Vec<u8>, Wrong> {
    let json = read(given, "event")?;
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(&json)
        .map_err(|error| Wrong::usage(format!("the event must be a JSON object: {error}")))?;
    if fields.contains_key("type") {
        return Err(Wrong::usage(
            "the event has a field `type`; leave it out, since the type is a separate argument",
        ));
    }
    Ok(json.trim_ascii().to_vec())
}

/// JSON as given: itself, `@file`, or `-` for standard input.
pub(super) fn read(given: &str, what: &str) -> Result<Vec<u8>, Wrong> {
    match given.strip_prefix('@') {
        Some(path) => fs::read(path).map_err(|error| {
            Wrong::failed(&format!("cannot read the {what} from `{path}`"), error)
        }),
        None if given == "-" => {
            let mut json = Vec::new();
            io::stdin().read_to_end(&mut json).map_err(|error| {
                Wrong::failed(
                    &format!("cannot read the {what} from standard input"),
                    error,
                )
            })?;
            Ok(json)
        }
        None => Ok(given.into()),
    }
}
