//! `call!` and `start!`: runs that a run starts, and waits for.

use std::{
    any::type_name,
    fmt,
    future::{Future, pending},
    sync::Arc,
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{
    Answer, Key, Scope,
    open::Open,
    refuse::{need_waits, refuse},
    undoes::{Closure, Undoes, Undone},
};
use crate::{
    clock::Timestamp,
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    event::EventSet,
    function::{Call, Definition, Returned, RunHandle},
    id::stable_id,
    live::{Left, LiveRun},
    run::{Child, Decision, Location, MOST_DEPTH, Violation, join},
    store::{ENDED, Entry, NewEvent, Parent, StepKind, StepState, Wait},
    worker::{Worker, installed::worker_for},
};

/// How much of a chain of runs an error shows.
const SHOWN: usize = 8;

/// The types of the events that tell of the ends of runs, for registration.
pub const ENDED_TYPES: &[&str] = &[ENDED];

/// A call that is not made yet.
#[must_use = "nothing is called until this is awaited"]
pub struct ToCall<E, R, D> {
    scope: Scope,
    key: Key,
    at: &'static Location,
    call: Call<E, R, D>,
    timeout: Option<Duration>,
    attached: Option<bool>,
    undo: Undoes,
}

impl<E, R, D> fmt::Debug for ToCall<E, R, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToCall")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Scope {
    /// A call of a function by this run.
    pub fn call<E, R, D>(
        &self,
        key: Key,
        at: &'static Location,
        call: Call<E, R, D>,
    ) -> ToCall<E, R, D> {
        ToCall {
            scope: self.clone(),
            key,
            at,
            call,
            timeout: None,
            attached: None,
            undo: Undoes::No,
        }
    }
}

impl<E, R, D> ToCall<E, R, D> {
    /// Waits no longer than this, and cancels the run then.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Retries of the run, in place of what its function says.
    pub fn retries(mut self, retries: u32) -> Self {
        self.call = self.call.retries(retries);
        self
    }

    /// The run is cancelled if this one fails or is cancelled.
    pub fn attached(mut self) -> Self {
        self.attached = Some(true);
        self
    }

    /// The run goes on whatever becomes of this one.
    pub fn detached(mut self) -> Self {
        self.attached = Some(false);
        self
    }
}

