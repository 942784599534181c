//! Publishing, and beginning at once what there is room for.

use std::sync::Arc;

use super::{Shared, listen::Endings};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    plain::Clean,
    store::{
        ClaimedRun, Lease, NewEvent, Publish, PublishedEvent, PublishedRun, Routing, Target,
        finish::to_the_end_at,
    },
};

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
        self.apply_flow(&mut event)?;
        let worker = Arc::clone(self);
        to_the_end_at(self.loops.home(), async move {
            worker.publish_and_start(event, force, listen).await
        })
        .await
    }

    /// Publishes events in one write, and leaves their runs to the loop. The outcomes stand in the order of the events.
    pub(crate) async fn publish_many(
        self: &Arc<Self>,
        events: Vec<NewEvent>,
    ) -> Vec<Result<PublishedEvent>> {
        let mut outcomes = Vec::with_capacity(events.len());
        let mut fit = Vec::with_capacity(events.len());
        for mut event in events {
            let fits = match &mut event.target {
                Target::Subscribers { except } => {
                    self.filter(&event.event_type, &event.payload, except)
                }
                Target::Function { .. } => Ok(()),
            };
            let fits = fits.and_then(|()| self.apply_flow(&mut event));
            outcomes.push(fits.err().map(Err));
            if outcomes.last().is_some_and(Option::is_none) {
                fit.push(event);
            }
        }
        let worker = Arc::clone(self);
        let count = fit.len();
        let written = to_the_end_at(self.loops.home(), async move {
            Ok(worker.write_many(fit).await)
        });
        let mut written = written
            .await
            .unwrap_or_else(|error| each(&error, count))
            .into_iter();
        let outcomes = outcomes
            .into_iter()
            .filter_map(|outcome| outcome.or_else(|| written.next()));
        outcomes.collect()
    }

    async fn write_many(self: &Arc<Self>, events: Vec<NewEvent>) -> Vec<Result<PublishedEvent>> {
        if events.is_empty() {
            return Vec::new();
        }
        let request = Publish::new(events.clone(), self.clock.now());
        let written = self.store.publish(request).await;
        #[cfg(feature = "http")]
        let written = match written {
            Ok(written) => {
                let handed_on = self.hand_on_woken(&events, &written).await;
                handed_on.map(|()| written)
            }
            failed => failed,
        };
        let written = match written {
            Ok(mut written) if written.len() == events.len() => {
                for published in &mut written {
                    if let Err(error) = self.tell_skipped(published).await {
                        return each(&error, events.len());
                    }
                }
                written
            }
            Ok(written) => {
                let (got, asked) = (written.len(), events.len());
                let message =
                    format!("the store returned {got} results for {asked} published events");
                return each(&Error::new(ErrorKind::Store, message), asked);
            }
            // That may be the fault of one, for which the others need not suffer.
            Err(error) if !error.is_retryable() && events.len() > 1 => {
                let mut outcomes = Vec::with_capacity(events.len());
                for event in events {
                    outcomes.extend(Box::pin(self.write_many(vec![event])).await);
                }
                return outcomes;
            }
            Err(error) => return each(&error, events.len()),
        };
        let outcomes = events.iter().zip(written).map(|(event, published)| {
            if published.conflict {
                return Err(conflict(event));
            }
            if published.runs.is_empty() && !published.duplicate {
                self.nobody_listens(event);
            }
            let mut runs = published.runs.iter();
            if !published.duplicate
                && runs.any(|run| self.registry.index(&run.function_id).is_some())
            {
                self.due.expect(event.due_at);
            }
            Ok(published)
        });
        outcomes.collect()
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
            .reserve(self.startable_here(&event).take_while(|_| take), force);
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
        let life = self.host.lease.life();
        let request = Publish::new(vec![event.clone()], now).with_claim(claim);
        let published = self.store.publish(request).await;
        if let Some(asking) = &mut asking {
            asking.answered(&published);
        }
        let mut published = published?.pop().ok_or_else(|| {
            Error::new(
                ErrorKind::Store,
                "the store returned no result for a published event",
            )
        })?;
        self.tell_skipped(&mut published).await?;
        if published.conflict {
            return Err(conflict(&event));
        }
        if published.runs.is_empty() && !published.duplicate {
            self.nobody_listens(&event);
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
                        life,
                    );
                }
                _ => left_behind |= index.is_some() && !published.duplicate,
            }
        }
        if left_behind {
            self.due.expect(event.due_at);
            self.due.notify();
        }
        #[cfg(feature = "http")]
        self.hand_on_woken(&[event], std::slice::from_ref(&published))
            .await?;
        Ok((published, endings))
    }

    /// Leaves out the local functions whose filter says no. Others decide for themselves when they claim the run.
    pub(super) fn filter(
        &self,
        event_type: &str,
        payload: &[u8],
        except: &mut Vec<Arc<str>>,
    ) -> Result<()> {
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
                    function = %function.id, error = %error.report(), "a filter panicked; the event starts a run of its \
                     function, which fails with the panic"
                ),
                // One that cannot read the event keeps no other from it.
                Err(error) => misfit = misfit.or(Some(error)),
            }
        }
        misfit.filter(|_| !fits).map_or(Ok(()), Err)
    }

    /// Warns, once for each type, of an event that has started nothing since no function subscribes to it.
    pub(super) fn nobody_listens(&self, event: &NewEvent) {
        let event_type = &event.event_type;
        let filtered = self.registry.listeners(event_type).next().is_some();
        if filtered
            || self.registry.awaits(event_type)
            || !self
                .warned
                .is_first(&format!("nobody takes {event_type}").into())
        {
            return;
        }
        let advice = if self.registry.functions().is_empty() {
            "; this worker only publishes, and no worker with such a function has ever run on its store: start that one first"
        } else {
            ""
        };
        tracing::warn!(
            event_type = %Clean(event_type), event = %Clean(&event.id),
            "no function subscribes to this event type, so the event starts no run, now or later{advice}"
        );
    }

    /// Those whose runs may start in the write that publishes: flow options are asked first.
    fn startable_here<'a>(
        &'a self,
        event: &'a NewEvent,
    ) -> impl Iterator<Item = usize> + Send + 'a {
        let functions = self.registry.functions();
        let targets = self.targets_here(event);
        targets.filter(move |index| functions[*index].def.flow.is_none())
    }

    pub(super) fn targets_here<'a>(
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
}

/// The same error for each of so many events.
fn each(error: &Error, count: usize) -> Vec<Result<PublishedEvent>> {
    let same = || Err(error.same());
    std::iter::repeat_with(same).take(count).collect()
}

/// The error of an event whose id another one has.
pub(super) fn conflict(event: &NewEvent) -> Error {
    tracing::warn!(
        event = %Clean(&event.id), event_type = %Clean(&event.event_type),
        "a different event with this id already exists; this one was not published"
    );
    Error::new(
        ErrorKind::Conflict,
        format!(
            "an event with the id `{}` but a different type or payload already exists, so this `{}` was not published; give \
             each event its own idempotency key",
            event.id, event.event_type
        ),
    )
}

fn new_run(
    event: &NewEvent,
    lease: Lease,
    published: &PublishedEvent,
    run: &PublishedRun,
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
        parent: event.parent.clone(),
        generation: 0,
        routing: Routing::Not,
        undoing: None,
        journal: Vec::new(),
        arrivals: Vec::new(),
    }
}
