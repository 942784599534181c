//! Looking at runs: one, its journal, or a page of them.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    error::Fault,
    lines::ready_in_lines,
    looks::{Among, open},
    names::{Dictionary, SharedNames},
    pauses::paused,
    places::in_line,
    rows::{self, record_columns, status_number},
};
use crate::store::{EndedGroup, EndedLately, Entry, RunFilter, RunPage, RunRecord, Tag, Timestamp};

pub(super) fn run(
    connection: &Connection,
    names: &SharedNames,
    run_id: &str,
) -> Result<Option<RunRecord>, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        record_columns!("events.payload", "result"),
        " FROM runs JOIN events ON events.number = runs.event WHERE runs.id = ?1"
    ))?;
    let mut found = statement.query(params![run_id])?;
    let record = found
        .next()?
        .map(|row| rows::record(row, &mut dictionary))
        .transpose()?;
    Ok(match record {
        // Only what flow options were applied to stands in line.
        Some(record) if record.mark.is_some() && !record.status.is_finished() => {
            Some(record.with_in_line(in_line(connection, run_id)?))
        }
        record => record,
    })
}

pub(super) fn journal(
    connection: &Connection,
    names: &SharedNames,
    run_id: &str,
) -> Result<Vec<Entry>, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut statement = connection.prepare_cached(
        "SELECT seq, path, kind, state, type_name, attempts, due_at, started_at, finished_at, value, wait
         FROM steps WHERE run = (SELECT number FROM runs WHERE id = ?1) ORDER BY seq",
    )?;
    let mut found = statement.query(params![run_id])?;
    let mut journal = Vec::new();
    while let Some(row) = found.next()? {
        journal.push(rows::entry(row, &mut dictionary)?);
    }
    Ok(journal)
}

/// How many runs of each function are due.
pub(super) fn backlog(
    connection: &Connection,
    names: &SharedNames,
    functions: &[Arc<str>],
    now: Timestamp,
    most: usize,
) -> Result<Vec<usize>, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let paused = paused(connection)?;
    let counts = functions.iter().map(|id| match dictionary.find(id)? {
        Some(function) if !paused.contains_key(&function) => due(connection, function, now, most),
        _ => Ok(0),
    });
    counts.collect()
}

/// How many runs of a function are due, event type by event type, since that is how the index goes.
fn due(
    connection: &Connection,
    function: i64,
    now: Timestamp,
    most: usize,
) -> Result<usize, Fault> {
    let mut next_type = connection.prepare_cached(
        "SELECT event_type FROM runs WHERE due_at IS NOT NULL AND function = ?1 AND event_type > ?2
         ORDER BY event_type LIMIT 1",
    )?;
    let mut count = connection.prepare_cached(
        "SELECT count(*) FROM
             (SELECT 1 FROM runs WHERE function = ?1 AND event_type = ?2 AND due_at <= ?3 LIMIT ?4)",
    )?;
    let (mut total, mut last) = (0, i64::MIN);
    while total < most
        && let Some(event_type) = next_type
            .query_row(params![function, last], |row| row.get::<_, i64>(0))
            .optional()?
    {
        let left = i64::try_from(most - total).unwrap_or(i64::MAX);
        let due: i64 = count.query_row(
            params![function, event_type, now.as_millis(), left],
            |row| row.get(0),
        )?;
        total += usize::try_from(due).map_err(|_| Fault::Row("number of runs"))?;
        last = event_type;
    }
    let left = i64::try_from(most - total).unwrap_or(i64::MAX);
    let ready = ready_in_lines(connection, function, left)?;
    Ok(total + usize::try_from(ready).unwrap_or(0))
}

/// A page of runs whose number is below `below`; the filter's own mark was read already.
pub(super) fn list(
    connection: &Connection,
    names: &SharedNames,
    filter: &RunFilter,
    limit: usize,
    below: i64,
) -> Result<RunPage, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut page = RunPage::default();
    let function = match &filter.function_id {
        None => None,
        Some(id) => match dictionary.find(id)? {
            None => return Ok(page),
            found => found,
        },
    };
    let statuses = filter
        .statuses
        .iter()
        .fold(0_i64, |set, status| set | 1 << status_number(*status));
    let statuses = if filter.statuses.is_empty() {
        -1
    } else {
        statuses
    };
    let tags: Vec<String> = filter.tags.iter().map(Tag::to_string).collect();
    let among = Among::of(connection, filter)?;
    let floor = among.floor(connection, filter, below)?;
    let sql = match among {
        Among::All => LIST,
        Among::Failed => LIST_OF_FAILED,
        Among::Open => LIST_OF_OPEN,
        Among::Event => LIST_OF_EVENT,
        Among::Parent => LIST_OF_PARENT,
        Among::Tag => LIST_OF_TAG,
        Among::Due => LIST_OF_DUE,
    };
    let all_tags = (!tags.is_empty()).then(|| serde_json::to_string(&tags));
    let all_tags = all_tags
        .transpose()
        .map_err(|_| Fault::Row("tags of a list"))?;
    let mut statement = connection.prepare_cached(sql)?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut found = statement.query(params![
        below,
        function,
        statuses,
        most,
        filter.event_id.as_deref(),
        filter.since.map(Timestamp::as_millis),
        filter.until.map(Timestamp::as_millis),
        filter.parent.as_deref(),
        all_tags,
        tags.first(),
        filter.due_by.map(Timestamp::as_millis),
        floor,
    ])?;
    let mut last: i64 = 0;
    while let Some(row) = found.next()? {
        if page.runs.len() == limit {
            page.next = Some(last.to_string());
            break;
        }
        last = row.get(0)?;
        page.runs.push(rows::record(row, &mut dictionary)?);
    }
    if page.next.is_none() {
        // The one at which it stops is the first that the next page looks at.
        page.next = floor.map(|floor| floor.saturating_add(1).to_string());
    }
    Ok(page)
}

