//! At which step a run is to stop, and who asked for that.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What one request asked of a run: to stop at a step, or else to go on to its end.
#[derive(Debug)]
pub(crate) struct Aim {
    run_id: Arc<str>,
    pub(super) until: Option<Arc<str>>,
}

/// What was asked of the runs that are driven here, in the order in which it was asked. A drive goes by the last.
#[derive(Debug, Default)]
pub(crate) struct Targets(Mutex<HashMap<Arc<str>, Vec<Arc<Aim>>>>);

impl Targets {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<Arc<Aim>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds for the drives of the run that begin from now on, until it is taken back.
    pub(super) fn set(&self, run_id: &Arc<str>, until: Option<Arc<str>>) -> Arc<Aim> {
        let run_id = Arc::clone(run_id);
        let aim = Arc::new(Aim { run_id, until });
        let mut targets = self.lock();
        let aims = targets.entry(Arc::clone(&aim.run_id)).or_default();
        aims.push(Arc::clone(&aim));
        aim
    }

    /// Takes back what one request asked for, if it did, and nothing that others asked for.
    pub(super) fn take_back(&self, aim: Option<Arc<Aim>>) {
        if let Some(aim) = aim {
            self.change(&aim.run_id, |aims| {
                aims.retain(|other| !Arc::ptr_eq(other, &aim));
            });
        }
    }

    /// Takes back what was asked for before this, which has come into force. To go on to the end is what a run does anyway.
    pub(super) fn replace_earlier(&self, aim: &Arc<Aim>) {
        self.change(&aim.run_id, |aims| {
            if let Some(place) = aims.iter().position(|other| Arc::ptr_eq(other, aim)) {
                aims.drain(..place + usize::from(aim.until.is_none()));
            }
        });
    }

    fn change(&self, run_id: &str, change: impl FnOnce(&mut Vec<Arc<Aim>>)) {
        let mut targets = self.lock();
        if let Some(aims) = targets.get_mut(run_id) {
            change(aims);
            if aims.is_empty() {
                targets.remove(run_id);
            }
        }
    }

    /// What a drive of the run goes by that begins now.
    pub(super) fn of(&self, run_id: &str) -> Option<Arc<Aim>> {
        self.lock().get(run_id)?.last().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_takes_back_its_own_alone_and_the_last_one_counts() {
        let (targets, run_id) = (Targets::default(), Arc::from("run"));
        let until = || targets.of("run").map(|aim| aim.until.clone());
        let step = |step: &str| Some(Arc::from(step));
        let one = targets.set(&run_id, step("one"));
        let same = targets.set(&run_id, step("one"));
        targets.take_back(Some(Arc::clone(&one)));
        targets.take_back(Some(one));
        assert_eq!(until(), Some(step("one")));
        let to_the_end = targets.set(&run_id, None);
        assert_eq!(until(), Some(None));
        targets.take_back(Some(to_the_end));
        assert_eq!(until(), Some(step("one")));
        let two = targets.set(&run_id, step("two"));
        targets.replace_earlier(&two);
        targets.take_back(Some(same));
        assert_eq!(until(), Some(step("two")));
        let to_the_end = targets.set(&run_id, None);
        let later = targets.set(&run_id, step("three"));
        targets.replace_earlier(&to_the_end);
        assert_eq!(until(), Some(step("three")));
        targets.take_back(Some(later));
        assert_eq!(until(), None, "nothing is left behind");
        assert!(targets.lock().is_empty());
    }
}
