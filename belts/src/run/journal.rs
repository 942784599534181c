//! The journal of one run in memory, and what it answers when the function reaches a step.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::violation::{Location, Violation};
use crate::{
    clock::Timestamp,
    store::{Entry, StepKind, StepState},
};

/// The function reached a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) path: &'a Arc<str>,
    pub(crate) kind: StepKind,
    pub(crate) at: &'static Location,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Its outcome is recorded: return it. The type's name is there for the error of a value that does not fit.
    Replay {
        value: Arc<[u8]>,
        type_name: Arc<str>,
    },
    /// It is new: begin it and record it under `seq`.
    Begin { seq: u32 },
    /// It was begun before and goes on at `due_at`, after so many failed attempts.
    Resume {
        seq: u32,
        due_at: Timestamp,
        failed_attempts: u32,
        started_at: Timestamp,
    },
}

/// Recorded steps by path, and which of them this attempt has reached.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// What the store has.
    entries: Vec<Entry>,
    by_path: HashMap<Arc<str>, Slot, RandomState>,
    next_seq: u32,
    /// How many steps the run has, recorded or begun.
    steps: u32,
    /// The most that it may have.
    most_steps: Option<u32>,
}

/// How many of the last keys are named where a run has too many steps.
const KEYS_SHOWN: usize = 3;

#[derive(Debug)]
struct Slot {
    /// The place of its entry; `None` where it was begun in this attempt.
    entry: Option<usize>,
    /// `None` for what is never recorded.
    seq: Option<u32>,
    reached: Option<&'static Location>,
}

