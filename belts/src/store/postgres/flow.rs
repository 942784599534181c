//! Flow options in Postgres: functions of the server apply them, under the locks of their keys.

use std::sync::Arc;

use sqlx::postgres::PgBindIterExt as _;

use super::{
    connections::Loan,
    database::Database,
    error::Fault,
    placed::Placed,
    rows::Columns,
    sql::{Parameters, Statements},
    text::{from_column, to_column},
};
use crate::store::{
    Flow, Mark, PublishedEvent, Route, Routed, StoredEvent, Timestamp, parts::flow::written,
};

/// Flow options as the server takes them, with their keys, sorted.
struct Written {
    flow: String,
    ids: Vec<String>,
}

impl Written {
    fn new(function_id: &str, flow: &Flow) -> Self {
        let (flow, mut ids) = written(function_id, flow, |id| to_column(id).into_owned());
        ids.sort_unstable();
        Self {
            flow: flow.to_string(),
            ids,
        }
    }
}

/// What became of a run, by the word of the server. One that is gone is of no answer.
fn routed(
    word: &str,
    until: Option<i64>,
    other: Option<Arc<str>>,
) -> Result<Option<Routed>, Fault> {
    Ok(Some(match word {
        "starts" => Routed::Starts,
        "lost" => Routed::LeaseLost,
        "waits" => Routed::waits(until.map(Timestamp::from_millis)),
        "joined" => Routed::joined(other.ok_or(Fault::Row("run that an event has joined"))?),
        "gone" => return Ok(None),
        mark => match Mark::parse(&from_column(mark)) {
            Some(Mark::Skipped(skipped)) => Routed::Skipped(skipped),
            _ => return Err(Fault::Row("what became of a run")),
        },
    }))
}

/// Applies flow options to the runs of events that have just been written, in the same transaction.
pub(super) async fn apply_flows(
    loan: &mut Loan<'_>,
    sql: &Statements,
    events: &[Placed<'_>],
    answers: &mut [Option<PublishedEvent>],
) -> Result<(), Fault> {
    let (mut written, mut runs, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (placed, answer)) in events.iter().zip(&*answers).enumerate() {
        let Some(answer) = answer.as_ref().filter(|answer| !answer.duplicate) else {
            continue;
        };
        let delayed = placed.event.due_at > placed.now;
        for (place, run) in answer.runs.iter().enumerate() {
            let flow = placed.event.flow_of(&run.function_id);
            let collects = |flow: &&Flow| flow.debounce.is_some() || flow.batch.is_some();
            let Some(flow) = flow.filter(|flow| !(delayed && collects(flow))) else {
                continue;
            };
            let Written { flow, ids: own } = Written::new(&run.function_id, flow);
            ids.extend(own);
            runs.push((index, place));
            written.push((Arc::clone(&run.run_id), flow, placed.now.as_millis()));
        }
    }
    if written.is_empty() {
        return Ok(());
    }
    ids.sort_unstable();
    ids.dedup();
    let parameters = Parameters::default()
        .bind(ids.iter().map(String::as_str).bind_iter())
        .bind(written.iter().map(|(run, ..)| to_column(run)).bind_iter())
        .bind(written.iter().map(|(_, flow, _)| flow.as_str()).bind_iter())
        .bind(written.iter().map(|(.., now)| *now).bind_iter());
    for row in &loan.rows(&sql.flow, parameters).await? {
        let columns = Columns(row);
        let place: i64 = columns.get(0)?;
        let place = usize::try_from(place - 1).map_err(|_| Fault::Row("place of a run"))?;
        let (index, run) = *runs.get(place).ok_or(Fault::Row("place of a run"))?;
        let word: &str = columns.get(1)?;
        let became = routed(word, columns.get(2)?, columns.maybe_text(3)?)?;
        let answer = answers[index].as_mut().ok_or(Fault::Vanished)?;
        if let Some(became) = became.filter(|became| *became != Routed::Starts) {
            if let Routed::Joined { run_id } = &became {
                answer.runs[run].run_id = Arc::clone(run_id);
            }
            answer.runs[run].routed = Some(became);
        }
    }
    Ok(())
}

impl Database {
    /// Applies flow options to a claimed run.
    pub(super) async fn route(&self, request: &Route) -> Result<Routed, Fault> {
        let (lease, now) = (&request.lease, request.now);
        let function_id = &*request.function_id;
        let Written { flow, ids } = Written::new(function_id, &request.flow);
        let route = |_| {
            let parameters = Parameters::default()
                .bind(&self.store)
                .bind(lease.run)
                .bind(lease.worker.0)
                .bind(lease.token)
                .bind(now.as_millis())
                .bind(ids.iter().map(String::as_str).bind_iter())
                .bind(flow.as_str());
            self.row(&self.sql.route, parameters)
        };
        let (word, until, other, told): (String, Option<i64>, Option<String>, bool) =
            self.insist(route).await?;
        self.show_ends(told, now).await;
        let other = other.map(|other| from_column(&other));
        let routed = routed(&word, until, other)?.unwrap_or(Routed::LeaseLost);
        self.wake_if(routed != Routed::Starts);
        Ok(routed)
    }

    /// The events of a run, in the order of publishing.
    pub(super) async fn batch(&self, run: &str) -> Result<Vec<StoredEvent>, Fault> {
        let parameters = Parameters::default().bind(to_column(run));
        let rows = self.rows(&self.sql.batch, parameters).await?;
        let events = rows.iter().map(|row| {
            let columns = Columns(row);
            let event = StoredEvent::new(columns.text(0)?, columns.text(1)?, columns.bytes(2)?);
            Ok(event.with_correlation_key(columns.maybe_text(3)?))
        });
        events.collect()
    }
}
