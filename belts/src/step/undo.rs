//! `undo = …`: what undoes a step once its run has failed or was cancelled.

use std::{sync::Arc, time::Duration};

use super::{
    Caught, Expression, Scope, Step, StepOptions, begun::Begun, undoes::cannot, values::Values,
};
use crate::{
    codec::Begins,
    error::Error,
    live::Undo,
    run::{Backoff, Location},
    store::{Entry, StepKind},
};

/// How often what undoes a step is tried again, and how long it waits in between.
const OPTIONS: StepOptions = StepOptions {
    retries: Some(10),
    backoff: Some(Backoff::new(
        Duration::from_secs(1),
        Duration::from_secs(60 * 60),
    )),
    timeout: None,
    stall: None,
    unknown: None,
};

impl Step<()> {
    /// What undoes a step of a run, from where the journal has it.
    fn of_undo(scope: &Scope, path: Arc<str>, at: &'static Location) -> Self {
        let run = &scope.run;
        let begun = match run.undo_entry(&path) {
            Some(entry) => Begun::resumed(run, path, &entry),
            None => Begun {
                kind: StepKind::Undo,
                path,
                seq: run.undo_seq(),
                failed_attempts: 0,
                started_at: run.host.clock.now(),
                due_at: None,
                failure: None,
                progress: None,
                begins: Begins::default(),
            },
        };
        Self::begun(scope.clone(), at, OPTIONS, Values::OF_TYPE, begun)
    }
}

/// Undoes a step, with retries; its failure is recorded, and others go on. `undo` is `Err` where the code does not say how.
pub(crate) async fn undo(
    scope: &Scope,
    at: &'static Location,
    path: Arc<str>,
    of: &Entry,
    undo: &mut std::result::Result<Box<dyn Undo>, Error>,
) {
    let mut step = Step::of_undo(scope, path, at);
    loop {
        let undo = &mut *undo;
        let attempt = async move {
            let attempt = match undo {
                Ok(undo) => undo.attempt(&of.value),
                Err(why) => Err(cannot(&why.report())),
            };
            attempt.map_err(Caught)?.await
        };
        let expression: Expression<'_, ()> = std::pin::pin!(Some(attempt));
        if step.next(expression).await.is_some() {
            return;
        }
    }
}
