//! `wait!`: a step that is over when an event has come, or its time is.

use std::{fmt, future::pending, marker::PhantomData, sync::Arc, time::Duration};

use super::{
    Key, Scope,
    open::{Open, When},
    refuse::{need_waits, refuse},
    taken::{place_of, read},
};
use crate::{
    clock::Timestamp,
    error::{ErrorKind, Result},
    event::{
        EventSet,
        key::{HasNoKey, KeyOf},
    },
    run::{Decision, Location, join},
    store::{After, AwaitedType, StepKind, Wait},
};

/// Where a wait begins to look for events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Since {
    /// Behind the event that started the run.
    #[default]
    Start,
    /// When it is first reached.
    Now,
    /// So long before it is first reached.
    Ago(Duration),
}

/// A wait for an event, with its options.
#[must_use = "nothing is waited for until this is awaited"]
pub struct Waiting<'a, E> {
    scope: Scope,
    key: Key,
    at: &'static Location,
    of_key: Option<Arc<str>>,
    /// Whether a key was given that is none, which would be the key of every event without one.
    is_keyless_key: bool,
    since: Since,
    when: Option<When<'a, E>>,
    event: PhantomData<fn() -> E>,
}

impl<E> fmt::Debug for Waiting<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("key", &self.key)
            .field("of_key", &self.of_key)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

impl Scope {
    /// A wait for an event of this type.
    pub fn wait_for<'a, E: EventSet>(&self, key: Key, at: &'static Location) -> Waiting<'a, E> {
        Waiting {
            scope: self.clone(),
            key,
            at,
            of_key: None,
            is_keyless_key: false,
            since: Since::Start,
            when: None,
            event: PhantomData,
        }
    }
}

impl<'a, E: EventSet> Waiting<'a, E> {
    /// Of this correlation key alone.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "generated code gives whatever the user wrote"
    )]
    pub fn key<M>(mut self, key: impl KeyOf<E, M>) -> Self {
        self.of_key = key.text().map(Into::into);
        self.is_keyless_key = self.of_key.is_none();
        self
    }

    /// Of a type that has no correlation key.
    pub fn keyless(self) -> Self
    where
        E::Key: HasNoKey,
    {
        self
    }

    /// Passes over events that this refuses.
    pub fn when(mut self, when: impl FnMut(&E) -> bool + Send + 'a) -> Self {
        self.when = Some(Box::new(when));
        self
    }

    /// Where it begins to look.
    pub fn since(mut self, since: Since) -> Self {
        self.since = since;
        self
    }

    /// Waits for as long as it takes.
    pub async fn forever(self) -> Result<E> {
        let path = join(self.scope.prefix.as_deref(), self.key.as_str());
        let run = Arc::clone(&self.scope.run);
        if let Some(event) = self.until(None).await? {
            return Ok(event);
        }
        let text = format!(
            "the wait `{path}` was recorded when it had a `timeout`, as one that had run out; give it the `timeout` again"
        );
        refuse(&run, &path, ErrorKind::Codec, text).await
    }

    /// Waits no longer than this.
    pub async fn within(self, limit: Duration) -> Result<Option<E>> {
        self.until(Some(limit)).await
    }

    async fn until(mut self, limit: Option<Duration>) -> Result<Option<E>> {
        let run = Arc::clone(&self.scope.run);
        let path = join(self.scope.prefix.as_deref(), self.key.as_str());
        need_waits(&run, &path, "wait!").await;
        if self.is_keyless_key {
            let text = format!(
                "the key of the wait `{path}` is `null`, and no event has such a key; wait only where there is one"
            );
            return refuse(&run, &path, ErrorKind::Config, text).await;
        }
        let now = run.host.clock.now();
        if let [event_type, ..] = E::TYPES {
            run.expect_type(&path, event_type);
        }
        let decision = self.scope.decide(&path, StepKind::Wait, self.at).await;
        let (seq, started_at, wait, until) = match decision {
            Decision::Replay { value, .. } => match read::<E>(&path, &value) {
                Err(error) if error.kind() == ErrorKind::Codec => {
                    let report = error.report();
                    let text = format!(
                        "what the journal has of the wait `{path}` cannot be read: {report}"
                    );
                    return refuse(&run, &path, ErrorKind::Codec, text).await;
                }
                outcome => return outcome,
            },
            Decision::Begin { seq } => (
                seq,
                now,
                self.wait(now),
                limit.map(|limit| now.after(limit)),
            ),
            Decision::Resume {
                seq, started_at, ..
            } => {
                let Some(wait) = run.wait_of(seq) else {
                    let text = format!("the journal does not say what the wait `{path}` waits for");
                    return refuse(&run, &path, ErrorKind::Codec, text).await;
                };
                let until = run.due_of(seq);
                if run.is_rehearsed() {
                    let limits = (limit.is_some(), until.is_some());
                    let wanted = (E::TYPES, self.of_key.as_deref());
                    run.compare_wait(&path, &wait, wanted, limits);
                    return pending().await;
                }
                (seq, started_at, wait, until)
            }
        };
        let begins = matches!(decision, Decision::Begin { .. });
        let state = (started_at, wait, until);
        let mut open = Open::new(run, self.scope.arm, path, seq, state);
        open.decide(begins, &mut self.when).await
    }

    /// What it waits for, reached now for the first time.
    fn wait(&self, now: Timestamp) -> Wait {
        let run = &self.scope.run;
        let after = |event_type: &Arc<str>| match self.since {
            Since::Start => {
                let last = run.last_taken(event_type, self.of_key.as_ref(), place_of);
                last.map_or(After::Start, After::Place)
            }
            // A test's clock stands still: what came before has the same time.
            Since::Now if run.host.clock.is_manual() => After::Now,
            // Not from when it is recorded: an answer may be quicker than that.
            Since::Now => After::Time(now),
            Since::Ago(ago) => After::Time(now.before(ago)),
        };
        let types = E::TYPES.iter().map(|name| {
            let event_type: Arc<str> = Arc::from(*name);
            let after = after(&event_type);
            AwaitedType::new(event_type, after)
        });
        Wait::event(types, self.of_key.as_deref())
    }
}
