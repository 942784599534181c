//! The store in Postgres: the conformance suite, what its servers may be, and what breaks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use belts::{
    Timestamp,
    conformance::store::Storage,
    store::{
        Capacity, Claim, Claimed, Commit, CommitBatch, CommitOutcome, Entry, FunctionCapacity,
        Lease, NewEvent, Postgres, PostgresBuilder, Publish, PublishedEvent, Register, SharedStore,
        StepKind, StepState, Store, Subscription, Target, Transition, WorkerId,
    },
};
use belts_suite::servers::Postgres as Server;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

mod liveness;
mod opening;
mod outages;
mod proxy;

mod conformance {
    use super::InSchema;
    belts::store_conformance!(
        #[cfg_attr(
            not(has_postgres),
            ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
        )]
        InSchema::new()
    );
}

const LEASE: Duration = Duration::from_secs(30);

/// The server that the tests share; we are a superuser of it.
fn url() -> String {
    Server::shared().url().to_owned()
}

/// A schema of its own, dropped at the end.
struct InSchema(String);

impl InSchema {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(format!("belts_{}_{number}", std::process::id()))
    }

    fn builder(&self) -> PostgresBuilder {
        Postgres::builder(&url()).schema(&self.0)
    }

    /// SQL with the name of the schema for `{schema}`.
    fn sql(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace("{schema}", &self.0))
    }
}

impl Drop for InSchema {
    fn drop(&mut self) {
        let sql = self.sql("DROP SCHEMA IF EXISTS {schema} CASCADE");
        // What is left in the way of this is left to the end of the server.
        drop(std::thread::spawn(|| blocking(run(sql))).join());
    }
}

#[async_trait]
impl Storage for InSchema {
    async fn open(&self) -> belts::Result<SharedStore> {
        Ok(Arc::new(self.builder().max_connections(3).open().await?))
    }
}

fn blocking<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime can be made").block_on(work)
}

async fn connect() -> PgConnection {
    PgConnection::connect(&url())
        .await
        .expect("the server is there")
}

async fn run(sql: AssertSqlSafe<String>) {
    let done = sqlx::raw_sql(sql).execute(&mut connect().await).await;
    done.expect("the server does what it is told");
}

/// The first column of the first row.
async fn ask<T>(sql: AssertSqlSafe<String>) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let answer = sqlx::query_scalar(sql)
        .fetch_one(&mut connect().await)
        .await;
    answer.expect("the server has an answer")
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

async fn worker(store: &Postgres) -> belts::Result<WorkerId> {
    let subscriptions = vec![Subscription {
        function_id: "f".into(),
        event_types: vec!["t".into()],
    }];
    store
        .register(Register {
            name: None,
            subscriptions,
            now: at(0),
            lease: LEASE,
        })
        .await
}

fn event(id: &str) -> NewEvent {
    NewEvent {
        id: id.into(),
        event_type: "t".into(),
        payload: Arc::from(*b"{}"),
        correlation_key: None,
        due_at: at(0),
        retries: None,
        target: Target::Subscribers { except: Vec::new() },
    }
}

fn capacity(worker: WorkerId) -> Capacity {
    let functions = [FunctionCapacity {
        function_id: "f".into(),
        limit: 100,
    }];
    Capacity {
        worker,
        limit: 100,
        functions: functions.into(),
    }
}

/// Publishes one event, and leases its run to the worker if one is given.
async fn publish(
    store: &Postgres,
    id: &str,
    worker: Option<WorkerId>,
) -> belts::Result<PublishedEvent> {
    let request = Publish {
        events: vec![event(id)],
        claim: worker.map(capacity),
        now: at(0),
    };
    Ok(store.publish(request).await?.remove(0))
}

/// Publishes one event and drives its run.
async fn begin(store: &Postgres, id: &str, worker: WorkerId) -> belts::Result<(Arc<str>, Lease)> {
    let run = publish(store, id, Some(worker)).await?.runs.remove(0);
    Ok((run.run_id, run.lease.expect("there is room for the run")))
}

async fn claim(store: &Postgres, worker: WorkerId, now: Timestamp) -> belts::Result<Claimed> {
    let request = Claim {
        capacity: capacity(worker),
        only: None,
        now,
    };
    store.claim(request).await
}

async fn commit(
    store: &Postgres,
    lease: Lease,
    seq: u32,
    transition: Option<Transition>,
) -> belts::Result<CommitOutcome> {
    let entry = Entry {
        seq,
        path: format!("step-{seq}").into(),
        kind: StepKind::Step,
        state: StepState::Completed,
        type_name: "()".into(),
        value: Arc::from(*b"{}"),
        attempts: 1,
        due_at: None,
        started_at: at(1),
        finished_at: Some(at(1)),
    };
    let commits = vec![Commit {
        lease,
        entries: vec![entry],
        transition,
    }];
    let batch = CommitBatch {
        commits,
        now: at(1),
    };
    Ok(store.commit(batch).await?[0])
}
