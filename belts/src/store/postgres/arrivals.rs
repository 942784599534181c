//! What has arrived for runs while they are driven.

use std::collections::HashMap;

use sqlx::postgres::PgBindIterExt as _;

use super::{
    database::Database,
    error::Fault,
    rows::Columns,
    sql::{Parameters, number},
};
use crate::store::{Arrival, Lease, parts::MAX_ARRIVED_BYTES};

impl Database {
    pub(super) async fn arrived(
        &self,
        leases: &[Lease],
    ) -> Result<Vec<(Lease, Vec<Arrival>)>, Fault> {
        let parameters = Parameters::default()
            .bind(leases.iter().map(|lease| lease.run).bind_iter())
            .bind(leases.iter().map(|lease| lease.worker.0).bind_iter())
            .bind(leases.iter().map(|lease| lease.token).bind_iter())
            .bind(number(MAX_ARRIVED_BYTES));
        let rows = self.rows(&self.sql.arrived, parameters).await?;
        let mut by_run: HashMap<i64, Vec<Arrival>> = HashMap::new();
        for row in &rows {
            let columns = Columns(row);
            let arrival = arrival(columns, &PLACES)?;
            by_run.entry(columns.get(0)?).or_default().push(arrival);
        }
        // One that was asked for with an older lease as well is told once.
        let arrived = leases.iter().filter_map(|lease| {
            let arrivals = by_run.remove(&lease.run)?;
            Some((*lease, arrivals))
        });
        Ok(arrived.collect())
    }
}

/// Where the columns of an arrival stand.
pub(super) struct ArrivalPlaces {
    pub(super) seq: usize,
    pub(super) place: usize,
    pub(super) event_id: usize,
    pub(super) event_type: usize,
    pub(super) payload: usize,
}

const PLACES: ArrivalPlaces = ArrivalPlaces {
    seq: 2,
    place: 1,
    event_id: 3,
    event_type: 4,
    payload: 5,
};

/// An event that has arrived, in its row.
pub(super) fn arrival(columns: Columns<'_>, places: &ArrivalPlaces) -> Result<Arrival, Fault> {
    Ok(Arrival {
        seq: columns.count(places.seq)?,
        place: columns.get(places.place)?,
        event_id: columns.text(places.event_id)?,
        event_type: columns.text(places.event_type)?,
        payload: columns.bytes(places.payload)?,
    })
}
