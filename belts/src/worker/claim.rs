//! Which runs this worker takes on: those it publishes, and those that are due in the store.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::{runtime::Handle, task::JoinSet};
use tracing::{Instrument, Span};

use super::{
    Shared, Worker,
    drive::{Ended, drive},
    driven::Driving,
    listen::Endings,
    slots::{Reservation, Slot},
    suspects::Suspected,
};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    finish::to_the_end_at,
    guard::catch_panic,
    plain::Clean,
    store::{
        Claim, Claimed, ClaimedRun, Lease, NewEvent, Publish, PublishedEvent, SetAside, Target,
        UnknownType,
    },
    telemetry::span,
};

/// How often the store is asked at most which of the runs that are driven are no longer ours.
const LOOK_FOR_REVOKED: Duration = Duration::from_millis(250);

/// How long a run waits for others that a store has given to a worker which cannot read its event.
const NOT_OURS: Duration = Duration::from_secs(5);

/// Waits between attempts to reach a store that fails.
const STORE_BACKOFF: crate::Backoff =
    crate::Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// The most bytes of events and journals that one claim brings.
const MAX_CLAIM_BYTES: usize = 64 * 1024 * 1024;

impl Shared {
    /// Publishes, and starts at once what there is room for; `force` makes room.
    pub(crate) async fn publish(
        self: &Arc<Self>,
        event: NewEvent,
        force: bool,
    ) -> Result<PublishedEvent> {
        let (published, _) = self.publish_and_hear(event, force, false).await?;
        Ok(published)
    }

    /// Publishes, and listens for the end of each run that starts here if it is told to.
    pub(crate) async fn publish_and_hear(
        self: &Arc<Self>,
        mut event: NewEvent,
        force: bool,
        listen: bool,
    ) -> Result<(PublishedEvent, Endings)> {
        if let Target::Subscribers { except } = &mut event.target {
            self.filter(&event.event_type, &event.payload, except)?;
        }
        let worker = Arc::clone(self);
        to_the_end_at(self.home(), async move {
            worker.publish_and_start(event, force, listen).await
        })
        .await
    }

    async fn publish_and_start(
        self: &Arc<Self>,
        event: NewEvent,
        force: bool,
        listen: bool,
    ) -> Result<(PublishedEvent, Endings)> {
        let now = self.clock.now();
        let take = force || (self.is_running() && event.due_at <= now);
        let mut reservation = self
            .slots
            .reserve(self.targets_here(&event).take_while(|_| take), force);
        let (mut claim, mut asking) = (None, None);
        if !reservation.is_empty() {
            let session = self.session().await?;
            asking = if force {
                Some(self.ask().await)
            } else {
                self.ask_lightly()
            };
            claim = asking.is_some().then(|| reservation.capacity(session));
        }
        let request = Publish {
            events: vec![event.clone()],
            claim,
            now,
        };
        let published = self.store.publish(request).await;
        if let Some(asking) = &mut asking {
            asking.answered(&published);
        }
        let published = published?.pop().ok_or_else(|| {
            Error::new(
                ErrorKind::Store,
                "the store answered nothing for a published event",
            )
        })?;
        if published.conflict {
            return Err(conflict(&event));
        }
        let mut endings = Endings::new();
        let mut left_behind = false;
        for run in &published.runs {
            let index = self.registry.index(&run.function_id);
            match (run.lease, index) {
                (Some(lease), Some(index)) => {
                    let slot = reservation.take(index);
                    if listen {
                        endings.insert(Arc::clone(&run.run_id), self.listen(&run.run_id));
                    }
                    self.start(
                        new_run(&event, lease, &published, run, now),
                        index,
                        slot,
                        None,
                    );
                }
                _ => left_behind |= index.is_some() && !published.duplicate,
            }
        }
        if left_behind {
            self.expect_due(event.due_at);
            self.due.notify_one();
        }
        Ok((published, endings))
    }

