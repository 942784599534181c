//! `callback!`: an id that is recorded, and a wait for what completes it.

use std::{
    fmt,
    future::{Future, pending},
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use super::{Key, Scope, answer::Answer, refuse::need_waits, within::Within};
use crate::{
    callback::{CallbackEntry, CallbackValue, Completion, Recorded, key_of, new_id},
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    run::{Decision, Location, Violation, join},
    store::{After, AwaitedType, CALLBACK, Entry, StepKind, StepState, Wait},
    url::encoded,
};

/// A callback: a URL for an answer that the run waits for. [`callback!`](crate::callback!) makes and records it.
///
/// Clones are the same callback. See [the guide](crate::guide::callbacks).
pub struct Callback<T> {
    answer: Answer,
    id: Arc<str>,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for Callback<T> {
    fn clone(&self) -> Self {
        Self {
            answer: self.answer.clone(),
            id: Arc::clone(&self.id),
            value: PhantomData,
        }
    }
}

/// The id is a credential, so it is not shown.
impl<T> fmt::Debug for Callback<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("path", self.answer.path())
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
                Ok(Decoded::Ok(recorded)) => {
                    run.compare_callback(&path, &type_name, (entry.type_name)());
                    recorded.id
                }
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
        let wait = Wait::event([AwaitedType::new(CALLBACK, After::Start)], &*key_of(&id));
        Ok(Callback {
            answer: Answer::new(scope, at, path, "callback", wait),
            id,
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
        let Some(url) = &self.answer.scope().run.host.url else {
            return Err(config(format!(
                "the callback `{}` has no URL, because the worker does not know its own: set BELTS_URL (or `.url(…)`) to the \
                 public URL of its router, such as `https://app.example/belts`; or hand on the callback's `id()`",
                self.answer.path()
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
            if let Some(value) = self.value(None).await? {
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
                    self.answer.path()
                ))
            })?;
            self.value(Some(limit)).await
        })
    }

    async fn value(&self, limit: Option<Duration>) -> Result<Option<T>> {
        let event = self.answer.event(limit).await?;
        event.map(|event| self.read(&event)).transpose()
    }

    /// What the event that completed it says.
    fn read(&self, event: &[u8]) -> Result<T> {
        let path = self.answer.path();
        let completion = Completion::read(event).map_err(|error| {
            let text = format!("what completed the callback `{path}` cannot be read");
            Error::new(ErrorKind::InvalidEvent, text).with_source(error)
        })?;
        match completion {
            Completion::Value(value) => Ok(value),
            Completion::Failure(message) => Err(Error::new(
                ErrorKind::CallbackFailed,
                format!("the callback `{path}` failed: {message}"),
            )),
        }
    }
}

fn config(text: String) -> Error {
    Error::new(ErrorKind::Config, text)
}
