//! Publishing: an event, its runs and the leases of those that the publisher drives itself.

use std::{collections::BTreeSet, sync::Arc};

use belts::{
    Timestamp,
    store::{
        Lease, NewEvent, Publish, PublishedEvent, PublishedRun, RunStatus, Target, WorkerId,
        parts::{Budget, Crashes, due_by, new_id},
    },
};

use super::{
    fault::Fault,
    rows::{Event, Run},
    tables::Tables,
};

/// A function that an event starts, and the id that the run is to have.
type Started = (Arc<str>, Option<Arc<str>>);

impl Tables<'_> {
    pub(crate) fn publish(&mut self, request: Publish) -> Result<Vec<PublishedEvent>, Fault> {
        let now = request.now;
        let mut claim = match request.claim {
            Some(capacity) => self
                .session(capacity.worker)?
                .filter(|session| session.is_alive(now))
                .map(|_| (capacity.worker, Budget::new(&capacity))),
            None => None,
        };
        let mut published = Vec::new();
        for event in request.events {
            published.push(match self.known(&event)? {
                Some(known) => known,
                None => self.publish_one(event, now, claim.as_mut())?,
            });
        }
        Ok(published)
    }

    /// The answer for an event that is there already, under its id or by the id of its run.
    fn known(&self, event: &NewEvent) -> Result<Option<PublishedEvent>, Fault> {
        if let Some(known) = self.event(&event.id)? {
            if known.digest() != event.digest {
                return Ok(Some(PublishedEvent::conflict(Arc::clone(&event.id))));
            }
            let mut runs = Vec::new();
            for number in known.runs {
                runs.extend(self.readable_run(number)?);
            }
            runs.sort_by(|a, b| a.function_id.cmp(&b.function_id));
            let runs = runs.iter().map(named).collect();
            return Ok(Some(PublishedEvent::duplicate(Arc::clone(&event.id), runs)));
        }
        let Target::Function {
            run_id: Some(run_id),
            ..
        } = &event.target
        else {
            return Ok(None);
        };
        let known = self.run_named(run_id)?;
        Ok(
            known
                .map(|(_, run)| PublishedEvent::duplicate(run.event_id.clone(), vec![named(&run)])),
        )
    }

    fn publish_one(
        &mut self,
        event: NewEvent,
        now: Timestamp,
        mut claim: Option<&mut (WorkerId, Budget)>,
    ) -> Result<PublishedEvent, Fault> {
        let due_at = due_by(event.due_at, now, self.seen()?);
        let mut numbers = Vec::new();
        let mut runs = Vec::new();
        for (function_id, run_id) in self.targets(&event)? {
            let number = self.next("runs")?;
            let mut run = new_run(&event, function_id, run_id, now);
            run.deadlines = self.deadlines(&run.function_id, event.due_at, now)?;
            let paused = self.is_paused(&run.function_id)?;
            let taker = claim
                .as_mut()
                .filter(|_| !paused)
                .and_then(|(worker, budget)| {
                    let takes =
                        event.due_at <= now && budget.take(&run.function_id, &event.event_type);
                    takes.then_some(*worker)
                });
            let lease = match taker {
                Some(worker) => {
                    run.lease(worker, self.build_of(worker)?, now);
                    Some(Lease::new(number, worker, run.token))
                }
                None => None,
            };
            if lease.is_none() {
                run.wait(RunStatus::Pending, due_at);
                self.wakes = true;
            }
            self.put_run(number, &run)?;
            numbers.push(number);
            runs.push(named(&run).with_lease(lease));
        }
        self.put_payload(&event.id, &event.payload)?;
        let row = Event {
            event_type: event.event_type,
            digest: event.digest.0,
            traceparent: event.traceparent,
            published_at: now,
            runs: numbers,
        };
        self.put_event(&event.id, &row)?;
        Ok(PublishedEvent::new(event.id, runs))
    }

    fn targets(&self, event: &NewEvent) -> Result<Vec<Started>, Fault> {
        match &event.target {
            Target::Function {
                function_id,
                run_id,
                ..
            } => Ok(vec![(Arc::clone(function_id), run_id.clone())]),
            Target::Subscribers { except, .. } => {
                let wanted = self.subscriptions()?.into_iter().filter(|subscription| {
                    subscription.event_types.contains(&event.event_type)
                        && !except.contains(&subscription.function_id)
                });
                Ok(wanted.map(|wanted| (wanted.function_id, None)).collect())
            }
            // A later version of belts asks for something that this store does not know.
            other => Err(Fault::Answer(belts::Error::config(format!(
                "this store cannot publish to {other:?}"
            )))),
        }
    }
}

fn new_run(event: &NewEvent, function_id: Arc<str>, id: Option<Arc<str>>, now: Timestamp) -> Run {
    Run {
        id: id.unwrap_or_else(new_id),
        function_id,
        event_id: Arc::clone(&event.id),
        event_type: Arc::clone(&event.event_type),
        published_at: now,
        status: RunStatus::Pending,
        due_at: None,
        worker: None,
        token: 0,
        failed_attempts: 0,
        retries: event.retries,
        started_at: None,
        finished_at: None,
        deadlines: None,
        undoing: None,
        crashes: Crashes::default(),
        notes: Vec::new(),
        tags: BTreeSet::new(),
        build: None,
    }
}

fn named(run: &Run) -> PublishedRun {
    PublishedRun::new(Arc::clone(&run.id), Arc::clone(&run.function_id))
}
