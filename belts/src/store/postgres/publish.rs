//! Publishing: the events and the runs that they start.
//!
//! The runs are worked out here, from what is remembered of the subscriptions; the server refuses them if that is old.

use std::{collections::HashSet, sync::Arc};

use sqlx::postgres::PgBindIterExt as _;

use super::{
    connections::{HURRY, Loan, REST},
    database::Database,
    error::Fault,
    flow::apply_flows,
    others::bind_parents,
    placed::Placed,
    plan::{NOT_YET, Plan, PlannedRun},
    queue::{Batch, MAX_VALUE},
    sql::Parameters,
    subscribers,
    text::to_column,
};
use crate::store::{Lease, NewEvent, Publish, PublishedEvent, PublishedRun, Target};

/// Writes events for the queue.
pub(super) struct Publishes {
    pub(super) database: Arc<Database>,
    subscribers: subscribers::Memory,
}

/// A publish, with a number drawn for each event by which we know it again: should the answer be lost, and the event be there
/// when it is sent again, then it is our own. The tokens of its runs begin with the number.
pub(super) struct Ticketed {
    request: Publish,
    tickets: Vec<i64>,
}

impl Ticketed {
    pub(super) fn new(request: Publish) -> Self {
        let tickets = request
            .events
            .iter()
            .map(|_| fastrand::i64(0..1 << 62))
            .collect();
        Self { request, tickets }
    }
}

/// What the server says of a round.
struct Written {
    stale: bool,
    living: Vec<i64>,
    event_numbers: Option<Vec<Option<i64>>>,
}

impl Publishes {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self {
            database,
            subscribers: subscribers::Memory::default(),
        }
    }
}

impl Batch for Publishes {
    type Write = Ticketed;
    type Answer = Vec<PublishedEvent>;
    type Touched = HashSet<Arc<str>>;

    fn joins(write: &Ticketed, touched: &mut HashSet<Arc<str>>) -> bool {
        let events = &write.request.events;
        if let [event] = &**events {
            return touched.insert(Arc::clone(&event.id));
        }
        // It may name an id twice, so nothing is joined half-way.
        let joins = touched.is_empty();
        if joins {
            touched.extend(events.iter().map(|event| Arc::clone(&event.id)));
        }
        joins
    }

    fn size(write: &Ticketed) -> usize {
        write
            .request
            .events
            .iter()
            .map(|event| 200 + event.payload.len())
            .sum()
    }

    async fn write(&self, writes: &[Ticketed]) -> Result<Vec<Vec<PublishedEvent>>, Fault> {
        self.write_all(writes, false).await
    }

    async fn write_alone(
        &self,
        write: &Ticketed,
        held: bool,
    ) -> Result<Vec<Vec<PublishedEvent>>, Fault> {
        self.write_all(std::slice::from_ref(write), held).await
    }
}

impl Publishes {
    /// Publishes in one transaction, in a hurry if whoever holds something up has been waited for.
    async fn write_all(
        &self,
        writes: &[Ticketed],
        hurries: bool,
    ) -> Result<Vec<Vec<PublishedEvent>>, Fault> {
        let mut events = writes.iter().flat_map(|write| &write.request.events);
        if events.any(|event| event.payload.len() > MAX_VALUE) {
            return Err(Fault::TooLarge);
        }
        let mut placed = Vec::with_capacity(writes.len());
        for (request, write) in writes.iter().enumerate() {
            let now = write.request.now;
            let events = write.request.events.iter().zip(&write.tickets);
            placed.extend(events.map(|(event, &ticket)| Placed {
                event,
                ticket,
                now,
                request,
            }));
        }
        let capacities: Vec<_> = writes
            .iter()
            .map(|write| write.request.claim.as_ref())
            .collect();
        let published = self
            .database
            .insist(|_| self.publish(&placed, &capacities, hurries))
            .await?;
        self.database.wake_if(
            published
                .iter()
                .any(|event| !event.duplicate && event.runs.iter().any(|run| run.lease.is_none())),
        );
        let mut published = published.into_iter();
        Ok(writes
            .iter()
            .map(|write| published.by_ref().take(write.tickets.len()).collect())
            .collect())
    }

