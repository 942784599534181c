//! Running again what has stopped, from the beginning of what is left or from a step.

use axum::{extract::State, http::Uri, response::Response};
use maud::html;

use super::{
    answer::{self, Wrong},
    fields::Fields,
    question::Question,
    visit::{Asked, Visit, run},
    words::marked,
};
use crate::{inspect::shape::Changed, plain::plain, worker::Worker};

pub(super) async fn ask(
    State(worker): State<Worker>,
    visit: Visit,
    uri: Uri,
) -> Result<Response, Wrong> {
    let asked = Asked::of(&uri)?;
    let id = asked.need("run")?;
    let record = visit.runs(&worker).get(id).await?;
    let mut fields = vec![("run", id)];
    let from = asked.get("from");
    fields.extend(from.map(|step| ("from", step)));
    let text = html! {
        @if let Some(step) = from {
            p { (marked(&format!("`{step}` and every step that began after it are done again; what they have recorded is discarded."))) }
            p { "Payments, mails and the like of these steps happen once more, unless the service on the other side knows the same "
                "idempotency key. Calls among them start new runs. Steps before it stay as they are." }
        } @else {
            p { "It goes on where it stopped: recorded results stay, and these steps do not run again. Failed steps do." }
        }
    };
    let question = Question {
        title: "Run it again?",
        text: html! {
            p.subject { (plain(&record.function_id)) " " span.id { (plain(id)) } }
            (text)
        },
        action: "rerun",
        inputs: html! {},
        button: if from.is_some() {
            "Rerun from this step"
        } else {
            "Rerun"
        },
        is_grave: from.is_some(),
        back: run(id),
        fields,
    };
    Ok(question.page(&visit))
}

pub(super) async fn rerun(
    State(worker): State<Worker>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Wrong> {
    fields.only(&["run", "from"], &[])?;
    let runs = visit.runs(&worker);
    let id = fields.need("run")?;
    let changed = match fields.get("from") {
        Some(step) => runs.rerun_from(id, step).await?,
        None => runs.rerun(id).await?,
    };
    let status = runs.get(id).await?.status;
    let did = if changed { "rerun" } else { "not-rerun" };
    let done = Changed {
        run_id: id.to_owned(),
        changed,
        status,
    };
    Ok(answer::done(&visit, &told(id, did), &done))
}

/// The page of a run that says what was done.
pub(super) fn told(id: &str, did: &str) -> String {
    let page = run(id);
    let and = if page.contains('?') { '&' } else { '?' };
    format!("{page}{and}did={did}")
}
