//! What a run has to record next, in parts that a store takes at once.

use std::{cmp::Ordering, collections::HashSet, sync::Arc};

use crate::store::{Commit, Entry, Lease, NewEvent, StepKind, Tag};

/// The most bytes of entries that are written at once, nearly: servers have limits.
const PART: usize = 32 * 1024 * 1024;

/// The most runs that are started at once.
const MOST_STARTS: usize = 500;

/// What is to be recorded next.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) entries: Vec<Entry>,
    /// The runs to start with these entries, by the `seq` of each.
    starts: Vec<(u32, NewEvent)>,
    /// The runs of whose end is to be heard again.
    watches: Vec<(u32, Arc<str>)>,
    /// The runs to cancel with them.
    cancels: Vec<(u32, Arc<str>)>,
    /// The tags to add.
    pub(crate) tags: Vec<Tag>,
    /// The entries that are recorded already, by `seq`: nothing of them is to be written.
    written: Vec<u32>,
    /// The places of those for whose record no step future waits. They are few, so most outboxes allocate nothing for them.
    unawaited: Vec<usize>,
}

impl Outbox {
    /// These entries, for whose record nobody waits.
    pub(crate) fn of(entries: Vec<Entry>) -> Self {
        Self {
            unawaited: (0..entries.len()).collect(),
            entries,
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, entry: Entry, awaited: bool) {
        if !awaited {
            self.unawaited.push(self.entries.len());
        }
        self.entries.push(entry);
    }

    /// Notes that the entry of this `seq` is recorded already.
    pub(super) fn is_written(&mut self, seq: u32) {
        self.written.push(seq);
    }

    /// Starts a run with the entry of this `seq`, which is left at the same time.
    pub(super) fn start(&mut self, seq: u32, event: NewEvent) {
        self.starts.push((seq, event));
    }

    /// Cancels the run that the entry of this `seq` has started. If it is not started yet, it never is.
    pub(super) fn cancel(&mut self, seq: u32, run_id: &Arc<str>) {
        let before = self.starts.len();
        self.starts.retain(|(of, _)| *of != seq);
        if self.starts.len() == before {
            self.cancels.push((seq, Arc::clone(run_id)));
        }
    }

    /// Asks for the end of a run to be told again, with the entry of this `seq`.
    pub(super) fn watch(&mut self, seq: u32, run_id: Arc<str>) {
        self.watches.push((seq, run_id));
    }

    /// A commit of it, with what it writes to other runs.
    pub(crate) fn into_commit(self, lease: Lease) -> Commit {
        let ids = |of: Vec<(u32, Arc<str>)>| of.into_iter().map(|(_, run_id)| run_id).collect();
        let starts = self.starts.into_iter().map(|(_, event)| event);
        let mut entries = self.entries;
        if !self.written.is_empty() {
            entries.retain(|entry| !self.written.contains(&entry.seq));
        }
        Commit::new(lease)
            .with_entries(entries)
            .with_starts(starts.collect())
            .with_watches(ids(self.watches))
            .with_cancels(ids(self.cancels))
            .with_tags(self.tags)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.tags.is_empty()
    }

    /// Where an entry of this `seq` is.
    pub(super) fn place_of(&self, seq: u32) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.seq == seq)
    }

    /// Puts an entry in the place of another.
    pub(super) fn replace(&mut self, place: usize, entry: Entry, awaited: bool) {
        self.entries[place] = entry;
        if awaited {
            self.unawaited.retain(|other| *other != place);
        }
    }

    /// Moves an entry behind all others; its new place. Who waits for one of those waits for the one that takes its place, which is
    /// durable no earlier.
    pub(super) fn move_to_end(&mut self, place: usize) -> usize {
        let end = self.entries.len() - 1;
        self.entries[place..].rotate_left(1);
        for other in &mut self.unawaited {
            match (*other).cmp(&place) {
                Ordering::Less => {}
                Ordering::Equal => *other = end,
                Ordering::Greater => *other -= 1,
            }
        }
        end
    }

    /// Whether it advances the run: it holds more than heartbeats and statuses.
    pub(crate) fn gets_on(&self) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.kind != StepKind::Status && !entry.is_heartbeat())
    }

    /// Whether it holds nothing but heartbeats.
    pub(crate) fn is_heartbeats(&self) -> bool {
        self.tags.is_empty() && self.entries.iter().all(Entry::is_heartbeat)
    }

    /// Takes as many entries from the front as are written at once; one at least, if there is one.
    pub(crate) fn take_part(&mut self) -> Self {
        let (mut bytes, mut starts) = (0, 0);
        let count = self.entries.iter().take_while(|entry| {
            let first = bytes == 0;
            bytes += size(entry);
            if let Some(event) = self.start_of(entry.seq) {
                bytes += event.payload.len();
                starts += 1;
            }
            first || bytes <= PART && starts <= MOST_STARTS
        });
        let count = count.count();
        if count == self.entries.len() {
            return std::mem::take(self);
        }
        let places = self.unawaited.iter();
        let left = places.clone().filter(|place| **place >= count);
        let left = left.map(|place| place - count).collect();
        let taken = places.filter(|place| **place < count).copied().collect();
        self.unawaited = left;
        let entries: Vec<Entry> = self.entries.drain(..count).collect();
        let mut part = Self {
            unawaited: taken,
            tags: std::mem::take(&mut self.tags),
            written: self.written.clone(),
            ..Self::default()
        };
        if !(self.starts.is_empty() && self.watches.is_empty() && self.cancels.is_empty()) {
            let seqs: HashSet<u32> = entries.iter().map(|entry| entry.seq).collect();
            part.starts = of_entries(&mut self.starts, &seqs);
            part.watches = of_entries(&mut self.watches, &seqs);
            part.cancels = of_entries(&mut self.cancels, &seqs);
        }
        part.entries = entries;
        part
    }

    fn start_of(&self, seq: u32) -> Option<&NewEvent> {
        // They are in the order of the entries, nearly always.
        let found = self.starts.binary_search_by_key(&seq, |(of, _)| *of);
        found.ok().map(|place| &self.starts[place].1)
    }

    /// Adds what was left later.
    pub(crate) fn append(&mut self, mut later: Self) {
        let behind = self.entries.len();
        let places = later.unawaited.iter().map(|place| place + behind);
        self.unawaited.extend(places);
        self.entries.append(&mut later.entries);
        self.starts.append(&mut later.starts);
        self.watches.append(&mut later.watches);
        self.cancels.append(&mut later.cancels);
        self.tags.append(&mut later.tags);
        self.written.append(&mut later.written);
    }

    pub(super) fn awaited(&self) -> usize {
        self.entries.len() - self.unawaited.len()
    }
}

