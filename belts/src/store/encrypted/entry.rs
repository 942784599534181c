//! One entry of a journal, sealed and opened with the key that it waits for.

use std::sync::Arc;

use crate::{
    error::Result,
    seal::{Place, Sealer},
    store::{Entry, Wait, is_answer},
};

/// Seals an entry, with the key that it waits for.
pub(super) fn seal(sealer: &Sealer, run_id: &str, entry: &mut Entry) -> Result<()> {
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

/// Opens an entry, with the key that it waits for.
pub(super) fn open(sealer: &Sealer, run_id: &str, entry: &mut Entry) {
    let place = Place::Entry {
        run_id,
        path: &entry.path,
        kind: entry.kind,
    };
    let Some(opened) = sealer.open(place, &entry.value) else {
        return;
    };
    entry.value = opened.value;
    if let (Some(key), Some(label)) = (entry.wait.as_mut().and_then(secret_key), opened.label) {
        *key = label;
    }
}
