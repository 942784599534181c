//! A wait that a run has reached: what arrives for it is decided on, one after the other, until it is over and that is recorded.

use std::{future::pending, sync::Arc};

use super::{
    refuse::refuse,
    taken::{decode, place_of},
};
use crate::{
    callback::Undecoded,
    clock::Timestamp,
    codec,
    error::{Error, ErrorKind, Result},
    event::EventSet,
    live::{Active, Arm, Left, LiveRun},
    run::{Child, Taken, begun, outcome},
    store::{After, Arrival, AwaitedType, Entry, NewEvent, StepKind, StepState, Wait, is_answer},
};

/// Whether an event is one that is waited for.
pub(super) type When<'a, E> = Box<dyn FnMut(&E) -> bool + Send + 'a>;

/// A wait that is recorded and undecided.
pub(super) struct Open {
    run: Arc<LiveRun>,
    arm: Option<Arm>,
    path: Arc<str>,
    seq: u32,
    started_at: Timestamp,
    until: Option<Timestamp>,
    wait: Wait,
    /// The run that it waits for, where it is a `call!`.
    child: Option<Child>,
    /// What starts that run, until it is left to be recorded.
    start: Option<NewEvent>,
    /// The run whose end is to be told again, until that is left to be recorded.
    watch: Option<Arc<str>>,
    /// Whether its result can be undone.
    undoable: bool,
    /// What was recorded at its end.
    value: Arc<[u8]>,
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
            child: None,
            start: None,
            watch: None,
            undoable: false,
            value: Arc::default(),
            active: None,
        }
    }

    /// The same wait as a call of this run, which is started with it, if that is still to be done.
    pub(super) fn of_child(mut self, child: Child, start: Option<NewEvent>) -> Self {
        self.child = Some(child);
        self.start = start;
        self
    }

    /// The same wait as one whose result can be undone.
    pub(super) fn undoable(mut self, undoable: bool) -> Self {
        self.undoable = undoable;
        self
    }

    /// The same wait, which hears again of the end of this run, or that it is gone.
    pub(super) fn watching(mut self, run_id: Option<Arc<str>>) -> Self {
        self.watch = run_id;
        self
    }

    /// Records that the run that it would call has ended so; what was recorded of it.
    pub(super) async fn ended(self, ended: Result<Arc<[u8]>>) -> Arc<[u8]> {
        let run = Arc::clone(&self.run);
        let _active = run.activate();
        let mut entry = self.entry().with_finished_at(run.host.clock.now());
        (entry.state, entry.value) = outcome(ended);
        entry.undoable = self.undoable && entry.state == StepState::Completed;
        let value = Arc::clone(&entry.value);
        match run.record_in(self.arm.as_ref(), entry, true, true) {
            Some(ticket) => ticket.await,
            None => pending().await,
        }
        value
    }

    /// Waits for the end of the run that it calls; what was recorded of it, as an envelope.
    pub(super) async fn called(&mut self, begins: bool) -> Result<Arc<[u8]>> {
        self.decide::<Undecoded>(begins, &mut None).await?;
        Ok(Arc::clone(&self.value))
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
            let mut left = Left::new(self.entry());
            (left.start, left.watch) = (self.start.take(), self.watch.take());
            let left = run.record_left(self.arm.as_ref(), left, false, false);
            ticket = Some(match left {
                Some(ticket) => ticket,
                None => pending().await,
            });
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
        // An answer is there for each wait for it.
        if is_answer(event_type)
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
    async fn settle(&mut self, arrival: Option<&Arrival>) {
        let mut left = Left::new(self.entry());
        (left.entry.state, left.entry.value) = match self.outcome(arrival) {
            Ok(outcome) => outcome,
            Err(error) => {
                let (path, report) = (&self.path, error.report());
                let text = format!("the event that ended the wait `{path}` is no JSON: {report}");
                return refuse(&self.run, path, ErrorKind::Codec, text).await;
            }
        };
        left.entry.undoable = self.undoable && left.entry.state == StepState::Completed;
        left.entry.finished_at = Some(self.run.host.clock.now());
        self.value = Arc::clone(&left.entry.value);
        if let (Some(child), None) = (&self.child, arrival) {
            left.cancel = Some(Arc::clone(&child.run_id));
        }
        let arm = self.arm.as_ref();
        match self.run.record_left(arm, left, true, true) {
            Some(ticket) => ticket.await,
            None => pending().await,
        }
    }

    /// What is recorded of the end of the wait.
    fn outcome(&self, arrival: Option<&Arrival>) -> Result<(StepState, Arc<[u8]>)> {
        if let Some(child) = &self.child {
            return Ok(outcome(match arrival {
                Some(arrival) => child.ended(&arrival.payload),
                None => Err(child.timed_out()),
            }));
        }
        let taken = arrival.map(Taken::of).transpose()?;
        let state = taken.as_ref().map_or(StepState::Completed, Taken::state);
        Ok((state, codec::encode_ok(&taken)?))
    }

    fn entry(&self) -> Entry {
        let entry = Entry::new(
            self.seq,
            Arc::clone(&self.path),
            if self.child.is_some() {
                StepKind::Call
            } else {
                StepKind::Wait
            },
            StepState::Waiting,
            self.started_at,
        )
        .with_due_at(self.until)
        .with_wait(self.wait.clone());
        match &self.child {
            Some(child) => entry.with_value(Arc::clone(&child.function), begun()),
            None => entry,
        }
    }
}
