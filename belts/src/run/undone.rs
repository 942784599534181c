//! What undid a step, in this journal: a rerun does anew what was undone, and keeps that it was, so that the two are told apart.

use std::sync::Arc;

use crate::store::{Entry, StepKind, StepState};

/// How often the step of this path was undone before the one that has this `seq` was begun.
pub(crate) fn times_undone(journal: &[Entry], path: &str, seq: u32) -> u32 {
    let is_undone = |undo: &str| {
        journal.iter().any(|entry| {
            let is_over = entry.kind == StepKind::Undo && entry.state == StepState::Completed;
            is_over && entry.seq < seq && *entry.path == *undo
        })
    };
    let mut times = 0;
    while is_undone(&undo_of(path, times)) {
        times += 1;
    }
    times
}

/// The path of what undoes this entry: `undo:` before its key, or `undo#2:` and so on where it was undone before.
pub(crate) fn undo_path(journal: &[Entry], entry: &Entry) -> Arc<str> {
    undo_of(&entry.path, times_undone(journal, &entry.path, entry.seq))
}

fn undo_of(path: &str, times: u32) -> Arc<str> {
    let (scope, key) = match path.rsplit_once('/') {
        Some((scope, key)) => (format!("{scope}/"), key),
        None => (String::new(), path),
    };
    Arc::from(match times {
        0 => format!("{scope}undo:{key}"),
        times => format!("{scope}undo#{}:{key}", times + 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn entry(seq: u32, path: &str, kind: StepKind) -> Entry {
        let now = Timestamp::from_millis(0);
        Entry::new(seq, path, kind, StepState::Completed, now)
    }

    #[test]
    fn each_time_has_a_path_of_its_own() {
        let charge = entry(1, "a/charge", StepKind::Step);
        assert_eq!(
            &*undo_path(std::slice::from_ref(&charge), &charge),
            "a/undo:charge"
        );
        let mut journal = vec![charge, entry(2, "a/undo:charge", StepKind::Undo)];
        // It is still that which has undone it.
        assert_eq!(&*undo_path(&journal, &journal[0]), "a/undo:charge");
        journal[0].seq = 3;
        assert_eq!(&*undo_path(&journal, &journal[0]), "a/undo#2:charge");
        journal.push(entry(4, "a/undo#2:charge", StepKind::Undo));
        assert_eq!(times_undone(&journal, "a/charge", 3), 1);
        assert_eq!(times_undone(&journal, "a/charge", 5), 2);
        assert_eq!(times_undone(&journal, "charge", 5), 0);
    }

    #[test]
    fn what_could_not_be_undone_does_not_count() {
        let mut failed = entry(2, "undo:charge", StepKind::Undo);
        failed.state = StepState::Failed;
        assert_eq!(times_undone(&[failed], "charge", 3), 0);
    }
}
