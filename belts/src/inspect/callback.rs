//! Completing a callback from outside of its run.

use std::{fmt, sync::Arc};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::Runs;
#[cfg(feature = "http")]
use crate::callback::Page;
use crate::{
    callback::{CallbackEntry, Payload, Recorded, is_same, key_of, run_of},
    codec::{self, Decoded, sealed},
    error::{Error, ErrorKind, Result},
    id::event_id,
    run::{Taken, is_under, join},
    store::{
        CALLBACK, Entry, EventDigest, NewEvent, Publish, RunStatus, StepKind, StepState, Wait,
    },
};

/// A callback, to be completed: what [`Worker::callback`](crate::Worker::callback) and [`Runs::callback`] return.
///
/// The first completion wins. To complete it again with the same is no error, so a caller that got no response can retry.
///
/// ```rust,standalone_crate
/// use belts::{ErrorKind, Event, callback, step, testing::Harness};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Filed { cents: u64 }
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// enum Decision { Approve, Reject }
///
/// #[belts::function(id = "expense", on = Filed)]
/// async fn expense(filed: Filed) -> belts::Result<Decision> {
///     let decision = callback!("approval", Decision).await?;
///     step!("ask", println!("{} cents: {}", filed.cents, decision.id())).await?;
///     decision.result().await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let harness = Harness::new().await?;
/// let run = harness.run(expense, Filed { cents: 1290 }).run_id("e-1").await?;
/// let approval = harness.worker().callback(run.callback("approval")?);
/// approval.complete(&Decision::Approve).await?;
/// approval.complete(&Decision::Approve).await?;
/// let other = approval.complete(&Decision::Reject).await.unwrap_err();
/// assert_eq!(other.kind(), ErrorKind::Conflict);
/// harness.settle().await?;
/// assert_eq!(harness.runs_of(expense).await?[0].output()?, Decision::Approve);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CallbackHandle {
    runs: Runs,
    id: Arc<str>,
}

/// The id is a credential, so it is not shown.
impl fmt::Debug for CallbackHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackHandle").finish_non_exhaustive()
    }
}

/// A page, and how far the callback is.
#[cfg(feature = "http")]
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) page: Page,
    /// The answer that was given; empty if the callback was completed with something else.
    pub(crate) answer: Option<String>,
}

/// A callback as its run has recorded it.
struct Found {
    run_id: Arc<str>,
    #[cfg(feature = "http")]
    page: Option<Page>,
    type_name: Arc<str>,
    /// What completed it, as the event had it.
    completion: Option<Box<RawValue>>,
    is_over: bool,
}

impl Runs {
    /// The callback of this id, to be completed.
    pub fn callback(&self, id: impl Into<Arc<str>>) -> CallbackHandle {
        CallbackHandle {
            runs: self.clone(),
            id: id.into(),
        }
    }
}

impl CallbackHandle {
    /// Completes it with a value. It returns once that is durable.
    ///
    /// # Errors
    /// Of kind [`UnknownCallback`](ErrorKind::UnknownCallback): there is no such callback.
    /// [`Conflict`](ErrorKind::Conflict): it was completed with something else.
    /// [`CallbackClosed`](ErrorKind::CallbackClosed): its run has ended, or it was made by an arm of a race that lost.
    /// [`InvalidEvent`](ErrorKind::InvalidEvent): the value is not of the callback's type, as far as this program knows that.
    /// [`Codec`](ErrorKind::Codec): the value cannot be written as JSON. Also if the store cannot be reached or written.
    pub async fn complete<T: Serialize + ?Sized>(&self, value: &T) -> Result<()> {
        let json = to_raw_value(value).map_err(|error| {
            Error::new(ErrorKind::Codec, "the value cannot be written as JSON").with_source(error)
        })?;
        self.complete_with(&json).await
    }

    /// Completes it with a failure: the run's [`result`](crate::Callback::result) is an `Err` with this text.
    ///
    /// # Errors
    /// As [`complete`](Self::complete).
    pub async fn fail(&self, message: impl Into<String>) -> Result<()> {
        let message = message.into();
        self.settle(&Payload::Failure { message }).await
    }

    /// Completes it with a value as JSON.
    pub(crate) async fn complete_with(&self, json: &RawValue) -> Result<()> {
        self.settle(&Payload::Value(json)).await
    }

    /// The page that its function asked for; `None` if it did not.
    #[cfg(feature = "http")]
    pub(crate) async fn page(&self) -> Result<Option<Shown>> {
        let found = self.find().await?;
        let Some(mut page) = found.page else {
            return Ok(None);
        };
        let answer = found.completion.as_deref().map(answer);
        if answer.is_none() && found.is_over {
            return Err(closed());
        }
        // A newer version of the function may have other answers.
        page.choices.retain(|choice| {
            let json = serde_json::to_vec(choice).unwrap_or_default();
            CallbackEntry::fits(&found.type_name, &json).is_ok()
        });
        Ok(Some(Shown { page, answer }))
    }