    /// Leaves out the local functions whose filter says no. Others decide for themselves when they claim the run.
    fn filter(&self, event_type: &str, payload: &[u8], except: &mut Vec<Arc<str>>) -> Result<()> {
        let (mut fits, mut misfit) = (false, None);
        for index in self.registry.listeners(event_type) {
            let function = &self.registry.functions()[index];
            match function.wants(event_type, payload) {
                Ok(true) => fits = true,
                Ok(false) => {
                    fits = true;
                    except.push(Arc::clone(&function.id));
                }
                // The run that it gets fails by the function's policy, where it is seen and can be run again.
                Err(error) if error.kind() == ErrorKind::Panicked => tracing::error!(
                    function = %function.id, error = %error.report(), "a filter panicked; its function gets a run that says so"
                ),
                // One that cannot read the event keeps no other from it.
                Err(error) => misfit = misfit.or(Some(error)),
            }
        }
        misfit.filter(|_| !fits).map_or(Ok(()), Err)
    }

    fn targets_here<'a>(
        &'a self,
        event: &'a NewEvent,
    ) -> Box<dyn Iterator<Item = usize> + Send + 'a> {
        match &event.target {
            Target::Subscribers { except } => Box::new(
                self.registry
                    .listeners(&event.event_type)
                    .filter(move |index| !except.contains(&self.registry.functions()[*index].id)),
            ),
            Target::Function { function_id, .. } => {
                Box::new(self.registry.index(function_id).into_iter())
            }
        }
    }

    /// Drives a leased run on a task of its own.
    fn start(
        self: &Arc<Self>,
        claimed: ClaimedRun,
        index: usize,
        slot: Slot,
        suspected: Option<Suspected>,
    ) {
        let worker = Arc::clone(self);
        let run_id = Arc::clone(&claimed.run_id);
        let driving = Driving::new(self, &run_id, claimed.lease);
        let span = span::run(
            &claimed,
            self.session.name.as_deref(),
            self.propagator.as_deref(),
        );
        let driven = async move {
            let lease = claimed.lease;
            let driven =
                async { Ok(drive(&worker, &worker.registry.functions()[index], claimed).await) };
            let (ended, failure) = catch_panic(driven).await.unwrap_or_else(|error| {
                tracing::error!(run = %run_id, error = %error.report(), "the drive of a run broke; it will be resumed");
                let pause = worker.set_back(&run_id, false).pause;
                worker.give_back_later(&run_id, lease, pause);
                (Ended::Abandoned, None)
            });
            // The place is free before anybody hears of the end, who may want it.
            drop((slot, suspected));
            driving.end(&ended);
            Span::current().record("outcome", ended.as_str());
            if let Some(failure) = failure {
                worker.tell_failure(failure).await;
            }
            worker.tell(&run_id, &ended);
        };
        // Without a runtime the drive is dropped, which gives the run back.
        if let Some(home) = self.home() {
            self.shutdown.spawn(&home, driven.instrument(span));
        }
    }

    /// Claims one run by name; whether it is now driven here.
    pub(crate) async fn claim_run(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function: usize,
    ) -> Result<bool> {
        let mut reservation = self.slots.reserve(std::iter::once(function), true);
        let claim = Claim {
            capacity: reservation.capacity(self.session().await?),
            only: Some(Arc::clone(run_id)),
            max_bytes: MAX_CLAIM_BYTES,
            now: self.clock.now(),
        };
        let worker = Arc::clone(self);
        to_the_end_at(self.home(), async move {
            Ok(worker.claim(claim, &mut reservation).await?.runs > 0)
        })
        .await
    }

    /// Claims, and drives what it got.
    async fn claim(
        self: &Arc<Self>,
        claim: Claim,
        reservation: &mut Reservation,
    ) -> Result<TakenOn> {
        let mut asking = self.ask().await;
        let claimed = self.store.claim(claim).await;
        asking.answered(&claimed);
        let claimed = claimed?;
        let next_due = claimed.next_due;
        let runs = self.take_on(claimed, reservation).await;
        Ok(TakenOn { runs, next_due })
    }

    /// Drives what was claimed; how many runs that is.
    async fn take_on(self: &Arc<Self>, claimed: Claimed, reservation: &mut Reservation) -> usize {
        let mut count = 0;
        for (run, suspected) in self.sort_out(claimed.runs).await {
            // The store was asked for these functions and types only.
            if let Some(index) = self.registry.index(&run.function_id) {
                let mut types = self.registry.functions()[index].event_types();
                if !types.any(|known| *known == *run.event_type) {
                    self.give_back_later(&run.run_id, run.lease, NOT_OURS);
                    continue;
                }
                let slot = reservation.take(index);
                self.start(run, index, slot, suspected);
                count += 1;
            }
        }
        for function in claimed.unknown_functions {
            if self.first_warning(&function) {
                tracing::warn!(
                    function = %Clean(&function),
                    "runs of a function that this program does not have wait for a worker that has it"
                );
            }
        }
        for UnknownType {
            function_id,
            event_type,
        } in claimed.unknown_types
        {
            if self.first_warning(&format!("{function_id} {event_type}").into()) {
                tracing::warn!(
                    function = %Clean(&function_id), event_type = %Clean(&event_type),
                    "runs of an event type that this program does not take for the function wait for a worker that takes it"
                );
            }
        }
        for SetAside {
            run_id,
            function_id,
            reason,
        } in claimed.set_aside
        {
            tracing::error!(
                run = %Clean(&run_id), function = %Clean(&function_id), error = %Clean(&reason),
                "the store cannot read a run and has set it aside"
            );
        }
        count
    }

    pub(super) fn first_warning(&self, about: &Arc<str>) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        warned.insert(Arc::clone(about))
    }

    /// Claims whatever is due, until the shutdown begins.
    pub(crate) async fn claim_forever(self: &Arc<Self>) {
        let mut failures = 0;
        let mut look = self.clock.now();
        while !self.is_draining() {
            if look <= self.clock.now() {
                look = self.clock.now().after(LOOK_FOR_REVOKED);
                if let Err(error) = catch_panic(self.end_revoked()).await {
                    tracing::warn!(error = %error.report(), "cannot ask which runs were cancelled; asking again");
                }
            }
            let wait = match catch_panic(self.claim_due()).await {
                Ok(wait) => {
                    failures = 0;
                    wait
                }
                Err(error) => {
                    failures += 1;
                    if error.kind() == ErrorKind::Busy {
                        let again = async {
                            self.begin_again().await;
                            Ok(())
                        };
                        drop(catch_panic(again).await);
                    }
                    tracing::error!(error = %error.report(), "cannot claim runs; trying again");
                    let pause = STORE_BACKOFF.ceiling(failures);
                    tokio::select! {
                        () = self.clock.expire_at(self.clock.now().after(pause)) => {}
                        () = self.shutdown.begun() => {}
                    }
                    continue;
                }
            };
            self.wait_for_work(wait).await;
        }
    }

    /// Claims as much as there is room for; what to wait for then.
    async fn claim_due(self: &Arc<Self>) -> Result<Wait> {
        self.give_back_unheard().await?;
        let mut reservation = self.slots.reserve_all();
        if reservation.is_empty() && !self.registry.functions().is_empty() {
            return Ok(Wait::ForRoom);
        }
        let some_left_out = reservation.leaves_out(&self.registry);
        self.next_due.store(i64::MAX, Ordering::Release);
        let claim = Claim {
            capacity: reservation.capacity(self.session().await?),
            only: None,
            max_bytes: MAX_CLAIM_BYTES,
            now: self.clock.now(),
        };
        let worker = Arc::clone(self);
        to_the_end_at(self.home(), async move {
            let TakenOn { next_due, runs } = worker.claim(claim, &mut reservation).await?;
            worker.left_due.store(
                next_due.map_or(i64::MAX, Timestamp::as_millis),
                Ordering::Release,
            );
            worker.show_oldest_due();
            drop(reservation);
            // A claim brings so many bytes and no more; there may be room for what it left.
            let backlog = next_due.is_some_and(|due| due <= worker.clock.now());
            if backlog && runs > 0 && !worker.slots.is_full() {
                return Ok(Wait::Not);
            }
            Ok(Wait::ForWork {
                next_due,
                some_left_out,
            })
        })
        .await
    }

    /// Shows for how long the oldest run is due that the last claim left, or that was published here without room for it.
    fn show_oldest_due(&self) {
        let left = self.left_due.load(Ordering::Acquire);
        let oldest = left.min(self.next_due.load(Ordering::Acquire));
        let age = self.clock.now().since(Timestamp::from_millis(oldest));
        self.metrics.oldest_due.set(age.as_secs_f64());
    }

    /// Returns when there may be something to claim and room for it.
    async fn wait_for_work(&self, wait: Wait) {
        let (next_due, some_left_out) = match wait {
            Wait::Not => return tokio::task::yield_now().await,
            Wait::ForRoom => return self.wait_for_room().await,
            Wait::ForWork {
                next_due,
                some_left_out,
            } => (next_due, some_left_out),
        };
        let now = self.clock.now();
        let sweep = now.after(self.options().sweep);
        let backlog = next_due.is_some_and(|due| due <= now);
        let local = Timestamp::from_millis(self.next_due.load(Ordering::Acquire));
        let deadline = next_due
            .filter(|due| *due > now)
            .into_iter()
            .chain([local.max(now), sweep])
            .min();
        tokio::select! {
            () = self.due.notified() => {}
            () = self.store.woken() => {}
            () = self.slots.freed(), if backlog || some_left_out => {}
            () = self.clock.expire_at(deadline.unwrap_or(sweep)) => {}
            () = self.shutdown.begun() => {}
        }
    }

    async fn wait_for_room(&self) {
        self.show_oldest_due();
        let sweep = self.clock.now().after(self.options().sweep);
        tokio::select! {
            () = self.slots.freed() => {}
            // A run may have been cancelled, or a lease be in doubt.
            () = self.store.woken() => {}
            () = self.due.notified() => {}
            // To show again how old the oldest is, and to look for what was cancelled.
            () = self.clock.expire_at(sweep) => {}
            () = self.shutdown.begun() => {}
        }
    }
}

