//! What has just been done, said once on the page that shows it. The address has a word for it and no text, which others could write.

use maud::{Markup, html};

use super::visit::Visit;

const NOTICES: [(&str, &str); 18] = [
    ("rerun", "The run goes on where it stopped."),
    (
        "rerun-from",
        "The run goes on from that step, which is done again with those after it.",
    ),
    (
        "not-rerun",
        "Nothing was changed: the run is neither failed nor cancelled.",
    ),
    ("cancel", "The run is cancelled."),
    (
        "undo",
        "The run is cancelled, and what its steps did is being undone.",
    ),
    ("not-cancelled", "Nothing was changed: the run had ended."),
    (
        "complete",
        "The callback is completed, and the run goes on.",
    ),
    ("settle", "The step is settled, and the run goes on."),
    ("pause", "It is paused until somebody resumes it."),
    ("not-pause", "Nothing was changed: it was paused before."),
    ("resume", "It is resumed."),
    ("not-resume", "Nothing was changed: it was not paused."),
    ("trigger", "A run was started."),
    ("publish", "The event is published."),
    (
        "duplicate",
        "Nothing was published: this event, or another of its type and key, was there already.",
    ),
    (
        "carried",
        "The event is handed to the dispatcher. The runs that it starts are listed here once it is delivered.",
    ),
    (
        "skipped",
        "The event is published, and a flow option of the function skipped it.",
    ),
    ("silent", "The event is published, and has started no run."),
];

pub(super) fn of(visit: &Visit) -> Markup {
    let query = visit.here.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let word = pairs.find_map(|(name, value)| (name == "did").then_some(value));
    let known = NOTICES
        .iter()
        .find(|(known, _)| word.as_deref() == Some(*known));
    html! {
        @if let Some((_, text)) = known {
            p.notice role="status" { (text) }
        }
    }
}
