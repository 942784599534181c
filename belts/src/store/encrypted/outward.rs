//! What goes to the store: sealed, and hashed what it looks for.

use std::sync::Arc;

use super::{Held, twins};
use crate::{
    error::Result,
    seal::{Place, Sealer},
    store::{Commit, Entry, Transition, Wait, is_answer},
};

/// Seals what a commit writes; whether the run is known that it is for.
pub(super) fn commit(sealer: &Sealer, held: &Held, commit: &mut Commit) -> Result<bool> {
    let writes = commit.transition.as_mut().and_then(written).is_some();
    let is_plain = commit.entries.is_empty() && commit.starts.is_empty() && !writes;
    if is_plain {
        return Ok(true);
    }
    let Some(run_id) = held.run_of(commit.lease) else {
        return Ok(false);
    };
    let is_from_before = held.is_from_before(commit.lease);
    let mut twins = Vec::new();
    for written in &mut commit.entries {
        held.note(commit.lease, written);
        twins.extend(twins::of(sealer, &run_id, written, is_from_before)?);
        entry(sealer, &run_id, written)?;
    }
    commit.entries.append(&mut twins);
    for started in &mut commit.starts {
        sealer.seal_event(started)?;
    }
    if let Some(result) = commit.transition.as_mut().and_then(written) {
        *result = sealer.seal(Place::Result { run_id: &run_id }, None, result)?;
    }
    Ok(true)
}

/// Seals an entry, with the key that it waits for.
pub(super) fn entry(sealer: &Sealer, run_id: &str, entry: &mut Entry) -> Result<()> {
    let key = entry.wait.as_mut().and_then(secret_key);
    if key.is_none() && entry.value.is_empty() {
        return Ok(());
    }
    let label = key.as_deref().cloned();
    if let Some(key) = key {
        *key = sealer.hashed(key);
    }
    let place = Place::Entry {
        run_id,
        path: &entry.path,
        kind: entry.kind,
    };
    entry.value = sealer.seal(place, label.as_deref(), &entry.value)?;
    Ok(())
}

/// The correlation key that is waited for, unless it is the id of a run or a callback.
pub(super) fn secret_key(wait: &mut Wait) -> Option<&mut Arc<str>> {
    let Wait::Event { types, key } = wait;
    let is_secret = !types.iter().any(|awaited| is_answer(&awaited.event_type));
    key.as_mut().filter(|_| is_secret)
}

/// The output or the failure that a transition writes.
fn written(transition: &mut Transition) -> Option<&mut Arc<[u8]>> {
    match transition {
        Transition::Retry { error, .. }
        | Transition::Fail { error, .. }
        | Transition::Cancel { error } => Some(error),
        Transition::Complete { output } => Some(output),
        Transition::Suspend { .. }
        | Transition::PutOff { .. }
        | Transition::Stop
        | Transition::Skip => None,
    }
}
