//! Functions whose steps are transactions on Postgres.

use belts::{
    Event, scope,
    sqlx::{self, AssertSqlSafe, Postgres, Transaction},
    step, transaction,
};
use belts_suite::a_moment;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "tx-debit")]
pub(crate) struct Debit {
    /// Where the table is.
    pub(crate) schema: String,
    pub(crate) account: String,
    pub(crate) cents: i64,
}

/// A statement on the tables of a test.
pub(crate) fn sql(schema: &str, sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.replace("{s}", schema))
}

/// The rows of an account so far, with the new one.
#[belts::function(id = "tx-debits", on = Debit)]
pub(crate) async fn debits(debit: Debit) -> belts::Result<i64> {
    let Debit {
        schema,
        account,
        cents,
    } = &debit;
    let rows: i64 = transaction!("debit", async |tx| {
        sqlx::query(sql(
            schema,
            "INSERT INTO {s}.debits (account, cents) VALUES ($1, $2)",
        ))
        .bind(account)
        .bind(cents)
        .execute(&mut **tx)
        .await?;
        let count = sqlx::query_scalar(sql(
            schema,
            "SELECT count(*) FROM {s}.debits WHERE account = $1",
        ));
        Ok(count.bind(account).fetch_one(&mut **tx).await?)
    })
    .await?;
    step!("after", rows * 10).await
}

pub(crate) async fn insert(
    tx: &mut Transaction<'_, Postgres>,
    debit: &Debit,
    n: u32,
) -> Result<u64, sqlx::Error> {
    let insert = sqlx::query(sql(
        &debit.schema,
        "INSERT INTO {s}.debits (account, cents) VALUES ($1, $2)",
    ));
    let insert = insert.bind(&debit.account).bind(i64::from(n));
    Ok(insert.execute(&mut **tx).await?.rows_affected())
}

/// Calls an fn for all of it, in a loop, with a key that captures, and returns that fn's own error.
#[belts::function(id = "tx-loops", on = Debit)]
pub(crate) async fn loops(debit: Debit) -> belts::Result<u64> {
    let mut all = 0;
    for n in 0..3 {
        all += transaction!("debit-{n}", async |tx| insert(tx, &debit, n).await).await?;
    }
    let (one, two) = tokio::try_join!(
        transaction!(
            "one",
            async |tx| insert(tx, &debit, 10).await,
            retries = 1,
            timeout = "30s"
        ),
        transaction!("two", async |tx: &mut Transaction<'_, Postgres>| {
            if debit.cents < 0 {
                return Err("less than nothing".into());
            }
            insert(tx, &debit, 11)
                .await
                .map_err(|error| -> Box<dyn std::error::Error + Send + Sync> { error.into() })
        }),
    )?;
    Ok(all + one + two)
}

#[belts::steps]
pub(crate) async fn debit_in_helper(debit: &Debit) -> belts::Result<u64> {
    transaction!("debit", async |tx| insert(tx, debit, 1).await).await
}

#[belts::function(id = "tx-in-a-helper", on = Debit)]
pub(crate) async fn in_a_helper(debit: Debit) -> belts::Result<u64> {
    scope!("inner", debit_in_helper(&debit)).await
}

/// Writes a row and fails, with an error that is no accident.
#[belts::function(id = "tx-fails", on = Debit, retries = 0)]
pub(crate) async fn fails(debit: Debit) -> belts::Result<()> {
    transaction!("debit", async |tx| {
        insert(tx, &debit, 1).await?;
        Err(belts::terminal("no cover"))?;
        Ok(())
    })
    .await
}

/// Drops the error of a statement.
#[belts::function(id = "tx-drops-errors", on = Debit, retries = 0)]
pub(crate) async fn drops_errors(debit: Debit) -> belts::Result<()> {
    transaction!(
        "debit",
        async |tx| {
            insert(tx, &debit, 1).await?;
            let _ = sqlx::query("SELECT 1/0").execute(&mut **tx).await;
            Ok(())
        },
        retries = 0
    )
    .await
}

/// Ends the transaction itself.
#[belts::function(id = "tx-commits", on = Debit, retries = 0)]
pub(crate) async fn commits(debit: Debit) -> belts::Result<()> {
    transaction!("debit", async |tx| {
        insert(tx, &debit, 1).await?;
        sqlx::raw_sql("COMMIT").execute(&mut **tx).await?;
        Ok(())
    })
    .await
}

/// Adds to one row that all change, and reads it before.
#[belts::function(id = "tx-contends", on = Debit)]
pub(crate) async fn contends(debit: Debit) -> belts::Result<i64> {
    transaction!("add", async |tx| {
        sqlx::query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            .execute(&mut **tx)
            .await?;
        let sum: i64 = sqlx::query_scalar(sql(&debit.schema, "SELECT cents FROM {s}.sums"))
            .fetch_one(&mut **tx)
            .await?;
        a_moment().await;
        let update = sqlx::query(sql(&debit.schema, "UPDATE {s}.sums SET cents = $1"));
        update.bind(sum + debit.cents).execute(&mut **tx).await?;
        Ok(sum + debit.cents)
    })
    .await
}

/// Publishes in it.
#[belts::function(id = "tx-publishes", on = Debit, retries = 0)]
pub(crate) async fn publishes(debit: Debit) -> belts::Result<String> {
    transaction!("debit", async |tx| {
        insert(tx, &debit, 1).await?;
        let event = crate::orders::publish_placed(crate::orders::placed(&debit.account));
        let published = event.in_tx(tx).await?;
        if debit.cents < 0 {
            Err(belts::terminal("less than nothing"))?;
        }
        Ok(published.event_id)
    })
    .await
}
