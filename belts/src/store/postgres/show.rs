//! Giving events their places, now that they are committed, so that those who wait find them.

use super::{connections::Loan, database::Database, error::Fault, sql::Parameters};
use crate::{plain::Clean, store::Timestamp};

/// How many events are given their places at once; where it was so many, there may be more.
const MAX_SHOWN: i64 = 1_000;

impl Database {
    /// Gives all their places that are due, and makes the runs due that wait for them.
    pub(super) async fn show(
        &self,
        loan: &mut Loan<'_>,
        now: Timestamp,
        delayed: bool,
    ) -> Result<(), Fault> {
        loop {
            let parameters = Parameters::default()
                .bind(&self.store)
                .bind(now.as_millis())
                .bind(delayed);
            let (shown, waiting): (i64, i64) =
                loan.row(&self.sql.show_published, parameters).await?;
            self.wake_if(waiting > 0 || delayed);
            if shown < MAX_SHOWN {
                return Ok(());
            }
        }
    }

    /// After a write that may have told of the end of runs. That is durable; what is left of this by a process that dies here, or
    /// cannot reach the server, is done by the next claim.
    pub(super) async fn show_ends(&self, told: bool, now: Timestamp) {
        if !told {
            return;
        }
        let show = async |_| {
            let mut loan = self.lend().await?;
            let shown = self.show(&mut loan, now, false).await;
            loan.keep(shown)
        };
        if let Err(fault) = self.insist(show).await {
            tracing::warn!(fault = %Clean(&fault), "the ends of runs are shown to those who wait with the next claim");
            self.wake_if(true);
        }
    }
}
