//! What a publisher is told of an event that was there before.

use std::{collections::HashMap, sync::Arc};

use sqlx::postgres::{PgBindIterExt as _, PgRow};

use super::{
    connections::Loan,
    error::Fault,
    placed::Placed,
    publish::{Publishes, targeted_run},
    rows::Columns,
    sql::Parameters,
    text::to_column,
};
use crate::store::{Lease, PublishedEvent, PublishedRun, WorkerId};

/// A row of the tables, as of an event that is there.
struct Found {
    event_id: Arc<str>,
    ticket: i64,
    /// None of an event from a version that did not keep it.
    digest: Option<[u8; 16]>,
    run: Option<FoundRun>,
}

struct FoundRun {
    run_id: Arc<str>,
    function_id: Arc<str>,
    number: i64,
    token: i64,
    worker: Option<i64>,
}

impl Found {
    fn read(columns: Columns<'_>) -> Result<Self, Fault> {
        let number: Option<i64> = columns.get(5)?;
        let run = match number {
            None => None,
            Some(number) => Some(FoundRun {
                run_id: columns.text(3)?,
                function_id: columns.text(4)?,
                number,
                token: columns.get(6)?,
                worker: columns.get(7)?,
            }),
        };
        let digest: Option<&[u8]> = columns.get(8)?;
        Ok(Self {
            event_id: columns.text(1)?,
            ticket: columns.get(2)?,
            digest: digest.and_then(|digest| digest.try_into().ok()),
            run,
        })
    }
}

impl FoundRun {
    /// The lease that our own lost answer gave, if it still holds: each later claim of the run has a greater token.
    fn lease(&self, ticket: i64) -> Option<Lease> {
        let worker = self.worker.filter(|_| self.token == ticket).map(WorkerId)?;
        Some(Lease::new(self.number, worker, self.token))
    }
}

impl Publishes {
    /// Answers for the events of a round that were not written.
    pub(super) async fn find_duplicates(
        &self,
        loan: &mut Loan<'_>,
        events: &[Placed<'_>],
        round: &[usize],
        answers: &mut [Option<PublishedEvent>],
    ) -> Result<(), Fault> {
        let missing: Vec<usize> = round
            .iter()
            .copied()
            .filter(|index| answers[*index].is_none())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let each = || missing.iter().map(|index| events[*index].event);
        let parameters = Parameters::default()
            .bind(each().map(|event| to_column(&event.id)).bind_iter())
            .bind(
                each()
                    .map(|event| targeted_run(event).map(|run_id| to_column(run_id)))
                    .bind_iter(),
            );
        let rows = loan.rows(&self.database.sql.published, parameters).await?;
        let mut found = by_place(&rows)?;
        for (place, index) in (1..).zip(missing) {
            // The event of that id; or else the run of that id, which another event has started.
            let rows = found.remove(&place).or_else(|| found.remove(&-place));
            answers[index] = rows.and_then(|rows| answer(&events[index], rows));
        }
        Ok(())
    }
}

fn by_place(rows: &[PgRow]) -> Result<HashMap<i64, Vec<Found>>, Fault> {
    let mut found: HashMap<i64, Vec<Found>> = HashMap::new();
    for row in rows {
        let columns = Columns(row);
        found
            .entry(columns.get(0)?)
            .or_default()
            .push(Found::read(columns)?);
    }
    Ok(found)
}

fn answer(placed: &Placed<'_>, rows: Vec<Found>) -> Option<PublishedEvent> {
    let first = rows.first()?;
    let ours = first.ticket == placed.ticket;
    let event_id = Arc::clone(&first.event_id);
    let is_other = |digest: [u8; 16]| digest != placed.event.digest.0;
    // Found by the run's id it is the event of that run, whatever it is.
    if *event_id == *placed.event.id && first.digest.is_some_and(is_other) {
        return Some(PublishedEvent {
            event_id,
            duplicate: true,
            conflict: true,
            runs: Vec::new(),
        });
    }
    let mut runs: Vec<_> = rows
        .into_iter()
        .filter_map(|found| found.run)
        .map(|run| PublishedRun {
            routed: None,
            lease: run.lease(placed.ticket).filter(|_| ours),
            run_id: run.run_id,
            function_id: run.function_id,
        })
        .collect();
    runs.sort_unstable_by(|a, b| a.function_id.cmp(&b.function_id));
    Some(PublishedEvent {
        event_id,
        duplicate: !ours,
        conflict: false,
        runs,
    })
}