/// How many runs ended lately, by the index in which they stand as they ended.
pub(super) fn ended(
    connection: &Connection,
    names: &SharedNames,
    since: Timestamp,
    most: usize,
) -> Result<EndedLately, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut statement = connection.prepare_cached(ENDED)?;
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let mut found = statement.query(params![since.as_millis(), limit])?;
    let (mut groups, mut all, mut first) = (Vec::new(), 0, i64::MAX);
    while let Some(row) = found.next()? {
        let runs: i64 = row.get(2)?;
        let runs = usize::try_from(runs).map_err(|_| Fault::Row("number of runs"))?;
        (all, first) = (all + runs, first.min(row.get(4)?));
        groups.push(EndedGroup::new(
            dictionary.name_or_unknown(row.get(0)?)?,
            rows::status(row.get(1)?)?,
            runs,
            Timestamp::from_millis(row.get(3)?),
        ));
    }
    let since = if all < most {
        since
    } else {
        Timestamp::from_millis(first).max(since)
    };
    Ok(EndedLately::new(since, groups))
}

/// The columns of a run in a list: no values, but for short failures. 4 is the status of a run that has completed.
macro_rules! listed_columns {
    () => {
        record_columns!(
            "NULL",
            "iif(status <> 4 AND length(result) <= 16384, result, NULL)"
        )
    };
}

/// The beginning of a list from some tables, in the order of a column. `?9` has the tags as JSON.
macro_rules! list_start {
    ($from:literal, $number:literal) => {
        concat!(
            "SELECT ",
            listed_columns!(),
            " FROM ",
            $from,
            " JOIN events ON events.number = runs.event WHERE ",
            $number,
            " < ?1 AND ",
            $number,
            " > ifnull(?12, -1) AND (?2 IS NULL OR function = ?2) AND (?3 >> iif(undo IN (5, 6), 7, status)) & 1
                 AND (?6 IS NULL OR coalesce(finished_at, published_at) >= ?6)
                 AND (?7 IS NULL OR coalesce(finished_at, published_at) < ?7)
                 AND (?9 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?9) AS asked
                     WHERE NOT EXISTS (SELECT 1 FROM tags WHERE tag = asked.value AND run = runs.number)))
                 AND (?11 IS NULL OR coalesce(due_at, iif(worker IS NULL AND finished_at IS NULL, line_at + shift, NULL)) <= ?11)
                 AND "
        )
    };
}

/// The same as a whole, where more is known of the runs.
macro_rules! list {
    ($from:literal, $where:literal, $number:literal) => {
        concat!(
            list_start!($from, $number),
            $where,
            " ORDER BY ",
            $number,
            " DESC LIMIT ?4"
        )
    };
}

pub(super) const LIST: &str = list!(
    "runs",
    "?5 IS NULL AND ?8 IS NULL AND ?10 IS NULL",
    "runs.number"
);

pub(super) const LIST_OF_FAILED: &str = list!(
    "runs INDEXED BY runs_failed",
    "runs.status IN (5, 6) AND ?5 IS NULL AND ?8 IS NULL AND ?10 IS NULL",
    "runs.number"
);

pub(super) const LIST_OF_OPEN: &str = concat!(
    list_start!("runs", "runs.number"),
    "runs.number IN (",
    open!(),
    ") AND ?5 IS NULL AND ?8 IS NULL AND ?10 IS NULL ORDER BY runs.number DESC LIMIT ?4"
);

const LIST_OF_EVENT: &str = list!(
    "runs",
    "runs.event = (SELECT number FROM events WHERE id = ?5) AND (?8 IS NULL OR parent = ?8) AND (?10 IS NULL OR true)",
    "runs.number"
);

pub(super) const LIST_OF_PARENT: &str = list!(
    "runs",
    "parent = ?8 AND ?5 IS NULL AND (?10 IS NULL OR true)",
    "runs.number"
);

pub(super) const LIST_OF_TAG: &str = list!(
    "tags AS of JOIN runs ON runs.number = of.run",
    "of.tag = ?10 AND ?5 IS NULL AND ?8 IS NULL",
    "of.run"
);

/// Those of one function that wait for a worker, which are few beside all that have ended.
const LIST_OF_DUE: &str = list!(
    "runs",
    "runs.number IN (SELECT number FROM runs INDEXED BY runs_waiting WHERE due_at IS NOT NULL AND function = ?2
         UNION ALL SELECT runs.number FROM lines JOIN runs INDEXED BY runs_line ON runs.line = lines.id WHERE lines.function = ?2
             AND line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL)
         AND ?5 IS NULL AND ?8 IS NULL AND ?10 IS NULL",
    "runs.number"
);

pub(super) const ENDED: &str =
    "SELECT function, status, count(*), max(finished_at), min(finished_at) FROM (
        SELECT function, status, finished_at FROM runs INDEXED BY runs_finished
        WHERE finished_at >= ?1 ORDER BY finished_at DESC LIMIT ?2
    ) GROUP BY function, status";
