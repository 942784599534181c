//! The publish that most are, one event that starts one run, in one plain statement.

use super::{
    connections::Loan,
    error::Fault,
    placed::Placed,
    plan::{Plan, PlannedRun},
    publish::{Publishes, begun, targeted_run},
    rows::Columns,
    sql::Parameters,
    text::to_column,
};
use crate::store::PublishedEvent;

impl Publishes {
    /// Publishes what is no more than that; `None` where nothing was written, since there is more to it.
    pub(super) async fn publish_one(
        &self,
        loan: &mut Loan<'_>,
        events: &[Placed<'_>],
        plan: &Plan,
    ) -> Result<Option<PublishedEvent>, Fault> {
        let [placed] = events else { return Ok(None) };
        let runs = plan.runs_of_event(0);
        let [run] = runs else { return Ok(None) };
        // A function of the server works out its times.
        if run.limited {
            return Ok(None);
        }
        // Another event may have started the run that this one names.
        if targeted_run(placed.event).is_some() || placed.event.parent.is_some() {
            return Ok(None);
        }
        let parameters = self.parameters(placed, run, plan);
        let rows = loan
            .rows(&self.database.sql.publish_one, parameters)
            .await
            .map_err(Fault::of_events)?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let (number, worker): (i64, Option<i64>) = (Columns(row).get(0)?, Columns(row).get(1)?);
        let living: Vec<i64> = worker.into_iter().collect();
        Ok(Some(PublishedEvent {
            event_id: placed.event.id.clone(),
            duplicate: false,
            conflict: false,
            runs: begun(runs, number, placed.ticket, &living),
        }))
    }

    fn parameters(&self, placed: &Placed<'_>, run: &PlannedRun, plan: &Plan) -> Parameters {
        let event = placed.event;
        Parameters::default()
            .bind(&self.database.store)
            .bind(self.database.next_call())
            .bind(plan.version)
            .bind(placed.now.as_millis())
            .bind(placed.ticket)
            .bind(to_column(&event.id))
            .bind(to_column(&event.event_type))
            .bind(event.correlation_key.as_deref().map(to_column))
            .bind(event.traceparent.as_deref().map(to_column))
            .bind(&*event.payload)
            .bind(event.due_at.as_millis())
            .bind(event.retries.map(u32::cast_signed))
            .bind(to_column(&run.id))
            .bind(to_column(&run.function_id))
            .bind(run.worker.map(|worker| worker.0))
            .bind(&event.digest.0[..])
            .bind(plan.places[run.event])
            .bind(placed.visible_at())
    }
}
