//! Publishing into memory.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    lanes::{EventData, EventRow},
    tables::{Run, Tables},
};
use crate::store::{
    Flow, Lease, NewEvent, Parent, Publish, PublishedEvent, PublishedRun, RunStatus, Target,
    Timestamp, WorkerId,
    parts::{Budget, Crashes, Sight, due_by, new_id, shown_by},
};

impl Tables {
    /// Publishes; whether a run was left for others to claim.
    pub(super) fn publish(&mut self, request: Publish) -> (Vec<PublishedEvent>, bool) {
        let now = request.now;
        let mut claim = request
            .claim
            .as_ref()
            .filter(|capacity| self.is_alive(capacity.worker, now))
            .map(|capacity| (capacity.worker, Budget::new(capacity)));
        let mut left = false;
        let published = request
            .events
            .into_iter()
            .map(|event| {
                if let Some(duplicate) = self.duplicate(&event) {
                    return duplicate;
                }
                let published = self.publish_one(event, now, claim.as_mut());
                left |= published.runs.iter().any(|run| run.lease.is_none());
                left |= self.arrive(&published.event_id, now);
                published
            })
            .collect();
        (published, left)
    }

    /// Gives a new event its place if anybody may wait for it; whether somebody does.
    pub(super) fn arrive(&mut self, event: &str, now: Timestamp) -> bool {
        let data = match self.events.get(event) {
            Some(row) if !row.data.targeted => &row.data,
            _ => return false,
        };
        if !self.waits.awaited.contains_key(&data.event_type) {
            return false;
        }
        let data = Arc::clone(data);
        if data.sight.due_at.is_some() {
            return self.show_or_delay(&data, now);
        }
        // What fell due before it has its place before it.
        let due_at = due_by(now, now, self.seen);
        let others = self.show_due(shown_by(now, self.seen), due_at);
        self.show(&data, due_at) || others
    }

    fn duplicate(&self, event: &NewEvent) -> Option<PublishedEvent> {
        let by_run = || match &event.target {
            Target::Function {
                run_id: Some(run_id),
                ..
            } => self
                .run_ids
                .get(run_id)
                .map(|number| (Arc::clone(&self.runs[number].event.id), vec![*number])),
            _ => None,
        };
        let (event_id, numbers) = match self.events.get(&event.id) {
            Some(known) if known.data.digest != event.digest => {
                return Some(PublishedEvent {
                    event_id: Arc::clone(&event.id),
                    duplicate: true,
                    conflict: true,
                    runs: Vec::new(),
                });
            }
            Some(known) => (Arc::clone(&known.data.id), known.runs.clone()),
            None => by_run()?,
        };
        let mut runs: Vec<PublishedRun> = numbers
            .iter()
            .map(|number| {
                let run = &self.runs[number];
                self.published_run(run, None)
            })
            .collect();
        runs.sort_by(|a, b| a.function_id.cmp(&b.function_id));
        Some(PublishedEvent {
            event_id,
            duplicate: true,
            conflict: false,
            runs,
        })
    }

