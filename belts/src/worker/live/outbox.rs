//! What a run has to record next, in parts that a store takes at once.

use crate::store::Entry;

/// The most bytes of entries that are written at once, nearly: servers have limits.
const PART: usize = 32 * 1024 * 1024;

/// What is to be recorded next.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) entries: Vec<Entry>,
    /// Of each, whether a step future waits for its record.
    awaited: Vec<bool>,
}

impl Outbox {
    pub(super) fn push(&mut self, entry: Entry, awaited: bool) {
        self.entries.push(entry);
        self.awaited.push(awaited);
    }

    /// Takes as many entries from the front as are written at once; one at least, if there is one.
    pub(crate) fn take_part(&mut self) -> Self {
        let mut bytes = 0;
        let count = self.entries.iter().take_while(|entry| {
            let first = bytes == 0;
            bytes += size(entry);
            first || bytes <= PART
        });
        let count = count.count();
        if count == self.entries.len() {
            return std::mem::take(self);
        }
        Self {
            entries: self.entries.drain(..count).collect(),
            awaited: self.awaited.drain(..count).collect(),
        }
    }

    /// Adds what was left later.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.entries.append(&mut later.entries);
        self.awaited.append(&mut later.awaited);
    }

    pub(super) fn awaited(&self) -> usize {
        self.awaited.iter().filter(|awaited| **awaited).count()
    }
}

/// About how many bytes of a write an entry takes.
fn size(entry: &Entry) -> usize {
    entry.value.len() + entry.path.len() + entry.type_name.len() + 64
}
