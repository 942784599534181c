//! Waits look for events under every key by which these may be hashed, and in runs that began without encryption under plain keys too.
//!
//! Publishers hash by one key. A wait has it, and for each other key a twin in the journal: an entry far behind the others that waits
//! for the same under that key. Twins exist in the store alone: what arrives for one has arrived for its wait.

use std::sync::Arc;

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
pub(super) fn merge(arrivals: &mut [Arrival]) {
    if arrivals.iter().all(|arrival| arrival.seq < FIRST) {
        return;
    }
    for arrival in &mut *arrivals {
        arrival.seq %= FIRST;
    }
    arrivals.sort_by_key(|arrival| (arrival.seq, arrival.place));
}
