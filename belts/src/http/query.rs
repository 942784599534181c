//! What a query asks for, and the answer to it.

use axum::{
    extract::Query,
    http::{StatusCode, Uri},
    response::Response,
};

use super::{answer, refusal::Refusal};
use crate::{
    dispatch::wire,
    inspect::when,
    plain::plain,
    store::{RunStatus, Timestamp},
};

/// The most runs per page.
const LONGEST_PAGE: usize = 1000;

/// Parses a boolean parameter.
pub(super) fn flag(name: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Refusal::bad_request(format!(
            "`{name}` must be `true` or `false`"
        ))),
    }
}

/// The parameters of a query. Only `status` and `tag` may be there more than once: of others, one would be passed over.
pub(super) fn query(uri: &Uri) -> Result<Vec<(String, String)>, Refusal> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| Refusal::bad_request("the query is invalid"))?
        .0;
    for (index, (name, value)) in pairs.iter().enumerate() {
        // PostgreSQL does not accept it in a query.
        if value.contains('\0') {
            let text = format!("`{}` contains a NUL character", plain(name));
            return Err(Refusal::bad_request(text));
        }
        let before = pairs.iter().take(index);
        let may_repeat = name == "status" || name == "tag";
        if !may_repeat && before.clone().any(|(other, _)| other == name) {
            let text = format!("`{}` is there more than once", plain(name));
            return Err(Refusal::bad_request(text));
        }
    }
    Ok(pairs)
}

pub(super) fn status(word: &str) -> Result<RunStatus, Refusal> {
    RunStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == word)
        .ok_or_else(|| {
            let known = RunStatus::ALL.map(RunStatus::as_str).join("`, `");
            Refusal::bad_request(format!("`status` must be one or more of `{known}`"))
        })
}

pub(super) fn moment(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    when::moment(text, now).map_err(|wrong| Refusal::bad_request(format!("`{name}`: {wrong}")))
}

pub(super) fn limit(text: &str) -> Result<usize, Refusal> {
    let limit = text.parse().ok();
    limit
        .filter(|limit| (1..=LONGEST_PAGE).contains(limit))
        .ok_or_else(|| {
            Refusal::bad_request(format!(
                "`limit` must be a whole number from 1 to {LONGEST_PAGE}"
            ))
        })
}

pub(super) fn unknown(name: &str, known: &str) -> Refusal {
    Refusal::bad_request(format!(
        "unknown query parameter `{}`; known: {known}",
        plain(name)
    ))
}

pub(super) fn json(body: &impl serde::Serialize) -> Response {
    answer::json(StatusCode::OK, wire::json(body))
}
