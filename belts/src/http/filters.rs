//! Which runs a query chooses.

use super::{
    query::{limit, moment, status, unknown},
    refusal::Refusal,
};
use crate::{inspect::ListRuns, store::Timestamp};

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
                "`function`, `event`, `parent`, `status`, `since`, `until`, `limit` and `page`",
            ));
        }
    })
}
