//! The wait for the event that cancels a run, which the engine keeps in the journal beside the steps.

use crate::{
    clock::Timestamp,
    store::{After, AwaitedType, CANCEL_ON, Entry, StepKind, StepState, Wait},
};

/// The wait for an event of these types with this key, as it is to be recorded; `None` if the `present` one is that.
///
/// A program may name other types than the one that recorded it: those that both name are looked for on where they were.
pub(crate) fn cancel_on<'a>(
    present: Option<&Entry>,
    types: impl Iterator<Item = &'a str>,
    key: &str,
    now: Timestamp,
    new_seq: impl FnOnce() -> u32,
) -> Option<Entry> {
    let known = match present.and_then(|entry| entry.wait.as_ref()) {
        Some(Wait::Event { types, .. }) => &types[..],
        None => &[],
    };
    let mut wanted: Vec<AwaitedType> = types
        .map(|event_type| {
            let before = known.iter().find(|known| *known.event_type == *event_type);
            let after = before.map_or(After::Start, |known| known.after);
            AwaitedType::new(event_type, after)
        })
        .collect();
    wanted.sort_unstable_by(|one, other| one.event_type.cmp(&other.event_type));
    wanted.dedup_by(|one, other| one.event_type == other.event_type);
    let is_there = present.is_some()
        && wanted.len() == known.len()
        && wanted.iter().all(|awaited| known.contains(awaited));
    if is_there {
        return None;
    }
    let wait = Wait::event(wanted, key);
    let entry = match present {
        Some(entry) => entry.clone(),
        None => Entry::new(
            new_seq(),
            CANCEL_ON,
            StepKind::Wait,
            StepState::Waiting,
            now,
        ),
    };
    Some(entry.with_wait(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(7);

    fn afters(entry: &Entry) -> Vec<(&str, After)> {
        let Some(Wait::Event { types, .. }) = &entry.wait else {
            return Vec::new();
        };
        let each = types.iter();
        each.map(|awaited| (&*awaited.event_type, awaited.after))
            .collect()
    }

    #[test]
    fn a_run_without_the_wait_opens_it_at_its_start() {
        let types = ["b", "a", "b"];
        let entry = cancel_on(None, types.into_iter(), "k", NOW, || 4).expect("it is new");
        assert_eq!((entry.seq, &*entry.path), (4, CANCEL_ON));
        assert!(entry.is_cancel_on() && !entry.is_step());
        assert_eq!(afters(&entry), [("a", After::Start), ("b", After::Start)]);
    }

    #[test]
    fn the_wait_that_is_there_stands() {
        let entry = cancel_on(None, ["a"].into_iter(), "k", NOW, || 0).expect("it is new");
        let moved = Wait::event([AwaitedType::new("a", After::Place(9))], "k");
        let entry = entry.with_wait(moved);
        let again = cancel_on(Some(&entry), ["a"].into_iter(), "k", NOW, || 1);
        assert_eq!(again, None);
    }

    #[test]
    fn another_program_changes_the_types_and_forgets_no_place() {
        let entry = cancel_on(None, ["a", "b"].into_iter(), "k", NOW, || 0).expect("it is new");
        let places = ["a", "b"].map(|name| AwaitedType::new(name, After::Place(9)));
        let entry = entry.with_wait(Wait::event(places, "k"));
        let types = ["b", "c"].into_iter();
        let other = cancel_on(Some(&entry), types, "k", NOW, || 1).expect("it differs");
        assert_eq!(other.seq, 0);
        assert_eq!(
            afters(&other),
            [("b", After::Place(9)), ("c", After::Start)]
        );
    }
}