    async fn publish(
        &self,
        events: &[Placed<'_>],
        capacities: &[Option<&crate::store::Capacity>],
        hurries: bool,
    ) -> Result<Vec<PublishedEvent>, Fault> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut loan = self.database.lend().await?;
        if hurries {
            loan.run(HURRY).await?;
        }
        let published = self.publish_on(&mut loan, events, capacities).await;
        let cut = published.as_ref().is_err_and(Fault::is_of_the_connection);
        if hurries && !cut {
            loan.run(REST).await?;
        }
        loan.keep(published)
    }

    /// Publishes events in one transaction; the answers stand in the order of the events.
    async fn publish_on(
        &self,
        loan: &mut Loan<'_>,
        events: &[Placed<'_>],
        capacities: &[Option<&crate::store::Capacity>],
    ) -> Result<Vec<PublishedEvent>, Fault> {
        let subscribers = self.subscribers.get(&self.database, loan).await?;
        let plan = Plan::new(events, capacities, &subscribers);
        let flows = events.iter().any(|placed| !placed.event.flows.is_empty());
        if !flows && let Some(one) = self.publish_one(loan, events, &plan).await? {
            self.show(loan, events, &plan).await?;
            return Ok(vec![one]);
        }
        let mut answers = vec![None; events.len()];
        if !flows && let [round] = &*plan.rounds {
            self.publish_round(loan, events, &plan, round, &mut answers)
                .await?;
        } else {
            loan.run("BEGIN").await?;
            for round in &plan.rounds {
                let written = self
                    .publish_round(loan, events, &plan, round, &mut answers)
                    .await;
                if let Err(fault) = written {
                    loan.run("ROLLBACK").await?;
                    return Err(fault);
                }
            }
            if flows {
                let applied = apply_flows(loan, &self.database.sql, events, &mut answers).await;
                if let Err(fault) = applied {
                    loan.run("ROLLBACK").await?;
                    return Err(fault);
                }
            }
            loan.run("COMMIT").await?;
        }
        if plan.places.contains(&Some(NOT_YET)) {
            self.show(loan, events, &plan).await?;
        }
        answers
            .into_iter()
            .map(|answer| answer.ok_or(Fault::Vanished))
            .collect()
    }

    /// Gives events their places that somebody may wait for, now that they are committed. What is left of this by a process that
    /// dies here is done by the next claim.
    async fn show(
        &self,
        loan: &mut Loan<'_>,
        events: &[Placed<'_>],
        plan: &Plan,
    ) -> Result<(), Fault> {
        let placeless = || {
            let each = events.iter().zip(&plan.places);
            each.filter_map(|(placed, place)| (*place == Some(NOT_YET)).then_some(placed))
        };
        let Some(now) = placeless().map(|placed| placed.now).max() else {
            return Ok(());
        };
        let delayed = placeless().any(|placed| placed.visible_at().is_some());
        self.database.show(loan, now, delayed).await
    }

    /// Publishes events that have different ids. `round` holds their indices, sorted by id.
    async fn publish_round(
        &self,
        loan: &mut Loan<'_>,
        events: &[Placed<'_>],
        plan: &Plan,
        round: &[usize],
        answers: &mut [Option<PublishedEvent>],
    ) -> Result<(), Fault> {
        let runs = plan.runs_of(round);
        let written = self.send(loan, events, plan, round, &runs).await?;
        if written.stale {
            self.subscribers.forget();
            return Err(Fault::Stale);
        }
        let numbers = written.event_numbers.unwrap_or_default();
        for (index, number) in round.iter().zip(numbers) {
            let event = &events[*index];
            answers[*index] = number.map(|number| PublishedEvent {
                event_id: Arc::clone(&event.event.id),
                duplicate: false,
                conflict: false,
                runs: begun(
                    plan.runs_of_event(*index),
                    number,
                    event.ticket,
                    &written.living,
                ),
            });
        }
        self.find_duplicates(loan, events, round, answers).await
    }

    async fn send(
        &self,
        loan: &mut Loan<'_>,
        events: &[Placed<'_>],
        plan: &Plan,
        round: &[usize],
        runs: &[(i32, &PlannedRun)],
    ) -> Result<Written, Fault> {
        let placed = || round.iter().map(|index| &events[*index]);
        let each = || placed().map(|placed| placed.event);
        let run = || runs.iter().map(|(_, run)| *run);
        let parameters = Parameters::default()
            .bind(&self.database.store)
            .bind(self.database.next_call())
            .bind(plan.version)
            .bind(each().map(|event| to_column(&event.id)).bind_iter())
            .bind(each().map(|event| to_column(&event.event_type)).bind_iter())
            .bind(
                each()
                    .map(|event| event.correlation_key.as_deref().map(to_column))
                    .bind_iter(),
            )
            .bind(
                each()
                    .map(|event| event.traceparent.as_deref().map(to_column))
                    .bind_iter(),
            )
            .bind(each().map(|event| &*event.payload).bind_iter())
            .bind(each().map(|event| &event.digest.0[..]).bind_iter())
            .bind(placed().map(|placed| placed.ticket).bind_iter())
            .bind(placed().map(|placed| placed.now.as_millis()).bind_iter())
            .bind(
                round
                    .iter()
                    .map(|index| plan.runs_of_event(*index).is_empty())
                    .bind_iter(),
            )
            .bind(round.iter().map(|index| plan.places[*index]).bind_iter())
            .bind(placed().map(Placed::visible_at).bind_iter())
            .bind(orders(round))
            .bind(runs.iter().map(|(place, _)| *place).bind_iter())
            .bind(run().map(|run| run.rank).bind_iter())
            .bind(run().map(|run| to_column(&run.id)).bind_iter())
            .bind(run().map(|run| to_column(&run.function_id)).bind_iter())
            .bind(
                run()
                    .map(|run| events[run.event].event.due_at.as_millis())
                    .bind_iter(),
            )
            .bind(
                run()
                    .map(|run| events[run.event].event.retries.map(u32::cast_signed))
                    .bind_iter(),
            )
            .bind(
                run()
                    .map(|run| run.worker.map(|worker| worker.0))
                    .bind_iter(),
            );
        let mut parameters = plan.sessions.bind(parameters);
        let mut statement = &self.database.sql.publish;
        if each().any(|event| event.parent.is_some()) {
            let parents = run().map(|run| events[run.event].event.parent.as_ref());
            parameters = bind_parents(parameters, parents);
            statement = &self.database.sql.publish_parents;
        }
        let written = loan.row(statement, parameters).await;
        let (stale, living, event_numbers) = written.map_err(Fault::of_events)?;
        Ok(Written {
            stale,
            living,
            event_numbers,
        })
    }
}

/// Where each event of a round stands among them in the order of the batch, counted from 1. They are sorted by id.
fn orders(round: &[usize]) -> Vec<i32> {
    let mut by_index: Vec<usize> = (0..round.len()).collect();
    by_index.sort_unstable_by_key(|at| round[*at]);
    let mut orders = vec![0; round.len()];
    for (order, at) in (1..).zip(by_index) {
        orders[at] = order;
    }
    orders
}

/// The runs that were begun with an event, sorted by function id as they were planned.
pub(super) fn begun(
    runs: &[PlannedRun],
    event: i64,
    token: i64,
    living: &[i64],
) -> Vec<PublishedRun> {
    let begun = runs.iter().map(|run| PublishedRun {
        routed: None,
        run_id: Arc::clone(&run.id),
        function_id: Arc::clone(&run.function_id),
        lease: run
            .worker
            .filter(|worker| living.contains(&worker.0))
            .map(|worker| Lease::new(run.number(event), worker, token)),
    });
    begun.collect()
}

/// The run id that an event asks for.
pub(super) fn targeted_run(event: &NewEvent) -> Option<&Arc<str>> {
    match &event.target {
        Target::Function { run_id, .. } => run_id.as_ref(),
        Target::Subscribers { .. } => None,
    }
}