/// Takes what belongs to these entries.
fn of_entries<T>(all: &mut Vec<(u32, T)>, seqs: &HashSet<u32>) -> Vec<(u32, T)> {
    all.extract_if(.., |(seq, _)| seqs.contains(seq)).collect()
}

/// About how many bytes of a write an entry takes.
fn size(entry: &Entry) -> usize {
    entry.value.len() + entry.path.len() + entry.type_name.len() + 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, store::StepState};

    fn entry(seq: u32, bytes: usize) -> Entry {
        Entry::new(
            seq,
            "step",
            StepKind::Step,
            StepState::Completed,
            Timestamp::from_millis(0),
        )
        .with_attempts(1)
        .with_value("", vec![b' '; bytes])
    }

    #[test]
    fn an_end_takes_the_place_of_a_beginning_that_is_not_recorded_yet() {
        let mut outbox = Outbox::default();
        for seq in 0..3 {
            outbox.push(entry(seq, 1), false);
        }
        assert_eq!((outbox.place_of(1), outbox.place_of(3)), (Some(1), None));
        outbox.replace(1, entry(1, 9), true);
        assert_eq!((outbox.entries.len(), outbox.awaited()), (3, 1));
        assert_eq!(outbox.entries[1].value.len(), 9);
    }

    #[test]
    fn what_moves_to_the_end_takes_along_whether_somebody_waits_for_it() {
        let mut outbox = Outbox::default();
        for (seq, awaited) in (0..).zip([false, false, true, false]) {
            outbox.push(entry(seq, 1), awaited);
        }
        assert_eq!(outbox.move_to_end(1), 3);
        let seqs: Vec<_> = outbox.entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, [0, 2, 3, 1]);
        outbox.unawaited.sort_unstable();
        assert_eq!(outbox.unawaited, [0, 2, 3]);
    }

    #[test]
    fn who_waits_for_which_record_is_known_in_each_part() {
        let mut outbox = Outbox::default();
        for (seq, awaited) in (0..).zip([true, false, true, false, false]) {
            outbox.push(entry(seq, PART / 2 - 200), awaited);
        }
        let seqs = |outbox: &Outbox| {
            outbox
                .entries
                .iter()
                .map(|entry| entry.seq)
                .collect::<Vec<_>>()
        };
        let mut first = outbox.take_part();
        assert_eq!((seqs(&first), first.awaited()), (vec![0, 1], 1));
        let second = outbox.take_part();
        assert_eq!((seqs(&second), second.awaited()), (vec![2, 3], 1));
        assert_eq!((seqs(&outbox), outbox.awaited()), (vec![4], 0));
        first.append(second);
        assert_eq!((seqs(&first), first.awaited()), (vec![0, 1, 2, 3], 2));
        assert_eq!(first.unawaited, [1, 3]);
    }
}