    async fn settle(&self, payload: &Payload<'_>) -> Result<()> {
        let found = self.find().await?;
        let json = payload.to_json();
        let digest = EventDigest::of(CALLBACK, &json);
        if let Some(completion) = &found.completion {
            let same = EventDigest::of(CALLBACK, completion.get().as_bytes()) == digest;
            return if same { Ok(()) } else { Err(conflict()) };
        }
        if found.is_over {
            return Err(closed());
        }
        if let Payload::Value(value) = payload {
            CallbackEntry::fits(&found.type_name, value.get().as_bytes()).map_err(|why| {
                Error::new(
                    ErrorKind::InvalidEvent,
                    format!("the value is no `{}`: {why}", short(&found.type_name)),
                )
            })?;
        }
        if let Some(worker) = &self.runs.worker {
            worker.check_size(CALLBACK, &json)?;
        }
        let now = self.runs.clock.now();
        let event = NewEvent::new(event_id(CALLBACK, Some(&self.id)), CALLBACK, json, now)
            .with_correlation_key(key_of(&self.id));
        let request = Publish::new(vec![event], now);
        let published = self.runs.store.publish(request).await?;
        if published.iter().any(|event| event.conflict) {
            return Err(conflict());
        }
        self.runs.tell(&found.run_id).await
    }

    async fn find(&self) -> Result<Found> {
        let run_id = run_of(&self.id).ok_or_else(unknown)?;
        // If it is over, nothing is recorded after this.
        let run = self.runs.store.run(run_id).await?.ok_or_else(unknown)?;
        let journal = self.runs.journal(run_id).await?;
        let is_it = |entry: &&Entry| {
            let recorded = Recorded::in_entry(entry);
            recorded.is_some_and(|recorded| is_same(&recorded.id, &self.id))
        };
        let mut callbacks = journal
            .iter()
            .filter(|entry| entry.kind == StepKind::Callback);
        let closed = callbacks
            .clone()
            .find_map(|entry| sealed::key_of(&entry.value));
        let missing = || closed.map_or_else(unknown, sealed::error);
        let entry = callbacks.find(is_it).ok_or_else(missing)?;
        let key = key_of(&self.id);
        let completions = journal.iter().filter(|entry| is_of(entry, &key));
        let lost = journal.iter().any(|race| has_lost(entry, race));
        Ok(Found {
            run_id: run.run_id,
            #[cfg(feature = "http")]
            page: Recorded::in_entry(entry).and_then(|recorded| recorded.page),
            type_name: Arc::clone(&entry.type_name),
            completion: completions
                .filter_map(Taken::in_entry)
                .map(Taken::into_event)
                .next(),
            is_over: lost || run.status.is_finished() || run.status == RunStatus::Undoing,
        })
    }
}

/// Whether a callback is in an arm of this race that has lost.
fn has_lost(callback: &Entry, race: &Entry) -> bool {
    if race.kind != StepKind::Race || race.state != StepState::Completed {
        return false;
    }
    let won = match codec::decode::<String>(&race.value) {
        Ok(Decoded::Ok(winner)) => join(Some(&race.path), &winner),
        _ => return false,
    };
    is_under(&callback.path, &race.path) && !is_under(&callback.path, &won)
}

/// Whether an entry is a wait for the callback of this key that is over.
fn is_of(entry: &Entry, key: &str) -> bool {
    let Some(Wait::Event { key: Some(own), .. }) = &entry.wait else {
        return false;
    };
    entry.state != StepState::Waiting && **own == *key
}

/// The name of a type without its path.
fn short(type_name: &str) -> &str {
    let plain = !type_name.contains('<');
    let last = type_name.rsplit("::").next().filter(|_| plain);
    last.unwrap_or(type_name)
}

/// The name that was chosen, if a completion is one.
#[cfg(feature = "http")]
fn answer(completion: &RawValue) -> String {
    match serde_json::from_str(completion.get()) {
        Ok(Payload::Value(value)) => serde_json::from_str(value.get()).unwrap_or_default(),
        _ => String::new(),
    }
}

fn unknown() -> Error {
    Error::new(
        ErrorKind::UnknownCallback,
        "no callback has this id: it may be truncated, its run may have been purged, or it is of another store",
    )
}

fn closed() -> Error {
    Error::new(
        ErrorKind::CallbackClosed,
        "this callback is closed: its run has ended, or it was made by an arm of a race that lost; the value was not recorded",
    )
}

fn conflict() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "this callback was already completed with something else; the first completion counts",
    )
}
