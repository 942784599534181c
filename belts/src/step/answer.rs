//! An answer that a run waits for under the key of what it answers: a callback, or the end of a run that it has started.

use std::{
    collections::HashMap,
    fmt,
    future::{pending, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use super::{Scope, open::Open, taken::event_in};
use crate::{
    callback::Undecoded,
    error::{Error, ErrorKind, Result},
    live::{Arm, CURRENT_ARM, CURRENT_RUN},
    run::{Decision, Location, Violation, escape, is_under, join},
    store::{StepKind, Wait},
};

/// An answer that may be waited for more than once. Clones wait for the same.
#[derive(Clone)]
pub(crate) struct Answer {
    scope: Scope,
    at: &'static Location,
    /// The path of what it answers.
    path: Arc<str>,
    /// What it is of, for messages: `callback` or `run`.
    what: &'static str,
    wait: Wait,
    /// The run of which it may be too late to hear, if it is the end of one.
    watched: Option<Arc<str>>,
    results: Arc<Results>,
}

/// What this attempt knows of an answer.
#[derive(Default)]
struct Results {
    /// How often it was asked for, by the path that the waits are under.
    asked: Mutex<HashMap<Arc<str>, u32>>,
    /// The event that brought it, once a wait for it has recorded that.
    value: OnceLock<Arc<[u8]>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// An answer that comes as an event.
    pub(super) fn new(
        scope: Scope,
        at: &'static Location,
        path: Arc<str>,
        what: &'static str,
        wait: Wait,
    ) -> Self {
        Self {
            scope,
            at,
            path,
            what,
            wait,
            watched: None,
            results: Arc::default(),
        }
    }

    /// The same, of the end of a run of which this one may have missed to hear.
    pub(super) fn watching(mut self, run_id: Option<Arc<str>>) -> Self {
        self.watched = run_id;
        self
    }

    /// The path of what it answers.
    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Waits for the event, at most this long; `None` if nothing came.
    ///
    /// It waits in the arm of a race that polls this, or outside of any. A wait in an arm ends with the race; a future that was passed
    /// to it by `&mut` starts a new wait outside.
    pub(crate) async fn event(&self, limit: Option<Duration>) -> Result<Option<Arc<[u8]>>> {
        let mut asking: Option<(Option<Arm>, Pin<Box<_>>)> = None;
        poll_fn(|cx| {
            let arm = CURRENT_ARM.try_with(Clone::clone).ok();
            if asking
                .as_ref()
                .is_some_and(|(there, _)| !Arm::is_same(there.as_ref(), arm.as_ref()))
            {
                // It goes before the next begins.
                asking = None;
            }
            let (_, waiting) = asking.get_or_insert_with(|| {
                let waiting = Box::pin(self.outcome(arm.clone(), limit));
                (arm, waiting)
            });
            waiting.as_mut().poll(cx)
        })
        .await
    }

    async fn outcome(
        &self,
        arm: Option<Arm>,
        limit: Option<Duration>,
    ) -> Result<Option<Arc<[u8]>>> {
        let run = Arc::clone(&self.scope.run);
        let is_here = CURRENT_RUN.try_with(|here| Arc::ptr_eq(here, &run));
        if !is_here.unwrap_or(false) {
            let text = format!(
                "the result of the {} `{}` was awaited outside of its run, as in a spawned task; await it in the function itself",
                self.what, self.path
            );
            return Err(Error::new(ErrorKind::Config, text));
        }
        let now = run.host.clock.now();
        let (path, known) = self.next_path(arm.as_ref());
        if known.is_some() {
            self.scope.not_in_a_step(&self.path, self.at).await;
            return Ok(known);
        }
        let (seq, entry) = match self.scope.decide(&path, StepKind::Wait, self.at).await {
            Decision::Replay { value, .. } => {
                let event = event_in(&value)?;
                return Ok(event.inspect(|event| self.keep(event)));
            }
            Decision::Begin { seq } => (seq, None),
            Decision::Resume { .. } if run.is_rehearsed() => return pending().await,
            Decision::Resume { seq, .. } => (seq, run.wait_entry(seq)),
        };
        let begins = entry.is_none();
        let wait = || self.wait.clone();
        let state = match entry {
            Some(entry) => (
                entry.started_at,
                entry.wait.unwrap_or_else(wait),
                entry.due_at,
            ),
            None => (now, wait(), limit.map(|limit| now.after(limit))),
        };
        let open = Open::new(Arc::clone(&run), arm, path, seq, state);
        let mut open = open.watching(self.watched.clone());
        let event = open.decide::<Undecoded>(begins, &mut None).await?;
        Ok(event
            .map(|Undecoded(event)| event)
            .inspect(|event| self.keep(event)))
    }

    /// Fails the run: what answered it cannot be read as the type that the code expects.
    pub(crate) async fn misread<T>(
        &self,
        function: Arc<str>,
        expected: &'static str,
        reason: String,
    ) -> T {
        self.scope.run.violate(Violation::OtherOutput {
            path: Arc::clone(&self.path),
            function,
            expected,
            reason,
            at: self.at,
        });
        pending().await
    }

    fn keep(&self, event: &Arc<[u8]>) {
        let _ = self.results.value.set(Arc::clone(event));
    }

    /// Where the next wait for it is recorded, and what brought it if it takes none. Each is one of its own, in the order in which
    /// they are asked for. One that is recorded comes to what it came to then, also where its time was over before another's was.
    fn next_path(&self, arm: Option<&Arm>) -> (Arc<str>, Option<Arc<[u8]>>) {
        let base = match arm.map(Arm::path) {
            // No key of the arm's own makes such a path.
            Some(arm) if !is_under(&self.path, &arm) => {
                Arc::from(format!("{arm}/~{}", escape(&self.path)))
            }
            _ => Arc::clone(&self.path),
        };
        let asked = self.results.asked.lock();
        let mut asked = asked.unwrap_or_else(PoisonError::into_inner);
        let times = asked.entry(Arc::clone(&base)).or_default();
        let path = match *times {
            0 => join(Some(&base), "result"),
            times => join(Some(&base), &format!("result-{}", times + 1)),
        };
        let known = self.results.value.get().cloned();
        let known = known.filter(|_| !self.scope.run.has_entry(&path));
        if known.is_none() {
            *times += 1;
        }
        (path, known)
    }
}
