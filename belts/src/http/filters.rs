//! Which runs a query chooses.

use axum::http::Uri;

use super::{
    query::{limit, moment, query, status, unknown},
    refusal::Refusal,
};
use crate::{
    error::{Error, ErrorKind},
    inspect::ListRuns,
    store::{Tag, Timestamp},
};

/// The list with all parameters of a query.
pub(super) fn chosen(mut list: ListRuns, uri: &Uri, now: Timestamp) -> Result<ListRuns, Refusal> {
    for (name, value) in query(uri)? {
        list = narrowed(list, &name, value, now)?;
    }
    Ok(list)
}

/// What an error of a list means to who asked for it: here a mark is a `page`.
pub(super) fn refusal(error: Error) -> Refusal {
    let text = error.to_string();
    match text.strip_prefix("`after` is not a mark") {
        Some(rest) if error.kind() == ErrorKind::Config => {
            Refusal::bad_request(format!("`page` is not a mark{rest}"))
        }
        _ => error.into(),
    }
}

/// The list with one more parameter.
pub(super) fn narrowed(
    list: ListRuns,
    name: &str,
    value: String,
    now: Timestamp,
) -> Result<ListRuns, Refusal> {
    Ok(match name {
        "function" => list.function(value),
        "event" => list.event(value),
        "parent" => list.parent(value),
        "tag" => {
            let tag = Tag::parse(&value).ok_or_else(|| {
                Refusal::bad_request("`tag` is a name and a value, as in `tag=customer%3Dc-17`")
            })?;
            list.tag(tag.name, tag.value)
        }
        "status" => {
            let statuses = value.split(',').map(status);
            statuses
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .fold(list, ListRuns::status)
        }
        "since" => list.since(moment(name, &value, now)?),
        "until" => list.until(moment(name, &value, now)?),
        "limit" => list.limit(limit(&value)?),
        "page" => list.after(value),
        "values" => {
            return Err(Refusal::bad_request(
                "a list has no values; request a single run with `/runs/<id>?values=true`",
            ));
        }
        _ => {
            return Err(unknown(
                name,
                "`function`, `event`, `parent`, `tag`, `status`, `since`, `until`, `limit` and `page`",
            ));
        }
    })
}
