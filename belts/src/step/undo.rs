//! `undo = …`: what undoes a step once its run has failed or was cancelled.

use std::{future::pending, sync::Arc, time::Duration};

use super::{
    Caught, Expression, Scope, Step, StepOptions, begun::Begun, undoes::cannot, values::Values,
};
use crate::{
    codec::{self, Begins},
    error::Error,
    live::Undo,
    run::{Backoff, Location},
    store::{Entry, StepKind, StepState},
};

/// How often what undoes a step is tried again, and how long it waits in between.
const OPTIONS: StepOptions = StepOptions {
    retries: Some(10),
    backoff: Some(Backoff::new(
        Duration::from_secs(1),
        Duration::from_secs(60 * 60),
    )),
    timeout: Some(MOST),
    stall: None,
    unknown: None,
};

/// How long an attempt may take where the step has no time limit of its own: the undos of other steps wait for it.
const MOST: Duration = Duration::from_secs(60 * 60);

impl Step<()> {
    /// What undoes a step of a run, from where the journal has it.
    ///
    /// That it is begun is recorded before its first attempt. If processes die over it, they died over this one and no other.
    async fn of_undo(
        scope: &Scope,
        path: Arc<str>,
        at: &'static Location,
        timeout: Option<Duration>,
    ) -> Self {
        let run = &scope.run;
        let begun = if let Some(entry) = run.undo_entry(&path) {
            Begun::resumed(run, path, &entry)
        } else {
            let now = run.host.clock.now();
            let begun = Begun {
                kind: StepKind::Undo,
                path,
                seq: run.undo_seq(),
                failed_attempts: 0,
                started_at: now,
                due_at: None,
                failure: None,
                progress: None,
                begins: Begins::default(),
            };
            let nothing = codec::encode_nothing();
            let mark = begun.entry::<()>(StepState::Waiting, nothing, None, now);
            let _active = run.activate();
            match run.record_in(None, mark, true, false) {
                Some(ticket) => ticket.await,
                None => pending().await,
            }
            begun
        };
        let mut options = OPTIONS;
        options.timeout = timeout.or(options.timeout);
        Self::begun(scope.clone(), at, options, Values::OF_TYPE, begun)
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
    let timeout = undo.as_ref().ok().and_then(|undo| undo.timeout());
    let mut step = Step::of_undo(scope, path, at, timeout).await;
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
