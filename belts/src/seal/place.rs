//! Where a sealed value is kept: it opens there and nowhere else.

use crate::store::StepKind;

/// Where a sealed value is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// What an event says, in a store or in a message.
    Event { id: &'a str, event_type: &'a str },
    /// The entry of a run's journal.
    Entry {
        run_id: &'a str,
        path: &'a str,
        kind: StepKind,
    },
    /// The output or the failure of a run.
    Result { run_id: &'a str },
    /// What a schedule says.
    Schedule { name: &'a str, function_id: &'a str },
}

impl Place<'_> {
    /// The bytes that stand for it, different for each place.
    pub(super) fn bytes(self) -> Vec<u8> {
        let parts: [&str; 4] = match self {
            Self::Event { id, event_type } => ["event", id, event_type, ""],
            Self::Entry { run_id, path, kind } => ["entry", run_id, path, word(kind)],
            Self::Result { run_id } => ["result", run_id, "", ""],
            Self::Schedule { name, function_id } => ["schedule", name, function_id, ""],
        };
        let mut bytes = Vec::with_capacity(64 + parts.iter().map(|part| part.len()).sum::<usize>());
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// A word for each kind that never changes: values that were sealed with it must open.
fn word(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Step => "step",
        StepKind::Sleep => "sleep",
        StepKind::Wait => "wait",
        StepKind::Callback => "callback",
        StepKind::Race => "race",
        StepKind::Call => "call",
        StepKind::Start => "start",
        StepKind::Status => "status",
        StepKind::Undo => "undo",
    }
}