/// The error of an event whose id another one has.
fn conflict(event: &NewEvent) -> Error {
    tracing::warn!(
        event = %Clean(&event.id), event_type = %event.event_type,
        "another event is there under this id; this one was not published"
    );
    Error::new(
        ErrorKind::Conflict,
        format!(
            "another event, of another type or content, is there under the id `{}`, so this `{}` was not published; give each \
             event an idempotency key of its own",
            event.id, event.event_type
        ),
    )
}

/// What a claim brought: how many runs are now driven, and when the next is due.
struct TakenOn {
    runs: usize,
    next_due: Option<Timestamp>,
}

/// What the claiming loop waits for.
enum Wait {
    /// It does not wait: there is more to claim.
    Not,
    /// Every place is taken.
    ForRoom,
    /// Something due, with what the last claim left behind: the time of the next run, and whether functions without a
    /// free place were left out.
    ForWork {
        next_due: Option<Timestamp>,
        some_left_out: bool,
    },
}

fn new_run(
    event: &NewEvent,
    lease: Lease,
    published: &PublishedEvent,
    run: &crate::store::PublishedRun,
    now: Timestamp,
) -> ClaimedRun {
    ClaimedRun {
        lease,
        run_id: Arc::clone(&run.run_id),
        function_id: Arc::clone(&run.function_id),
        event_id: Arc::clone(&published.event_id),
        event_type: Arc::clone(&event.event_type),
        payload: Arc::clone(&event.payload),
        failed_attempts: 0,
        retries: event.retries,
        traceparent: event.traceparent.clone(),
        started_at: now,
        crashes: 0,
        journal: Vec::new(),
    }
}