impl Journal {
    /// The journal as the store has it.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        let mut by_path = HashMap::with_capacity_and_hasher(entries.len(), RandomState::default());
        let mut next_seq = 0;
        let mut steps = 0;
        for (place, entry) in entries.iter().enumerate() {
            // A gap is left where a step was begun and its process died, or where a rerun dropped a failure.
            next_seq = next_seq.max(entry.seq + 1);
            if !entry.is_step() {
                continue;
            }
            steps += 1;
            let slot = Slot {
                entry: Some(place),
                seq: Some(entry.seq),
                reached: None,
            };
            by_path.insert(Arc::clone(&entry.path), slot);
        }
        Self {
            entries,
            by_path,
            next_seq,
            steps,
            most_steps: None,
        }
    }

    /// Lets the run begin steps up to this number. What is recorded is replayed, however much it is.
    pub(crate) fn limited(mut self, most_steps: u32) -> Self {
        self.most_steps = Some(most_steps);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Answers a request, and remembers that the path was reached.
    pub(crate) fn decide(&mut self, request: Request<'_>) -> Result<Decision, Violation> {
        let slot = match self.by_path.entry(Arc::clone(request.path)) {
            hash_map::Entry::Occupied(slot) => slot.into_mut(),
            hash_map::Entry::Vacant(place) => {
                if let Some(most) = self.most_steps.filter(|most| self.steps >= *most) {
                    return Err(self.too_many(request, most));
                }
                let seq = self.next_seq;
                place.insert(Slot::begun(Some(seq), request.at));
                self.next_seq += 1;
                self.steps += 1;
                return Ok(Decision::Begin { seq });
            }
        };
        if let Some(first) = slot.reached {
            return Err(Violation::DuplicateKey {
                path: Arc::clone(request.path),
                first,
                second: request.at,
            });
        }
        slot.reached = Some(request.at);
        let place = slot
            .entry
            .expect("a slot not yet reached comes from the store");
        let entry = &self.entries[place];
        if entry.kind != request.kind {
            return Err(Violation::OtherKind {
                path: Arc::clone(request.path),
                stored: entry.kind,
                expected: request.kind,
                at: request.at,
            });
        }
        Ok(match (entry.state, entry.due_at) {
            (StepState::Waiting, due_at) => Decision::Resume {
                seq: entry.seq,
                due_at: due_at.unwrap_or(entry.started_at),
                failed_attempts: entry.attempts,
                started_at: entry.started_at,
            },
            (StepState::Completed | StepState::Failed, _) => Decision::Replay {
                value: Arc::clone(&entry.value),
                type_name: Arc::clone(&entry.type_name),
            },
        })
    }

    #[cold]
    fn too_many(&self, request: Request<'_>, most: u32) -> Violation {
        let mut known: Vec<_> = self
            .by_path
            .iter()
            .filter_map(|(path, slot)| Some((slot.seq?, path)))
            .collect();
        known.sort_unstable_by(|one, other| other.cmp(one));
        let last = known.into_iter().take(KEYS_SHOWN);
        Violation::TooManySteps {
            path: Arc::clone(request.path),
            most,
            before: last.map(|(_, path)| Arc::clone(path)).collect(),
            at: request.at,
        }
    }

    /// Whether the store has anything under this path.
    pub(crate) fn has_entry(&self, path: &str) -> bool {
        let slot = self.by_path.get(path);
        slot.is_some_and(|slot| slot.entry.is_some())
    }

    /// What the store had under this path.
    pub(crate) fn entry_at(&self, path: &str) -> Option<&Entry> {
        let place = self.by_path.get(path)?.entry?;
        self.entries.get(place)
    }

    /// Whether the step of this path has a recorded outcome.
    pub(crate) fn has_recorded(&self, path: &str) -> bool {
        let place = self.by_path.get(path).and_then(|slot| slot.entry);
        let entry = place.map(|place| &self.entries[place]);
        entry.is_some_and(|entry| entry.kind == StepKind::Step && entry.state != StepState::Waiting)
    }

    /// The recorded entry of this `seq`, as the store had it.
    pub(crate) fn entry(&self, seq: u32) -> Option<&Entry> {
        let place = self.entries.binary_search_by_key(&seq, |entry| entry.seq);
        place.ok().map(|place| &self.entries[place])
    }

    /// The waits that are over.
    pub(crate) fn settled_waits(&self) -> impl Iterator<Item = &Entry> {
        let settled = |entry: &&Entry| entry.state != StepState::Waiting;
        let waits = self.entries.iter().filter(settled);
        waits.filter(|entry| entry.kind == StepKind::Wait && entry.is_step())
    }

    /// The sleeps that were begun when the run was claimed. That one is over is not recorded.
    pub(crate) fn sleeps(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.entries.iter();
        entries.filter(|entry| entry.kind == StepKind::Sleep)
    }

    /// The waits that were not over when the run was claimed.
    pub(crate) fn open_waits(&self) -> impl Iterator<Item = &Entry> {
        let waits = self
            .entries
            .iter()
            .filter(|entry| entry.kind.is_wait() && entry.is_step());
        waits.filter(|entry| entry.state == StepState::Waiting)
    }

    /// What the store had.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The wait for the event that cancels the run, as the store had it.
    pub(crate) fn cancel_on(&self) -> Option<&Entry> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.is_cancel_on())
    }

    /// Whether the function has reached this path.
    pub(crate) fn has_reached(&self, path: &str) -> bool {
        let slot = self.by_path.get(path);
        slot.is_some_and(|slot| slot.reached.is_some())
    }

    /// Forgets which paths were reached, for another replay.
    pub(crate) fn forget_reached(&mut self) {
        self.by_path.retain(|_, slot| slot.entry.is_some());
        for slot in self.by_path.values_mut() {
            slot.reached = None;
        }
    }

    /// A `seq` for what is no step.
    pub(crate) fn take_seq(&mut self) -> u32 {
        self.next_seq += 1;
        self.next_seq - 1
    }

    /// Marks a path as reached that is never recorded itself, such as a scope's.
    pub(crate) fn reach(
        &mut self,
        path: &Arc<str>,
        at: &'static Location,
    ) -> Result<(), Violation> {
        match self.by_path.entry(Arc::clone(path)) {
            hash_map::Entry::Occupied(slot) => Err(Violation::DuplicateKey {
                path: Arc::clone(path),
                first: slot.get().reached.unwrap_or(at),
                second: at,
            }),
            hash_map::Entry::Vacant(place) => {
                place.insert(Slot::begun(None, at));
                Ok(())
            }
        }
    }
}

impl Slot {
    fn begun(seq: Option<u32>, at: &'static Location) -> Self {
        Self {
            entry: None,
            seq,
            reached: Some(at),
        }
    }
}
