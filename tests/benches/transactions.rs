//! A step whose rows and whose record are one commit, beside a transaction with two rows.

use belts::{Event, State, transaction};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{
    Outcome,
    functions::receipt,
    measure::{float, median, micros, now},
    place::Place,
    process::Running,
    report::{Row, Target},
};

const ROUNDS: usize = 60;
const STEPS: u32 = 30;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "bench-debits")]
struct Debits {}

/// The statement that writes the user's row.
#[derive(Debug, Clone)]
struct Insert(String);

/// Returns how many nanoseconds its steps took.
#[belts::function(id = "bench-debits", on = Debits)]
async fn debits(_event: Debits, State(Insert(insert)): State<Insert>) -> belts::Result<u64> {
    let start = now();
    for n in 0..STEPS {
        transaction!("debit-{n}", async |tx| {
            sqlx::query(AssertSqlSafe(insert.clone()))
                .bind(i64::from(n))
                .execute(&mut **tx)
                .await?;
            Ok(receipt(n))
        })
        .await?;
    }
    Ok(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

pub(crate) async fn postgres() -> Outcome {
    let place = Place::postgres()?;
    let mut raw = PgConnection::connect(place.server()).await?;
    let schema = place.name();
    let tables = format!(
        "CREATE SCHEMA IF NOT EXISTS \"{schema}\"; CREATE TABLE \"{schema}\".debits (id bigserial PRIMARY KEY, n bigint);
         CREATE TABLE \"{schema}\".steps_of_ours (id bigserial PRIMARY KEY, path text, value bytea)"
    );
    sqlx::raw_sql(AssertSqlSafe(tables))
        .execute(&mut raw)
        .await?;
    let insert = format!("INSERT INTO \"{schema}\".debits (n) VALUES ($1)");
    let record = format!("INSERT INTO \"{schema}\".steps_of_ours (path, value) VALUES ($1, $2)");
    let worker = Running::at(place.url(), |builder| {
        builder.function(debits).state(Insert(insert.clone()))
    })
    .await?;
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = now();
        for n in 0..STEPS {
            let mut tx = raw.begin().await?;
            sqlx::query(AssertSqlSafe(insert.clone()))
                .bind(i64::from(n))
                .execute(&mut *tx)
                .await?;
            let value = serde_json::to_vec(&receipt(n))?;
            let record = sqlx::query(AssertSqlSafe(record.clone()))
                .bind(format!("debit-{n}"))
                .bind(value);
            record.execute(&mut *tx).await?;
            tx.commit().await?;
        }
        limits.push(micros(start.elapsed()) / f64::from(STEPS));
        let executed = worker.execute(Debits {}).await?;
        let nanos: u64 = executed.output("bench-debits")?;
        ours.push(float(usize::try_from(nanos)?) / 1e3 / f64::from(STEPS));
    }
    worker.stop().await?;
    let (value, limit) = (median(&mut ours), median(&mut limits));
    Row {
        name: "transaction-postgres",
        value,
        unit: "us",
        limit: Some(limit),
        target: Target::TimesAtMost(1.4),
    }
    .print();
    Ok(())
}