impl<E, R, D> ToCall<E, R, D>
where
    E: EventSet,
    R: Returned,
    D: Definition,
{
    /// What its output is undone by, if it was recorded and this run fails or is cancelled.
    pub fn undo<F, U>(mut self, undo: F) -> Self
    where
        R::Output: DeserializeOwned + 'static,
        F: Fn(R::Output) -> U + Send + 'static,
        U: Future<Output: Undone> + Send + 'static,
    {
        self.undo = if self.scope.run.is_undoing() {
            let decode = codec::decode::<R::Output>;
            Undoes::By(Some(Box::new(Closure::new(undo, decode, None))))
        } else {
            Undoes::Yes
        };
        self
    }

    /// Starts the run and waits for its output.
    pub async fn result(mut self) -> Result<R::Output>
    where
        R::Output: DeserializeOwned,
    {
        let (scope, at, timeout) = (self.scope.clone(), self.at, self.timeout);
        let path = join(scope.prefix.as_deref(), self.key.as_str());
        need_waits(&scope.run, &path, "call!").await;
        let run = Arc::clone(&scope.run);
        let undoable = self.undo.offer(&run, &path);
        let now = run.host.clock.now();
        let until = timeout.map(|limit| now.after(limit));
        let open = |state, seq| {
            let (arm, path) = (scope.arm.clone(), Arc::clone(&path));
            Open::new(Arc::clone(&scope.run), arm, path, seq, state).undoable(undoable)
        };
        run.expect_type(&path, D::DEFINITION.id);
        let (value, function) = match scope.decide(&path, StepKind::Call, at).await {
            Decision::Replay { value, type_name } => {
                if undoable {
                    run.make_undoable(&path);
                } else {
                    run.miss_undo(&path);
                }
                (value, type_name)
            }
            Decision::Begin { seq } => {
                let (child, start) = self.child(&path, true, now).await?;
                let function = Arc::clone(&child.function);
                let state = (now, Wait::run(&child.run_id), until);
                let value = match preset(&run, &child) {
                    Preset::No => {
                        let mut open = open(state, seq).of_child(child, Some(start));
                        open.called(true).await?
                    }
                    Preset::NeverEnds => {
                        open(state, seq).of_child(child, None).called(true).await?
                    }
                    Preset::Ended(ended) => {
                        open(state, seq).of_child(child, None).ended(ended).await
                    }
                };
                (value, function)
            }
            Decision::Resume { seq, .. } => {
                let entry = run.wait_entry(seq);
                let resumed = entry.and_then(|entry| {
                    let child = Child::of(&entry)?;
                    Some((child, entry.wait.clone()?, entry))
                });
                let Some((child, wait, entry)) = resumed else {
                    let text = format!(
                        "the journal does not say which run the call `{path}` waits for; rerun the run from `{path}`, which starts a new child"
                    );
                    return refuse(&run, &path, ErrorKind::Codec, text).await;
                };
                if *child.function != *D::DEFINITION.id {
                    return other_function(&scope, path, &child.function, D::DEFINITION.id, at)
                        .await;
                }
                if run.is_rehearsed() {
                    return pending().await;
                }
                let function = Arc::clone(&child.function);
                // A rerun has opened it again: its time begins anew, and the end that it waits for may have been told long ago.
                let is_reopened = entry.value.is_empty();
                let (until, watch) = if is_reopened {
                    (until, Some(Arc::clone(&child.run_id)))
                } else {
                    (entry.due_at, None)
                };
                let open = open((entry.started_at, wait, until), seq);
                let mut open = open.of_child(child, None).watching(watch);
                (open.called(is_reopened).await?, function)
            }
        };
        if *function != *D::DEFINITION.id {
            return other_function(&scope, path, &function, D::DEFINITION.id, at).await;
        }
        match codec::decode::<R::Output>(&value) {
            Ok(Decoded::Ok(output)) => Ok(output),
            Ok(Decoded::Err(failure)) => Err(failure.into_recorded().with_step(&path)),
            Err(error) => {
                run.violate(Violation::OtherOutput {
                    path,
                    function: D::DEFINITION.id.into(),
                    expected: type_name::<R::Output>(),
                    reason: error.to_string(),
                    at,
                });
                pending().await
            }
        }
    }

    /// Starts the run; its handle once that is durable.
    pub async fn start(self) -> Result<RunHandle<R::Output>> {
        let (scope, at) = (self.scope.clone(), self.at);
        let path = join(scope.prefix.as_deref(), self.key.as_str());
        need_waits(&scope.run, &path, "start!").await;
        let mut watched = None;
        let handle_type = type_name::<RunHandle<R::Output>>();
        scope.run.expect_type(&path, handle_type);
        let handle = match scope.decide(&path, StepKind::Start, at).await {
            Decision::Replay { value, type_name } => {
                let handle = match codec::decode::<RunHandle<R::Output>>(&value) {
                    Ok(Decoded::Ok(handle)) => handle,
                    other => {
                        let reason = match other {
                            Err(error) => error.to_string(),
                            Ok(_) => "it is a failure".to_owned(),
                        };
                        scope.run.violate(Violation::OtherType {
                            path,
                            stored: type_name,
                            expected: handle_type,
                            reason,
                            at,
                        });
                        return pending().await;
                    }
                };
                if handle.function_id() != D::DEFINITION.id {
                    let called = handle.function_id();
                    return other_function(&scope, path, called, D::DEFINITION.id, at).await;
                }
                // It may have ended long ago, and this run be a rerun.
                watched = Some(Arc::from(handle.run_id()));
                handle
            }
            Decision::Begin { seq } | Decision::Resume { seq, .. } => {
                let run = Arc::clone(&scope.run);
                let _active = run.activate();
                let now = run.host.clock.now();
                let (child, start) = self.child(&path, false, now).await?;
                let (run_id, function) = (child.run_id.to_string(), child.function.to_string());
                let handle = RunHandle::<R::Output>::new(run_id, function, None);
                let kind = StepKind::Start;
                let entry = Entry::new(seq, Arc::clone(&path), kind, StepState::Completed, now)
                    .with_value(handle_type, codec::encode_ok(&handle)?)
                    .with_finished_at(now);
                let mut left = Left::new(entry);
                left.start = Some(start);
                // Nobody may be told of it before it is durable.
                match run.record_left(scope.arm.as_ref(), left, true, true) {
                    Some(ticket) => ticket.await,
                    None => return pending().await,
                }
                handle
            }
        };
        let wait = Wait::run(handle.run_id());
        let answer = Answer::new(scope, at, path, "run", wait).watching(watched);
        Ok(handle.within_run(answer))
    }

    /// The run to start, and the event that starts it.
    async fn child(
        self,
        path: &Arc<str>,
        attached: bool,
        now: Timestamp,
    ) -> Result<(Child, NewEvent)> {
        let Self {
            scope,
            call,
            attached: chosen,
            ..
        } = self;
        let run = &scope.run;
        let function = D::DEFINITION.id;
        let worker = worker_for(None)?;
        let depth = run.parent.as_ref().map_or(0, |parent| parent.depth) + 1;
        if depth > MOST_DEPTH {
            let _active = run.activate();
            return Err(too_deep(&worker, run, function).await);
        }
        // The event tells it from a run that had its id before and was purged.
        let generation = run.generation.to_string();
        let parts = ["child", &run.run_id, &run.event_id, path, &generation];
        let run_id: Arc<str> = stable_id(&parts).into();
        let mut event = call.into_start(&worker, path, Arc::clone(&run_id), now)?;
        let mut parent = Parent::new(Arc::clone(&run.run_id), depth);
        parent.attached = chosen.unwrap_or(attached);
        event.parent = Some(parent);
        let child = Child {
            run_id,
            function: function.into(),
            path: Arc::clone(path),
        };
        Ok((child, event))
    }
}

