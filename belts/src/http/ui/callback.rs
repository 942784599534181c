//! Completing a callback of a run, by whoever may change the run.

use axum::{extract::State, http::Uri, response::Response};
use maud::html;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    answer::{self, Wrong},
    fields::Fields,
    question::Question,
    rerun::told,
    visit::{Asked, Visit, run},
    words::marked,
};
use crate::{http::refusal::Refusal, inspect::open_callbacks::Said, plain::plain, worker::Worker};

#[derive(Serialize)]
struct Completed {
    completed: bool,
}

pub(super) async fn ask(
    State(worker): State<Worker>,
    visit: Visit,
    uri: Uri,
) -> Result<Response, Wrong> {
    let asked = Asked::of(&uri)?;
    let (id, step) = (asked.need("run")?, asked.need("step")?);
    let record = visit.runs(&worker).get(id).await?;
    let question = Question {
        title: "Complete this callback?",
        text: html! {
            p.subject { (plain(&record.function_id)) " " span.id { (plain(id)) } }
            p { (marked(&format!("The run goes on with what you say to `{step}`. The first completion counts."))) }
        },
        action: "complete",
        fields: vec![("run", id), ("step", step)],
        inputs: html! {
            label { "Value " span.faint { "as JSON; a text needs quotes" }
                textarea name="value" rows="4" spellcheck="false" placeholder="\"approve\"" {}
            }
            label { "Or have it fail, with this text"
                input name="failure" autocomplete="off";
            }
        },
        button: "Complete it",
        is_grave: false,
        back: run(id),
    };
    Ok(question.page(&visit))
}

pub(super) async fn complete(
    State(worker): State<Worker>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Wrong> {
    fields.only(&["run", "step"], &["value", "failure"])?;
    let (id, step) = (fields.need("run")?, fields.need("step")?);
    let value = fields.get("value").map(json).transpose()?;
    let failure = fields.get("failure");
    if value.is_some() == failure.is_some() {
        return Err(Refusal::bad_request("say either a value or a failure").into());
    }
    let said = match value {
        Some(value) => Said::Value(value),
        None => Said::Failure(failure.unwrap_or_default().to_owned()),
    };
    visit.runs(&worker).complete_at(id, step, said).await?;
    let done = Completed { completed: true };
    Ok(answer::done(&visit, &told(id, "complete"), &done))
}

/// A value as somebody has written it.
pub(super) fn json(text: &str) -> Result<Box<RawValue>, Refusal> {
    let value = RawValue::from_string(text.trim().to_owned());
    value.map_err(|_| {
        Refusal::bad_json("the value is not JSON; a text needs quotes, as in `\"approve\"`")
    })
}
