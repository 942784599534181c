//! Waits look for events under every key by which these may be hashed, and in runs that began without encryption under plain keys too.
//!
//! Publishers hash by one key. A wait has it, and for each other key a twin in the journal: an entry far behind the others that waits
//! for the same under that key. Twins exist in the store alone: what arrives for one has arrived for its wait.

use std::{collections::BTreeMap, sync::Arc};

use super::entry::{self, secret_key};
use crate::{
    error::Result,
    seal::Sealer,
    store::{Arrival, Entry, StepKind, StepState},
};

/// The `seq` of twins begins here, which that of no other entry reaches; the next one is as far again.
const FIRST: u32 = 1 << 26;

/// The twin that waits under the plain key.
const PLAIN: u32 = 31;

/// What the path of a twin begins with; no key makes such a path.
const PATH: &str = "~twin/";

/// What an event is labelled with that was published without encryption, and sealed later.
pub(super) const FROM_BEFORE: &str = "from before";

/// The twins of an entry as it is about to be written, its key still plain; none of one without a key.
pub(super) fn of(
    sealer: &Sealer,
    run_id: &str,
    own: &Entry,
    is_from_before: bool,
) -> Result<Vec<Entry>> {
    let mut wait = own.wait.clone();
    let Some(key) = wait.as_mut().and_then(secret_key).cloned() else {
        return Ok(Vec::new());
    };
    let mut lanes: Vec<(u32, Arc<str>)> = (1..).zip(sealer.earlier_hashes(&key)).collect();
    if is_from_before {
        lanes.push((PLAIN, key));
    }
    let twin = |(number, key): (u32, Arc<str>)| {
        let path = format!("{PATH}{number}/{}", own.path);
        let mut twin = Entry::new(
            own.seq + number * FIRST,
            path,
            StepKind::Wait,
            own.state,
            own.started_at,
        )
        .with_finished_at(own.finished_at);
        entry::seal(sealer, run_id, &mut twin)?;
        if own.state == StepState::Waiting {
            twin.wait.clone_from(&wait);
            if let Some(hashed) = twin.wait.as_mut().and_then(secret_key) {
                *hashed = key;
            }
        }
        Ok(twin)
    };
    lanes.into_iter().map(twin).collect()
}

/// Takes the twins out of a journal: of each the `seq` of its wait, and the key.
pub(super) fn hide(journal: &mut Vec<Entry>) -> Vec<(u32, Arc<str>)> {
    let mut keys = Vec::new();
    journal.retain_mut(|entry| {
        if entry.seq < FIRST {
            return true;
        }
        let key = entry.wait.as_mut().and_then(secret_key);
        keys.extend(key.map(|key| (entry.seq % FIRST, Arc::clone(key))));
        false
    });
    keys
}

/// Gives what has arrived for twins to those of whom they are.
///
/// Of each lane the store brings the earliest, and perhaps not all. So what lies behind the last that one of them has brought is left
/// for later: something of that lane may come before it, and whoever has taken an event takes none from before it.
pub(super) fn merge(arrivals: &mut Vec<Arrival>) {
    if arrivals.iter().all(|arrival| arrival.seq < FIRST) {
        return;
    }
    let mut lasts: BTreeMap<u32, i64> = BTreeMap::new();
    for lane in arrivals.chunk_by(|a, b| a.seq == b.seq) {
        if let Some(last) = lane.last() {
            let known = lasts.entry(last.seq % FIRST).or_insert(last.place);
            *known = last.place.min(*known);
        }
    }
    for arrival in &mut *arrivals {
        arrival.seq %= FIRST;
    }
    arrivals.retain(|arrival| arrival.place <= lasts[&arrival.seq]);
    arrivals.sort_by_key(|arrival| (arrival.seq, arrival.place));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(seq: u32, place: i64) -> Arrival {
        Arrival {
            seq,
            place,
            event_id: place.to_string().into(),
            event_type: "paid".into(),
            payload: Arc::from(*b"{}"),
        }
    }

    #[test]
    fn nothing_is_taken_before_what_a_cut_lane_has_left() {
        let twin = 3 + FIRST;
        // Sixteen of the wait's own lane, of which there are more, and a later one of its twin's.
        let own = (1..=16).map(|place| arrival(3, place));
        let others = [arrival(4, 90), arrival(twin, 10), arrival(twin, 40)];
        let mut arrivals: Vec<_> = own.chain(others).collect();
        merge(&mut arrivals);
        let of = |seq| {
            let of_it = arrivals.iter().filter(move |arrival| arrival.seq == seq);
            of_it.map(|arrival| arrival.place).collect::<Vec<_>>()
        };
        let mut expected: Vec<i64> = (1..=16).collect();
        expected.insert(10, 10);
        assert_eq!(of(3), expected);
        assert_eq!(of(4), [90], "it has no twin");
        // A lane alone is whole as far as it goes.
        let mut arrivals = vec![arrival(twin, 41), arrival(twin, 42)];
        merge(&mut arrivals);
        assert_eq!(arrivals.len(), 2);
    }
}
