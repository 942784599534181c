//! Saying what came of a step of which nobody knows it.

use axum::{extract::State, http::Uri, response::Response};
use maud::html;
use serde::Serialize;

use super::{
    answer::{self, Wrong},
    callback::json,
    fields::Fields,
    question::Question,
    rerun::told,
    visit::{Asked, Visit, run},
    words::marked,
};
use crate::{http::refusal::Refusal, plain::plain, worker::Worker};

#[derive(Serialize)]
struct Settled {
    settled: bool,
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
        title: "What came of this step?",
        text: html! {
            p.subject { (plain(&record.function_id)) " " span.id { (plain(id)) } }
            p { (marked(&format!(
                "`{step}` was begun, and its process died or its time ran out before its outcome was recorded. Look at the other side, \
                 then say what is so."
            ))) }
        },
        action: "settle",
        fields: vec![("run", id), ("step", step)],
        inputs: html! {
            fieldset {
                legend { "It" }
                label.choice { input type="radio" name="outcome" value="value" required; " has happened, and this is its result" }
                label.choice { input type="radio" name="outcome" value="retry"; " has not happened, or may happen again: evaluate it" }
                label.choice { input type="radio" name="outcome" value="fail"; " has failed for good, with this text" }
            }
            label { "Result " span.faint { "as JSON" } textarea name="value" rows="3" spellcheck="false" {} }
            label { "Text of the failure" input name="failure" autocomplete="off"; }
        },
        button: "Settle it",
        is_grave: true,
        back: run(id),
    };
    Ok(question.page(&visit))
}

pub(super) async fn settle(
    State(worker): State<Worker>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Wrong> {
    fields.only(&["run", "step", "outcome"], &["value", "failure"])?;
    let (id, step) = (fields.need("run")?, fields.need("step")?);
    let settling = visit.runs(&worker).settle(id, step);
    match fields.need("outcome")? {
        "value" => settling.value_of(json(fields.need("value")?)?).await?,
        "retry" => settling.retry().await?,
        "fail" => settling.fail(fields.need("failure")?).await?,
        _ => {
            let known = "`outcome` must be `value`, `retry` or `fail`";
            return Err(Refusal::bad_request(known).into());
        }
    }
    let done = Settled { settled: true };
    Ok(answer::done(&visit, &told(id, "settle"), &done))
}
