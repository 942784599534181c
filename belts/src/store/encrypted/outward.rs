//! What goes to the store: sealed, and hashed what it looks for.

use std::sync::Arc;

use super::{Held, entry, twins};
use crate::{
    codec::sealed::key_of,
    error::Result,
    seal::{Place, Sealer},
    store::{Commit, Transition},
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
        entry::seal(sealer, &run_id, written)?;
    }
    commit.entries.append(&mut twins);
    for started in &mut commit.starts {
        sealer.seal_event(started)?;
    }
    let result = commit.transition.as_mut().and_then(written);
    // How a run ends that is undone was sealed when it was decided, and may not have been opened here.
    if let Some(result) = result.filter(|result| key_of(result).is_none()) {
        *result = sealer.seal(Place::Result { run_id: &run_id }, None, result)?;
    }
    Ok(true)
}

/// The output or the failure that a transition writes.
fn written(transition: &mut Transition) -> Option<&mut Arc<[u8]>> {
    match transition {
        Transition::Retry { error, .. }
        | Transition::Fail { error, .. }
        | Transition::Cancel { error } => Some(error),
        Transition::Complete { output } => Some(output),
        Transition::Undone { error, .. } => error.as_mut(),
        Transition::Suspend { .. }
        | Transition::PutOff { .. }
        | Transition::Stop
        | Transition::Skip => None,
    }
}