    pub(super) fn publish_one(
        &mut self,
        event: NewEvent,
        now: Timestamp,
        mut claim: Option<&mut (WorkerId, Budget)>,
    ) -> PublishedEvent {
        let due_at = due_by(event.due_at, now, self.seen);
        let (functions, run_id) = self.targets(&event.event_type, &event.target);
        self.last_event += 1;
        let data = Arc::new(EventData {
            id: event.id,
            event_type: event.event_type,
            payload: event.payload,
            digest: event.digest,
            traceparent: event.traceparent,
            key: event.correlation_key,
            targeted: matches!(event.target, Target::Function { .. }),
            sight: Sight {
                number: self.last_event,
                published_at: now,
                due_at: Some(event.due_at).filter(|due_at| *due_at > now),
            },
        });
        let mut numbers = Vec::with_capacity(functions.len());
        let mut runs = Vec::with_capacity(functions.len());
        for function in functions {
            let deadlines = self.deadlines(function, event.due_at, now);
            let number = self.insert_run(function, &data, run_id.clone(), event.retries);
            if let Some(run) = self.runs.get_mut(&number) {
                run.deadlines = deadlines;
            }
            self.keep_time(number);
            self.adopt(number, event.parent.as_ref());
            numbers.push(number);
            let takes = event.due_at <= now
                && flow_of(&event.flows, &self.functions[function].id).is_none()
                && !self.paused.contains_key(&self.functions[function].id)
                && claim.as_mut().is_some_and(|(_, budget)| {
                    budget.take(&self.functions[function].id, &data.event_type)
                });
            let lease = match &claim {
                Some((worker, _)) if takes => self.lease(number, *worker, now),
                _ => {
                    self.enqueue(number, RunStatus::Pending, due_at);
                    None
                }
            };
            runs.push(self.published_run(&self.runs[&number], lease));
        }
        let event_id = Arc::clone(&data.id);
        self.events.insert(
            Arc::clone(&data.id),
            EventRow {
                data,
                place: None,
                runs: numbers.clone(),
            },
        );
        for (number, published) in numbers.into_iter().zip(&mut runs) {
            if let Some(flow) = flow_of(&event.flows, &published.function_id) {
                self.flow_into(number, flow, now, published);
            }
        }
        PublishedEvent {
            event_id,
            duplicate: false,
            conflict: false,
            runs,
        }
    }

    fn targets(
        &mut self,
        event_type: &Arc<str>,
        target: &Target,
    ) -> (Vec<usize>, Option<Arc<str>>) {
        match target {
            Target::Function {
                function_id,
                run_id,
            } => (vec![self.function(function_id)], run_id.clone()),
            Target::Subscribers { except } => {
                let all = self
                    .subscribers
                    .get(event_type)
                    .cloned()
                    .unwrap_or_default();
                let kept = all
                    .iter()
                    .copied()
                    .filter(|function| !except.contains(&self.functions[*function].id));
                (kept.collect(), None)
            }
        }
    }

    fn insert_run(
        &mut self,
        function: usize,
        event: &Arc<EventData>,
        run_id: Option<Arc<str>>,
        retries: Option<u32>,
    ) -> i64 {
        self.last_run += 1;
        let id = run_id.unwrap_or_else(new_id);
        self.run_ids.insert(Arc::clone(&id), self.last_run);
        let run = Run {
            id,
            function,
            event: Arc::clone(event),
            status: RunStatus::Pending,
            due_at: None,
            worker: None,
            token: 0,
            failed_attempts: 0,
            retries,
            started_at: None,
            is_unstarted: false,
            finished_at: None,
            deadlines: None,
            result: None,
            crashes: Crashes::default(),
            keeps_time: false,
            notes: Vec::new(),
            tags: BTreeSet::new(),
            parent: None,
            generation: 0,
            build: None,
            undoing: None,
            mark: None,
            single: None,
            line: None,
            joined: Vec::new(),
            journal: Vec::new(),
        };
        self.runs.insert(self.last_run, run);
        self.last_run
    }

    /// Gives a new run its parent.
    fn adopt(&mut self, number: i64, parent: Option<&Parent>) {
        if let (Some(parent), Some(run)) = (parent, self.runs.get_mut(&number)) {
            run.parent = Some(parent.clone());
            let started = self.started.entry(Arc::clone(&parent.run_id));
            started.or_default().insert(number);
        }
    }

    fn published_run(&self, run: &Run, lease: Option<Lease>) -> PublishedRun {
        PublishedRun {
            run_id: Arc::clone(&run.id),
            function_id: Arc::clone(&self.functions[run.function].id),
            lease,
            routed: None,
        }
    }
}

fn flow_of<'a>(flows: &'a [(Arc<str>, Flow)], function_id: &str) -> Option<&'a Flow> {
    let mut flows = flows.iter();
    let found = flows.find(|(of, _)| **of == *function_id);
    found.map(|(_, flow)| flow)
}
