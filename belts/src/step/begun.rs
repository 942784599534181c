//! A step under way: what is known of it, and what the next record of it says.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::evaluate::type_name;
use crate::{
    clock::Timestamp,
    codec,
    live::{Arm, Attempt},
    store::{Entry, StepKind, StepState},
};

#[derive(Debug)]
pub(super) struct Begun {
    pub(super) path: Arc<str>,
    pub(super) seq: u32,
    pub(super) failed_attempts: u32,
    pub(super) started_at: Timestamp,
    pub(super) due_at: Option<Timestamp>,
    /// The failure of the last attempt, as an envelope.
    pub(super) failure: Option<Arc<[u8]>>,
    /// The last heartbeat of earlier attempts.
    pub(super) progress: Option<Arc<RawValue>>,
}

impl Begun {
    pub(super) fn attempt<T>(&self, arm: Option<&Arm>) -> Attempt {
        Attempt {
            path: Arc::clone(&self.path),
            seq: self.seq,
            failed_attempts: self.failed_attempts,
            started_at: self.started_at,
            type_name: type_name::<T>,
            arm: arm.cloned(),
            failure: self.failure.clone(),
            progress: self.progress.clone(),
        }
    }

    pub(super) fn entry<T>(
        &self,
        state: StepState,
        value: Arc<[u8]>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Entry {
        let succeeded = u32::from(state == StepState::Completed);
        let value = match &self.progress {
            Some(progress) => codec::with_progress(Some(&value), progress),
            None => value,
        };
        Entry {
            seq: self.seq,
            path: Arc::clone(&self.path),
            kind: StepKind::Step,
            state,
            type_name: type_name::<T>(),
            value,
            attempts: self.failed_attempts + succeeded,
            due_at,
            wait: None,
            started_at: self.started_at,
            finished_at: (state != StepState::Waiting).then_some(now),
        }
    }
}
