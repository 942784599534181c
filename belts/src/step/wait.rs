//! `wait!`: a step that is over when an event has come, or its time is.

use std::{fmt, future::pending, marker::PhantomData, sync::Arc, time::Duration};

use super::{
    Key, Scope,
    taken::{decode, place_of, read},
};
use crate::{
    clock::Timestamp,
    codec,
    error::{Error, ErrorKind, Result},
    event::{
        EventSet,
        key::{HasNoKey, KeyOf},
    },
    live::{Active, Arm, LiveRun},
    run::{Decision, Location, Taken, join},
    store::{After, Arrival, AwaitedType, CALLBACK, Entry, StepKind, StepState, Wait},
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

/// Whether an event is one that is waited for.
type When<'a, E> = Box<dyn FnMut(&E) -> bool + Send + 'a>;

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
                (seq, started_at, wait, run.due_of(seq))
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

/// A wait that is recorded and undecided.
pub(super) struct Open {
    run: Arc<LiveRun>,
    arm: Option<Arm>,
    path: Arc<str>,
    seq: u32,
    started_at: Timestamp,
    until: Option<Timestamp>,
    wait: Wait,
    /// While it is under way, and not parked.
    active: Option<Active>,
}

/// What becomes of an event that has arrived.
enum Weighed<E> {
    Taken(E),
    /// It is what ended the wait, and cannot be read.
    Unreadable(Error),
    PassedOver,
}

impl Open {
    pub(super) fn new(
        run: Arc<LiveRun>,
        arm: Option<Arm>,
        path: Arc<str>,
        seq: u32,
        (started_at, wait, until): (Timestamp, Wait, Option<Timestamp>),
    ) -> Self {
        Self {
            run,
            arm,
            path,
            seq,
            started_at,
            until,
            wait,
            active: None,
        }
    }

    /// Waits until it is decided, and that is recorded; `None` if its time is over.
    pub(super) async fn decide<E: EventSet>(
        &mut self,
        begins: bool,
        when: &mut Option<When<'_, E>>,
    ) -> Result<Option<E>> {
        let run = Arc::clone(&self.run);
        let _open = run.open_wait(self.seq, &self.wait);
        self.active = Some(run.activate());
        let mut ticket = None;
        if begins {
            ticket = Some(
                match run.record_in(self.arm.as_ref(), self.entry(), false, false) {
                    Some(ticket) => ticket,
                    None => pending().await,
                },
            );
        } else if run.is_behind(self.seq, &self.wait) {
            // It may be reached only now.
            tokio::task::yield_now().await;
        }
        loop {
            if self.arm.as_ref().is_some_and(Arm::has_lost) {
                // It may take nothing any more.
                return pending().await;
            }
            let mut moved = false;
            while let Some(arrival) = run.next_arrival(self.seq) {
                match self.weigh(&arrival, when) {
                    Weighed::PassedOver => moved = true,
                    Weighed::Taken(event) => {
                        self.settle(Some(&arrival)).await;
                        return Ok(Some(event));
                    }
                    Weighed::Unreadable(error) => {
                        self.settle(Some(&arrival)).await;
                        return Err(error);
                    }
                }
            }
            if moved {
                ticket = run.record_in(self.arm.as_ref(), self.entry(), false, false);
            }
            let now = run.host.clock.now();
            let is_over = self.until.is_some_and(|until| until <= now);
            if !is_over || run.has_undecided(self.seq) {
                let until = self.until.filter(|_| !is_over);
                let parked = run.park_wait(until, self.seq);
                self.active = None;
                let time = async {
                    match until {
                        Some(until) => run.host.clock.expire_at(until).await,
                        None => pending().await,
                    }
                };
                let arrived = parked.wait_for_arrival(self.seq, time).await;
                self.active = Some(run.activate());
                drop(parked);
                if arrived {
                    continue;
                }
            }
            // Its time is over. An event may have come before that of which nobody has told; and behind those that were passed over
            // there may be more.
            if let Some(ticket) = ticket.take() {
                ticket.await;
            }
            run.look_for_arrivals().await;
            if !run.has_undecided(self.seq) {
                run.let_others_go_first(self.arm.as_ref(), None).await;
            }
            if !run.has_undecided(self.seq) {
                self.settle(None).await;
                return Ok(None);
            }
        }
    }

    fn weigh<E: EventSet>(
        &mut self,
        arrival: &Arrival,
        when: &mut Option<When<'_, E>>,
    ) -> Weighed<E> {
        let Wait::Event { types, key } = &self.wait;
        let (event_type, place) = (&arrival.event_type, arrival.place);
        // What completes a callback is there for each wait for it.
        if &**event_type == CALLBACK
            || !self
                .run
                .has_taken(event_type, key.as_ref(), place, place_of)
        {
            let event = decode::<E>(&self.path, event_type, &arrival.payload);
            let wanted = match &event {
                Ok(event) => when.as_mut().is_none_or(|when| when(event)),
                Err(_) => true,
            };
            if wanted {
                self.run.take(event_type, key.as_ref(), place);
                return match event {
                    Ok(event) => Weighed::Taken(event),
                    Err(error) => Weighed::Unreadable(error),
                };
            }
        }
        let moved = types.iter().map(|awaited| {
            let passed = awaited.event_type == *event_type;
            let after = if passed {
                After::Place(place)
            } else {
                awaited.after
            };
            AwaitedType::new(Arc::clone(&awaited.event_type), after)
        });
        self.wait = Wait::event(moved, key.as_deref());
        Weighed::PassedOver
    }

    /// Records what ended the wait; returns when that is durable.
    async fn settle(&self, arrival: Option<&Arrival>) {
        let taken = arrival.map(Taken::of).transpose();
        let value = match taken.and_then(|taken| codec::encode_ok(&taken)) {
            Ok(value) => value,
            Err(error) => {
                let (path, report) = (&self.path, error.report());
                let text = format!("the event that ended the wait `{path}` is no JSON: {report}");
                return refuse(&self.run, path, ErrorKind::Codec, text).await;
            }
        };
        let mut entry = self.entry();
        entry.state = StepState::Completed;
        entry.value = value;
        entry.finished_at = Some(self.run.host.clock.now());
        let arm = self.arm.as_ref();
        match self.run.record_in(arm, entry, true, true) {
            Some(ticket) => ticket.await,
            None => pending().await,
        }
    }

    fn entry(&self) -> Entry {
        Entry::new(
            self.seq,
            Arc::clone(&self.path),
            StepKind::Wait,
            StepState::Waiting,
            self.started_at,
        )
        .with_due_at(self.until)
        .with_wait(self.wait.clone())
    }
}

/// Ends the run where its store keeps no waits, which this needs.
pub(super) async fn need_waits(run: &LiveRun, path: &Arc<str>, what: &str) {
    if !run.host.keeps_waits {
        let text = format!(
            "this store keeps no waits, which `{what}(\"{path}\", …)` needs; choose another store"
        );
        refuse::<()>(run, path, ErrorKind::Config, text).await;
    }
}

/// Ends the run with what no arm of a race is to win with, nor the function to handle: its code or its journal is wrong.
pub(super) async fn refuse<T>(run: &LiveRun, path: &Arc<str>, kind: ErrorKind, text: String) -> T {
    run.abandon(Error::new(kind, text).with_step(path));
    pending().await
}
