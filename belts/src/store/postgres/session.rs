//! Workers' sessions in Postgres: each call is one function of the server, and may be sent again.

use std::time::Duration;

use sqlx::postgres::PgBindIterExt as _;

use super::{database::Database, error::Fault, sql::Parameters, text::to_column};
use crate::store::{Register, Release, Timestamp, WorkerId};

/// Sessions are forgotten this long after their lease time has ended.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// No lease is longer, so that no time overflows: some 30,000 years.
const LONGEST_LEASE: i64 = 1_000_000_000_000_000;

impl Database {
    /// Begins a session. If this is sent twice, the first session dies with its lease.
    pub(super) async fn register(&self, request: &Register) -> Result<WorkerId, Fault> {
        let wanted = request.wanted();
        let functions = || wanted.iter();
        let awaits = || {
            let all = request.awaits.iter();
            all.flat_map(|awaits| {
                let types = awaits.event_types.iter();
                types.map(|event_type| (event_type, &awaits.function_id))
            })
        };
        let pairs = || {
            functions().flat_map(|subscription| {
                let types = subscription.event_types.iter();
                types.map(|event_type| (event_type, &subscription.function_id))
            })
        };
        let limits = || {
            let functions = wanted.iter();
            functions.filter_map(|wanted| request.limits_of(&wanted.function_id))
        };
        let register = |_| {
            let parameters = Parameters::default()
                .bind(&self.store)
                .bind(request.name.as_deref().map(to_column))
                .bind(request.now.as_millis())
                .bind(millis(request.lease))
                .bind(request.now.before(FORGET_AFTER).as_millis())
                .bind(
                    functions()
                        .map(|subscription| to_column(&subscription.function_id))
                        .bind_iter(),
                )
                .bind(
                    pairs()
                        .map(|(event_type, _)| to_column(event_type))
                        .bind_iter(),
                )
                .bind(
                    pairs()
                        .map(|(_, function_id)| to_column(function_id))
                        .bind_iter(),
                )
                .bind(
                    awaits()
                        .map(|(event_type, _)| to_column(event_type))
                        .bind_iter(),
                )
                .bind(
                    awaits()
                        .map(|(_, function_id)| to_column(function_id))
                        .bind_iter(),
                )
                .bind(
                    limits()
                        .map(|limits| to_column(&limits.function_id))
                        .bind_iter(),
                )
                .bind(
                    limits()
                        .map(|limits| limits.start_within.map(millis))
                        .bind_iter(),
                )
                .bind(
                    limits()
                        .map(|limits| limits.finish_within.map(millis))
                        .bind_iter(),
                )
                .bind(
                    functions()
                        .map(|wanted| &wanted.function_id)
                        .filter(|function| request.handles_cancels_of(function))
                        .map(|function| to_column(function))
                        .bind_iter(),
                );
            self.row(&self.sql.register, parameters)
        };
        let (worker, given_back): (i64, i64) = self.insist(register).await?;
        if let Some(build) = &request.build {
            let name = |_| {
                let parameters = Parameters::default().bind(worker).bind(to_column(build));
                self.rows(&self.sql.build, parameters)
            };
            // A session that is gone by now says so itself when it is used.
            self.insist(name).await?;
        }
        self.wake_if(given_back > 0);
        Ok(WorkerId(worker))
    }

    pub(super) async fn deregister(&self, worker: WorkerId, now: Timestamp) -> Result<(), Fault> {
        let deregister = |_| {
            let parameters = Parameters::default()
                .bind(&self.store)
                .bind(worker.0)
                .bind(now.as_millis());
            self.row(&self.sql.deregister, parameters)
        };
        let (given_back,): (i64,) = self.insist(deregister).await?;
        self.wake_if(given_back > 0);
        Ok(())
    }

    /// Moves the end of a lease; false where the session is not known.
    pub(super) async fn renew(
        &self,
        worker: WorkerId,
        now: Timestamp,
        lease: Duration,
    ) -> Result<bool, Fault> {
        let renew = |_| {
            let parameters = Parameters::default()
                .bind(&self.store)
                .bind(worker.0)
                .bind(now.as_millis())
                .bind(millis(lease));
            self.row_beside(&self.sql.renew, parameters)
        };
        let (given_back,): (Option<i64>,) = self.insist(renew).await?;
        self.wake_if(given_back.is_some_and(|runs| runs > 0));
        Ok(given_back.is_some())
    }

    /// Gives runs back. Calls before this one that have yet to reach the server will give no leases.
    pub(super) async fn release(&self, request: &Release) -> Result<usize, Fault> {
        let call = self.next_call();
        let release = |_| {
            let parameters = Parameters::default()
                .bind(&self.store)
                .bind(call)
                .bind(request.worker.0)
                .bind(request.now.as_millis())
                .bind(request.keep.iter().map(|lease| lease.run).bind_iter())
                .bind(request.keep.iter().map(|lease| lease.token).bind_iter());
            self.row(&self.sql.release, parameters)
        };
        let (given_back,): (i64,) = self.insist(release).await?;
        self.wake_if(given_back > 0);
        Ok(usize::try_from(given_back).unwrap_or(0))
    }
}

fn millis(lease: Duration) -> i64 {
    Timestamp::from_millis(0)
        .after(lease)
        .as_millis()
        .min(LONGEST_LEASE)
}
