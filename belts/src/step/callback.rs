//! `callback!`: an id that is recorded, and a wait for what completes it.

use std::{
    collections::HashMap,
    fmt,
    future::{Future, pending, poll_fn},
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use super::{
    Key, Scope,
    taken::event_in,
    wait::{Open, need_waits},
};
use crate::{
    callback::{CallbackEntry, CallbackValue, Completion, Recorded, Undecoded, key_of, new_id},
    clock::duration,
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    live::{Arm, CURRENT_ARM, CURRENT_RUN},
    run::{Decision, Location, Violation, escape, is_under, join},
    store::{After, AwaitedType, CALLBACK, Entry, StepKind, StepState, Wait},
    url::encoded,
};

/// A callback: a URL for an answer that the run waits for. [`callback!`](crate::callback!) makes and records it.
///
/// Clones are the same callback. See [the guide](crate::guide::callbacks).
pub struct Callback<T> {
    scope: Scope,
    at: &'static Location,
    path: Arc<str>,
    id: Arc<str>,
    results: Arc<Results>,
    value: PhantomData<fn() -> T>,
}

/// What this attempt knows of its result.
#[derive(Default)]
struct Results {
    /// How often it was asked for, by the path that the waits are under.
    asked: Mutex<HashMap<Arc<str>, u32>>,
    /// The event that completed it, once a wait for it has recorded that.
    value: OnceLock<Arc<[u8]>>,
}

impl<T> Clone for Callback<T> {
    fn clone(&self) -> Self {
        Self {
            scope: self.scope.clone(),
            path: Arc::clone(&self.path),
            id: Arc::clone(&self.id),
            results: Arc::clone(&self.results),
            ..*self
        }
    }
}

/// The id is a credential, so it is not shown.
impl<T> fmt::Debug for Callback<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A callback that is not reached yet.
#[derive(Debug)]
#[must_use = "there is no callback until this is awaited"]
pub struct Calling<T> {
    scope: Scope,
    key: Key,
    at: &'static Location,
    entry: &'static CallbackEntry,
    value: PhantomData<fn() -> T>,
}

impl Scope {
    /// A callback that is completed with a `T`.
    pub fn callback<T>(
        &self,
        key: Key,
        at: &'static Location,
        entry: &'static CallbackEntry,
    ) -> Calling<T> {
        Calling {
            scope: self.clone(),
            key,
            at,
            entry,
            value: PhantomData,
        }
    }
}

impl<T> Calling<T> {
    /// One for programs alone.
    pub async fn without_page(self) -> Result<Callback<T>> {
        self.begin(None).await
    }

    /// One that browsers are shown a page for, with this question.
    pub async fn with_page(self, text: String) -> Result<Callback<T>> {
        self.begin(Some(text)).await
    }

    async fn begin(self, page: Option<String>) -> Result<Callback<T>> {
        let Self {
            scope,
            key,
            at,
            entry,
            ..
        } = self;
        let run = Arc::clone(&scope.run);
        let path = join(scope.prefix.as_deref(), key.as_str());
        let started_at = run.host.clock.now();
        need_waits(&run, &path, "callback!").await;
        let id = match scope.decide(&path, StepKind::Callback, at).await {
            Decision::Replay { value, type_name } => match codec::decode::<Recorded>(&value) {
                Ok(Decoded::Ok(recorded)) => recorded.id,
                other => {
                    let reason = match other {
                        Err(error) => error.to_string(),
                        Ok(_) => "it is a failure".to_owned(),
                    };
                    run.violate(Violation::OtherType {
                        path,
                        stored: type_name,
                        expected: "the id of a callback",
                        reason,
                        at,
                    });
                    return pending().await;
                }
            },
            Decision::Begin { seq } | Decision::Resume { seq, .. } => {
                let active = run.activate();
                let recorded = Recorded {
                    id: new_id(&run.run_id),
                    page: page.map(|text| entry.page(text)).transpose()?,
                };
                let type_name = (entry.type_name)();
                let mut entry = Entry::new(
                    seq,
                    Arc::clone(&path),
                    StepKind::Callback,
                    StepState::Completed,
                    started_at,
                )
                .with_value(type_name, codec::encode_ok(&recorded)?);
                entry.finished_at = Some(started_at);
                // Nobody may be told of it before it is durable.
                match run.record_in(scope.arm.as_ref(), entry, true, false) {
                    Some(ticket) => ticket.await,
                    None => pending().await,
                }
                drop(active);
                recorded.id
            }
        };
        Ok(Callback {
            scope,
            at,
            path,
            id,
            results: Arc::default(),
            value: PhantomData,
        })
    }
}

impl<T> Callback<T> {
    /// Its id, which nobody can guess. Anyone who has it can complete the callback. belts never logs it, and shows it only with a
    /// run's recorded values. It ends with the id of the run.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The URL that completes it: a `POST` of the value as JSON, or a `GET` by a browser if it has a page.
    ///
    /// # Errors
    /// Of kind [`Config`](ErrorKind::Config): the worker does not know its own URL.
    pub fn url(&self) -> Result<String> {
        let Some(url) = &self.scope.run.host.url else {
            return Err(config(format!(
                "the callback `{}` has no URL, because the worker does not know its own: set BELTS_URL (or `.url(…)`) to the \
                 public URL of its router, such as `https://app.example/belts`; or hand on the callback's `id()`",
                self.path
            )));
        };
        let url = url.trim_end_matches('/');
        Ok(format!("{url}/callbacks/{}", encoded(&self.id)))
    }
}

impl<T: CallbackValue> Callback<T> {
    /// Waits for what it is completed with, for however long that takes. Calling it again returns the same.
    ///
    /// # Errors
    /// Of kind [`CallbackFailed`](ErrorKind::CallbackFailed): it was completed with a failure.
    /// [`InvalidEvent`](ErrorKind::InvalidEvent): what came cannot be read as a `T`.
    pub async fn result(&self) -> Result<T> {
        loop {
            if let Some(value) = self.wherever_it_is_polled(None).await? {
                return Ok(value);
            }
            // It is a wait that had a time limit when it was recorded.
        }
    }

    /// The same, but waits at most this long and returns `None` if nothing came. The callback stays open, so it can be called again.
    ///
    /// The time is a `Duration`, or text such as `"2d"`.
    ///
    /// # Errors
    /// As [`result`](Self::result), and of kind [`Config`](ErrorKind::Config) if the text is no time.
    pub fn result_within(
        &self,
        limit: impl Within,
    ) -> Pin<Box<dyn Future<Output = Result<Option<T>>> + Send + '_>> {
        let limit = limit.within();
        Box::pin(async move {
            let limit = limit.map_err(|text| {
                config(format!(
                    "`result_within(\"{text}\")` of the callback `{}` has no length of time; write one such as `90s`, `24h` or `2d`",
                    self.path
                ))
            })?;
            self.wherever_it_is_polled(Some(limit)).await
        })
    }

    /// Waits in the arm of a race that polls this, or outside of any. A wait in an arm ends with the race; a future that was passed
    /// to it by `&mut` starts a new wait outside.
    async fn wherever_it_is_polled(&self, limit: Option<Duration>) -> Result<Option<T>> {
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

    async fn outcome(&self, arm: Option<Arm>, limit: Option<Duration>) -> Result<Option<T>> {
        let run = Arc::clone(&self.scope.run);
        let is_here = CURRENT_RUN.try_with(|here| Arc::ptr_eq(here, &run));
        if !is_here.unwrap_or(false) {
            return Err(config(format!(
                "the result of the callback `{}` was awaited outside of its run, as in a spawned task; await it in the function itself",
                self.path
            )));
        }
        let now = run.host.clock.now();
        let (path, known) = self.next_path(arm.as_ref());
        if let Some(value) = known {
            self.scope.not_in_a_step(&self.path, self.at).await;
            return self.read(&value);
        }
        let (seq, entry) = match self.scope.decide(&path, StepKind::Wait, self.at).await {
            Decision::Replay { value, .. } => {
                return match event_in(&value)? {
                    Some(event) => self.read(&event),
                    None => Ok(None),
                };
            }
            Decision::Begin { seq } => (seq, None),
            Decision::Resume { seq, .. } => (seq, run.wait_entry(seq)),
        };
        let begins = entry.is_none();
        let key = key_of(&self.id);
        let wait = Wait::event([AwaitedType::new(CALLBACK, After::Start)], &*key);
        let state = match entry {
            Some(entry) => (entry.started_at, entry.wait.unwrap_or(wait), entry.due_at),
            None => (now, wait, limit.map(|limit| now.after(limit))),
        };
        let mut open = Open::new(Arc::clone(&run), arm, path, seq, state);
        match open.decide::<Undecoded>(begins, &mut None).await? {
            Some(Undecoded(event)) => self.read(&event),
            None => Ok(None),
        }
    }

    /// What the event that completed it says.
    fn read(&self, event: &Arc<[u8]>) -> Result<Option<T>> {
        let _ = self.results.value.set(Arc::clone(event));
        let completion = Completion::read(event).map_err(|error| {
            Error::new(
                ErrorKind::InvalidEvent,
                format!("what completed the callback `{}` cannot be read", self.path),
            )
            .with_source(error)
        })?;
        match completion {
            Completion::Value(value) => Ok(Some(value)),
            Completion::Failure(message) => Err(Error::new(
                ErrorKind::CallbackFailed,
                format!("the callback `{}` failed: {message}", self.path),
            )),
        }
    }

    /// Where the next wait for it is recorded, and what completed it if it takes none. Each is one of its own, in the order in which
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

/// A time that [`Callback::result_within`] takes: a `Duration`, or text such as `"2d"`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a length of time",
    note = "give a `Duration`, or text such as `\"2d\"`"
)]
pub trait Within: sealed::Sealed {
    /// The time, or the text that is none.
    #[doc(hidden)]
    fn within(self) -> Result<Duration, String>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for std::time::Duration {}
    impl Sealed for &str {}
}

impl Within for Duration {
    fn within(self) -> Result<Duration, String> {
        Ok(self)
    }
}

impl Within for &str {
    fn within(self) -> Result<Duration, String> {
        duration(self).ok_or_else(|| crate::plain::plain(self).into_owned())
    }
}

fn config(text: String) -> Error {
    Error::new(ErrorKind::Config, text)
}