/// Ends the run: the code calls another function than it did when the call was recorded.
async fn other_function<T>(
    scope: &Scope,
    path: Arc<str>,
    called: &str,
    calls: &'static str,
    at: &'static Location,
) -> T {
    scope.run.violate(Violation::OtherFunction {
        path,
        called: called.into(),
        calls,
        at,
    });
    pending().await
}

/// The error of a run that is too many runs below the first, with the functions above it, the last first.
async fn too_deep(worker: &Worker, run: &LiveRun, function: &str) -> Error {
    let mut chain = vec![format!("`{}`", run.function_id)];
    let mut above = run.parent.clone();
    while let Some(parent) = above.filter(|_| chain.len() < SHOWN) {
        let Ok(Some(record)) = worker.store().run(&parent.run_id).await else {
            break;
        };
        chain.push(format!("`{}`", record.function_id));
        above = record.parent;
    }
    let text = format!(
        "`{function}` would be more than {MOST_DEPTH} runs below the first one; its last callers, nearest first: {}; does a function call \
         itself endlessly?",
        chain.join(", ")
    );
    Error::new(ErrorKind::Config, text)
}

/// What a test wants a call to come to.
#[cfg_attr(
    not(feature = "testing"),
    expect(dead_code, reason = "only tests preset calls")
)]
enum Preset {
    No,
    NeverEnds,
    /// With this output, as an envelope, or this error.
    Ended(Result<Arc<[u8]>>),
}

#[cfg(feature = "testing")]
fn preset(run: &LiveRun, child: &Child) -> Preset {
    use crate::testing::Instead;

    let probe = run.host.probe.as_ref();
    match probe.and_then(|probe| probe.consult_call(&child.path)) {
        None => Preset::No,
        Some(Instead::Hang) => Preset::NeverEnds,
        Some(Instead::Fail(error)) => Preset::Ended(Err(child.failed(error))),
        Some(Instead::Return(json)) => {
            let json = serde_json::from_slice::<Box<serde_json::value::RawValue>>(&json);
            let output = json.map(|json| codec::encode_json(&json));
            Preset::Ended(output.map_err(Error::from_any))
        }
    }
}

#[cfg(not(feature = "testing"))]
fn preset(_: &LiveRun, _: &Child) -> Preset {
    Preset::No
}
