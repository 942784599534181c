//! Filters that choose the runs to be changed.

use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    store::{RunFilter, RunRecord, RunStatus, Tag},
};

/// The most characters of a filter in a note.
const LONGEST: usize = 300;

/// Whether these times leave runs out that there may be now. Most that leave none out are slips.
pub(crate) fn leave_some_out(
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    since.is_some_and(|since| since > Timestamp::from_millis(0))
        || until.is_some_and(|until| until <= now)
}

/// Checks that a filter chooses runs to be cancelled.
pub(crate) fn check(filter: &RunFilter, now: Timestamp) -> Result<()> {
    let ids = [
        ("function", &filter.function_id),
        ("event", &filter.event_id),
        ("parent", &filter.parent),
    ];
    // A variable of a script that is not set would stand for every run, or for none.
    if let Some((name, _)) = ids.iter().find(|(_, id)| id.as_deref() == Some("")) {
        return Err(wrong(format!("the {name} of the filter is empty")));
    }
    if filter.tags.iter().any(|tag| tag.value.is_empty()) {
        return Err(wrong("a tag of the filter has no value".to_owned()));
    }
    if let Some(ended) = filter.statuses.iter().find(|status| status.is_finished()) {
        return Err(wrong(format!(
            "only runs that have not ended can be cancelled, and those that are `{ended}` have"
        )));
    }
    let has_time = leave_some_out(filter.since, filter.until, now);
    let has_other = !filter.statuses.is_empty() || !filter.tags.is_empty() || has_time;
    if ids.iter().all(|(_, id)| id.is_none()) && !has_other {
        let all = RunStatus::UNFINISHED.map(RunStatus::as_str).join("`, `");
        return Err(wrong(format!(
            "without a condition every run of the store would be cancelled: name a function, an event, a parent, a tag, a time that \
             leaves runs out, or a status; if every run is meant, name the statuses `{all}`"
        )));
    }
    Ok(())
}

pub(super) fn without_mark(filter: &RunFilter) -> Result<()> {
    if filter.after.is_some() {
        return Err(wrong(
            "a mark of a page leaves out the runs before it: use `cancel_part`".to_owned(),
        ));
    }
    Ok(())
}

fn wrong(text: String) -> Error {
    Error::new(ErrorKind::Config, text)
}

/// Whether a store would list this run. It has no parent that the filter asks for.
pub(super) fn passes(filter: &RunFilter, run: &RunRecord) -> bool {
    let of = |wanted: &Option<_>, id| wanted.as_ref().is_none_or(|wanted| wanted == id);
    filter.statuses.contains(&run.status)
        && of(&filter.function_id, &run.function_id)
        && of(&filter.event_id, &run.event_id)
        && filter.tags.iter().all(|tag| run.tags.contains(tag))
        && filter.includes_time(run.finished_at.unwrap_or(run.created_at))
}

/// The conditions of a filter, for the log and for notes.
pub(super) fn words(filter: &RunFilter) -> String {
    let statuses = filter.statuses.iter().map(|status| status.as_str());
    let statuses: Vec<_> = statuses.collect();
    let tags: Vec<_> = filter.tags.iter().map(Tag::to_string).collect();
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let conditions = [
        ("function", filter.function_id.as_deref().map(str::to_owned)),
        (
            "status",
            Some(statuses.join(",")).filter(|it| !it.is_empty()),
        ),
        ("event", filter.event_id.as_deref().map(str::to_owned)),
        ("parent", filter.parent.as_deref().map(str::to_owned)),
        ("tag", Some(tags.join(", tag ")).filter(|it| !it.is_empty())),
        ("since", time(filter.since)),
        ("until", time(filter.until)),
        (
            "limit",
            (filter.limit > 0).then(|| filter.limit.to_string()),
        ),
    ];
    let named = conditions.into_iter();
    let named = named.filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    let text = named.collect::<Vec<_>>().join(", ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
