//! Running again what has stopped, from the beginning of what is left or from a step.

use axum::{extract::State, http::Uri, response::Response};
use maud::html;

use super::{
    answer::{self, Wrong},
    fields::Fields,
    question::Question,
    visit::{Asked, Visit, run},
    words::{marked, plural},
};
use crate::{
    error::{Error, ErrorKind},
    inspect::shape::Changed,
    plain::plain,
    worker::Worker,
};

pub(super) async fn ask(
    State(worker): State<Worker>,
    visit: Visit,
    uri: Uri,
) -> Result<Response, Wrong> {
    let asked = Asked::of(&uri)?;
    let id = asked.need("run")?;
    let record = visit.runs(&worker).get(id).await?;
    let runs = visit.runs(&worker);
    let again = runs.done_again(id, asked.get("from")).await?;
    let mut fields = vec![("run", id)];
    let from = asked.get("from");
    fields.extend(from.map(|step| ("from", step)));
    let ended = record.finished_at.map(|at| at.as_millis().to_string());
    fields.extend(ended.as_deref().map(|ended| ("ended", ended)));
    let text = html! {
        @match (&again.from, from) {
            (Some(race), Some(step)) if **race != *step => p { (marked(&format!(
                "`{step}` is in the race `{race}`, which is decided. The race and every step that began after it, in whichever arm, are \
                 done again; what they have recorded is discarded."
            ))) },
            (_, Some(step)) => p { (marked(&format!(
                "`{step}` and every step that began after it are done again; what they have recorded is discarded."
            ))) },
            (_, None) => p { "It goes on where it stopped: recorded results stay, and these steps do not run again. Failed steps do." },
        }
        @if from.is_some() {
            p { "Payments, mails and the like of these steps happen once more, unless the service on the other side knows the same "
                "idempotency key. Calls among them start new runs." @if again.undone == 0 { " Steps before it stay as they are." } }
        }
        @if again.undone > 0 {
            p { strong { (plural(again.undone, "step")) } " of it had been undone, and what was undone is done again." }
        }
        @if again.children > 0 {
            p { "Runs that it called and that failed or were cancelled are run again with it." }
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
    fields.only(&["run", "from", "ended"], &[])?;
    let runs = visit.runs(&worker);
    let id = fields.need("run")?;
    if let Some(seen) = fields.get("ended") {
        let ended = runs.get(id).await?.finished_at;
        if ended.is_none_or(|ended| ended.as_millis().to_string() != seen) {
            let text =
                "somebody has run it again since this was asked; look at what became of it first";
            return Err(Error::new(ErrorKind::Conflict, text).into());
        }
    }
    let changed = match fields.get("from") {
        Some(step) => runs.rerun_from(id, step).await?,
        None => runs.rerun(id).await?,
    };
    let status = runs.get(id).await?.status;
    let did = match (changed, fields.get("from")) {
        (false, _) => "not-rerun",
        (true, None) => "rerun",
        (true, Some(_)) => "rerun-from",
    };
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