impl Worker {
    /// Receives messages where the [dispatcher](crate::dispatch) has to be asked for them, claims and drives runs, until [`shutdown`](Worker::shutdown) is called or the process is asked to end
    /// (SIGTERM, SIGINT); then lets running steps finish for the grace period and gives the rest back. A second such signal ends
    /// the grace period at once.
    ///
    /// # Errors
    /// The store cannot be reached at the start. Later failures are logged and retried.
    pub async fn run(&self) -> Result<()> {
        let shared = &self.shared;
        if let Err(error) = shared.session().await {
            // Whoever expected the loop must not wait for it.
            shared.running.store(false, Ordering::Release);
            return Err(error);
        }
        let mut aside = JoinSet::new();
        aside.spawn(shared.renew_forever());
        aside.spawn(super::shutdown::on_signal(Arc::downgrade(shared)));
        aside.spawn(super::purge::purge_forever(Arc::downgrade(shared)));
        aside.spawn(super::backlog::show_forever(Arc::downgrade(shared)));
        let running = Running::begin(shared);
        tokio::join!(shared.claim_forever(), shared.receive_forever());
        drop(running);
        shared.drain().await;
        Ok(())
    }
}

/// Says that the loop runs, until it ends or its future is dropped.
struct Running<'a>(&'a Shared);

impl<'a> Running<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.set_home(Some(Handle::current()));
        shared.running.store(true, Ordering::Release);
        Self(shared)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
        self.0.set_home(None);
    }
}
