//! What a run tells of itself in its journal, as values.

use serde::de::DeserializeOwned;

use crate::{
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    store::{Entry, StepKind},
};

/// The value that the function has set last.
pub(crate) fn status_in<V: DeserializeOwned>(journal: &[Entry]) -> Result<Option<V>> {
    let mut entries = journal.iter();
    let Some(entry) = entries.find(|entry| entry.kind == StepKind::Status) else {
        return Ok(None);
    };
    match codec::decode(&entry.value) {
        Ok(Decoded::Ok(value)) => Ok(Some(value)),
        Ok(Decoded::Err(failure)) => Err(failure.into_error()),
        Err(error) => {
            let wanted = std::any::type_name::<V>();
            let text = format!("the status value cannot be read as `{wanted}`");
            Err(Error::new(ErrorKind::Codec, text).with_source(error))
        }
    }
}

/// The last heartbeat of a step.
#[cfg(feature = "testing")]
pub(crate) fn progress_in<P: DeserializeOwned>(journal: &[Entry], path: &str) -> Result<Option<P>> {
    let mut entries = journal.iter();
    let entry = entries.find(|entry| &*entry.path == path);
    let Some(progress) = entry.and_then(Entry::progress) else {
        return Ok(None);
    };
    codec::read_at_path(progress.get().as_bytes())
        .map(Some)
        .map_err(|reason| {
            let wanted = std::any::type_name::<P>();
            let text = format!("the last heartbeat cannot be read as `{wanted}`{reason}");
            Error::new(ErrorKind::Codec, text).with_step(&path.into())
        })
}
