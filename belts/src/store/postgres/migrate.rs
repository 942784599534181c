//! The version of the tables: how a new schema gets them, and an older one the newer.

use sqlx::{AssertSqlSafe, PgConnection};

use super::{
    connections::{in_time, settle},
    error::{Fault, Server, cannot_open, config},
    schema::Schema,
};
use crate::{environment::is_check, error::Result};

/// Each list of scripts takes the schema from the version of its place to the next.
const MIGRATIONS: [&[&str]; 16] = [
    &[
        include_str!("migrations/0001/tables.sql"),
        include_str!("migrations/0001/commit.sql"),
        include_str!("migrations/0001/publish.sql"),
        include_str!("migrations/0001/sessions.sql"),
        include_str!("migrations/0001/claim.sql"),
        include_str!("migrations/0001/change.sql"),
    ],
    &[
        include_str!("migrations/0002/tables.sql"),
        include_str!("migrations/0002/publish.sql"),
        include_str!("migrations/0002/claim.sql"),
        include_str!("migrations/0002/change.sql"),
    ],
    &[
        include_str!("migrations/0003/tables.sql"),
        include_str!("migrations/0003/waits.sql"),
        include_str!("migrations/0003/places.sql"),
        include_str!("migrations/0003/arrivals.sql"),
        include_str!("migrations/0003/commit_waits.sql"),
        include_str!("migrations/0003/commit.sql"),
        include_str!("migrations/0003/wants.sql"),
        include_str!("migrations/0003/publish.sql"),
        include_str!("migrations/0003/sessions.sql"),
        include_str!("migrations/0003/claim.sql"),
        include_str!("migrations/0003/change.sql"),
        // The last of each that has functions.
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0004/tables.sql"),
        include_str!("migrations/0004/families.sql"),
        include_str!("migrations/0004/commit.sql"),
        include_str!("migrations/0004/commit_waits.sql"),
        include_str!("migrations/0004/commit_others.sql"),
        include_str!("migrations/0004/publish.sql"),
        include_str!("migrations/0004/claim.sql"),
        include_str!("migrations/0004/change.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0005/tables.sql"),
        include_str!("migrations/0005/claim.sql"),
        include_str!("migrations/0005/change.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0006/tables.sql"),
        include_str!("migrations/0006/limits.sql"),
        include_str!("migrations/0006/publish.sql"),
        include_str!("migrations/0006/start.sql"),
        include_str!("migrations/0006/claim.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0007/tags.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0008/tables.sql"),
        include_str!("migrations/0008/undo.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0009/tables.sql"),
        include_str!("migrations/0009/ids.sql"),
        include_str!("migrations/0009/places.sql"),
        include_str!("migrations/0009/publish.sql"),
        include_str!("migrations/0009/within.sql"),
        include_str!("migrations/0009/record.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0010/tables.sql"),
        include_str!("migrations/0010/schedules.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0011/publish.sql"),
        include_str!("migrations/0011/within.sql"),
        include_str!("migrations/0011/record.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0012/builds.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0013/tables.sql"),
        include_str!("migrations/0013/flow.sql"),
        include_str!("migrations/0013/claim.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[include_str!("migrations/0014/failed.sql")],
    &[
        include_str!("migrations/0015/tables.sql"),
        include_str!("migrations/0015/lines.sql"),
        include_str!("migrations/0015/claim.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
    &[
        include_str!("migrations/0016/handled.sql"),
        include_str!("migrations/0003/paths.sql"),
    ],
];

/// The oldest version of the tables whose processes may open a schema that this one has changed: a deploy that is taken back
/// starts them again.
const OLDEST: usize = 2;

/// A change meets processes that are at work: of two that wait for each other the server ends one, and it is tried again.
const MAX_TIMES: u32 = 5;

/// The oldest server that has all we use.
const OLDEST_SERVER: i32 = 14;

/// What the server says about itself and our schema.
struct Found {
    server: i32,
    encoding: String,
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
    has_schema: bool,
    has_tables: bool,
}

// The catalog's tables are asked and not `to_regclass`, whose memory may be older than the lock under which it is asked.
const FIND: &str = "SELECT current_setting('server_version_num')::int / 10000 AS server,
    current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = '{channel}') AS has_schema,
    EXISTS (SELECT FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = '{channel}' AND relname = 'schema_version') AS has_tables";

/// Brings the tables to the present version, or says what is in the way; answers which store it is.
///
/// Where they are up to date nothing is written, so that a role with no more than the rights to use them can do it.
pub(super) async fn migrate(
    connection: &mut PgConnection,
    schema: &Schema,
    server: &Server,
) -> Result<String> {
    bring_up(connection, schema, server).await?;
    let identity =
        AssertSqlSafe(schema.fill("SELECT identity::text FROM {schema}.subscriptions_version"));
    let identity = sqlx::query_scalar(identity)
        .persistent(false)
        .fetch_one(connection);
    in_time(identity)
        .await
        .map_err(|fault| cannot_open(fault, server, schema.name()))
}

async fn bring_up(connection: &mut PgConnection, schema: &Schema, server: &Server) -> Result<()> {
    let fault = |fault| cannot_open(fault, server, schema.name());
    in_time(settle(connection)).await.map_err(fault)?;
    let found = find(connection, schema).await.map_err(fault)?;
    found.check(server)?;
    found.warn(server);
    if found.has_tables && is_present(connection, schema, server).await? {
        return Ok(());
    }
    if is_check() {
        return Err(config(format!(
            "the schema `{}` of {server} is not of the version that this belts knows, and a check migrates nothing: migrate it first, with \
             `belts runs` of the new version, or check a copy",
            schema.name()
        )));
    }
    let mut times = 1;
    loop {
        let Err(stopped) = change(connection, schema, server).await else {
            return Ok(());
        };
        // Where this fails as well, the connection is closed afterwards and the server does it.
        let undone = in_time(sqlx::raw_sql("ROLLBACK").execute(&mut *connection)).await;
        match stopped {
            Stopped::By(fault)
                if undone.is_ok() && fault.is_of_the_moment() && times < MAX_TIMES =>
            {
                times += 1;
            }
            Stopped::By(stopping) => return Err(fault(stopping)),
            Stopped::ForGood(error) => return Err(error),
        }
    }
}

/// What ends a change of the schema.
enum Stopped {
    By(Fault),
    ForGood(crate::Error),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::By(fault)
    }
}

async fn find(connection: &mut PgConnection, schema: &Schema) -> Result<Found, Fault> {
    let query = sqlx::query_as(AssertSqlSafe(schema.fill(FIND))).persistent(false);
    let (server, encoding, fsync, full_page_writes, synchronous_commit, has_schema, has_tables) =
        in_time(query.fetch_one(connection)).await?;
    Ok(Found {
        server,
        encoding,
        fsync,
        full_page_writes,
        synchronous_commit,
        has_schema,
        has_tables,
    })
}

/// Of two processes that open a new schema at once, one waits for the lock and then finds it done.
async fn change(
    connection: &mut PgConnection,
    schema: &Schema,
    server: &Server,
) -> Result<(), Stopped> {
    run(
        connection,
        schema,
        "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({lock})",
    )
    .await?;
    let found = find(connection, schema).await?;
    if !found.has_schema {
        run(connection, schema, "CREATE SCHEMA {schema}").await?;
    }
    let version = if found.has_tables {
        let version = version(connection, schema).await?;
        check_version(connection, version, schema, server)
            .await
            .map_err(Stopped::ForGood)?;
        version
    } else {
        0
    };
    if version >= MIGRATIONS.len() {
        return Ok(run(connection, schema, "COMMIT").await?);
    }
    for script in scripts_from(version) {
        run(connection, schema, script).await?;
    }
    let done = format!(
        "DELETE FROM {{schema}}.schema_version;
        INSERT INTO {{schema}}.schema_version (version, oldest) VALUES ({}, {OLDEST}); COMMIT",
        MIGRATIONS.len()
    );
    Ok(run(connection, schema, &done).await?)
}

fn scripts_from(version: usize) -> Vec<&'static str> {
    MIGRATIONS.get(version..).unwrap_or_default().concat()
}

/// Runs a script of a change, however long that takes: tables may be large, and another process may be at it.
async fn run(connection: &mut PgConnection, schema: &Schema, script: &str) -> Result<(), Fault> {
    let script = AssertSqlSafe(schema.fill(script));
    sqlx::raw_sql(script).execute(connection).await?;
    Ok(())
}

async fn is_present(
    connection: &mut PgConnection,
    schema: &Schema,
    server: &Server,
) -> Result<bool> {
    let version = version(connection, schema)
        .await
        .map_err(|fault| cannot_open(fault, server, schema.name()))?;
    check_version(connection, version, schema, server).await?;
    Ok(version >= MIGRATIONS.len())
}

async fn version(connection: &mut PgConnection, schema: &Schema) -> Result<usize, Fault> {
    let sql = AssertSqlSafe(schema.fill("SELECT version FROM {schema}.schema_version"));
    let version: i32 = in_time(
        sqlx::query_scalar(sql)
            .persistent(false)
            .fetch_one(connection),
    )
    .await?;
    Ok(usize::try_from(version).unwrap_or(0))
}

async fn check_version(
    connection: &mut PgConnection,
    version: usize,
    schema: &Schema,
    server: &Server,
) -> Result<()> {
    let (known, name) = (MIGRATIONS.len(), schema.name());
    if version <= known {
        return Ok(());
    }
    let oldest = oldest(connection, schema)
        .await
        .map_err(|fault| cannot_open(fault, server, name))?;
    if oldest.is_none_or(|oldest| oldest > known) {
        return Err(config(format!(
            "the schema `{name}` of {server} has version {version}, and this belts knows {known}; upgrade belts"
        )));
    }
    tracing::info!(
        schema = name,
        version,
        known,
        "a newer version of belts has migrated the tables; this version is compatible with them"
    );
    Ok(())
}

/// The oldest version that may open a schema of a later one.
async fn oldest(connection: &mut PgConnection, schema: &Schema) -> Result<Option<usize>, Fault> {
    let sql = AssertSqlSafe(schema.fill("SELECT oldest FROM {schema}.schema_version"));
    let oldest: Option<i32> = in_time(
        sqlx::query_scalar(sql)
            .persistent(false)
            .fetch_one(connection),
    )
    .await?;
    Ok(oldest.and_then(|oldest| usize::try_from(oldest).ok()))
}

impl Found {
    fn check(&self, server: &Server) -> Result<()> {
        if self.server < OLDEST_SERVER {
            return Err(config(format!(
                "Postgres at {} is version {}, and belts needs {OLDEST_SERVER} or later",
                server.place, self.server
            )));
        }
        if self.encoding != "UTF8" {
            return Err(config(format!(
                "{server} has the encoding {}, and belts needs UTF8; create one with `CREATE DATABASE … ENCODING 'UTF8' \
                 TEMPLATE template0`",
                self.encoding
            )));
        }
        Ok(())
    }

    /// Says what the server does not keep.
    fn warn(&self, server: &Server) {
        if self.fsync == "off" || self.full_page_writes == "off" {
            tracing::warn!(
                "{server} runs with fsync = {} and full_page_writes = {}: when its machine crashes, the whole database may be \
                 damaged",
                self.fsync,
                self.full_page_writes
            );
        }
        if self.synchronous_commit == "off" {
            tracing::warn!(
                "{server} runs with synchronous_commit = off: when it crashes, what was recorded last may be lost, and those \
                 steps run again"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ENDED;

    #[test]
    fn old_servers_are_refused() {
        let server = Server {
            place: "db:5432".into(),
            database: "app".into(),
            user: "ada".into(),
        };
        let found = |server, encoding: &str| Found {
            server,
            encoding: encoding.into(),
            fsync: "on".into(),
            full_page_writes: "on".into(),
            synchronous_commit: "on".into(),
            has_schema: false,
            has_tables: false,
        };
        assert!(found(14, "UTF8").check(&server).is_ok());
        let error = found(13, "UTF8").check(&server).expect_err("it is too old");
        assert_eq!(
            error.to_string(),
            "Postgres at db:5432 is version 13, and belts needs 14 or later"
        );
        let error = found(17, "SQL_ASCII")
            .check(&server)
            .expect_err("it has no encoding");
        assert!(
            error.to_string().contains("has the encoding SQL_ASCII"),
            "{error}"
        );
    }

    #[test]
    fn scripts_are_filled_in() {
        let schema = Schema::new("mine").unwrap();
        for script in scripts_from(0) {
            // The name of an event type is no schema.
            let sql = schema.fill(script).replace(ENDED, "");
            assert!(
                !sql.contains("{schema}") && !sql.contains("belts."),
                "{sql}"
            );
        }
    }
}
