//! The version of the tables: how a new database gets them, and an older one the newer.

use std::path::Path;

use rusqlite::Connection;

use super::error::{Fault, config};
use crate::{environment::is_check, error::Error};

/// Each script takes the database from the version of its place to the next.
const MIGRATIONS: [&str; 14] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
    include_str!("migrations/0007.sql"),
    include_str!("migrations/0008.sql"),
    include_str!("migrations/0009.sql"),
    include_str!("migrations/0010.sql"),
    include_str!("migrations/0011.sql"),
    include_str!("migrations/0012.sql"),
    include_str!("migrations/0013.sql"),
    include_str!("migrations/0014.sql"),
];

/// The oldest version of the tables whose processes may open a database that this one has changed: a deploy that is taken back
/// starts them again.
const OLDEST: i64 = 2;

/// "belt" in ASCII: tells that a file is ours.
const APPLICATION_ID: i64 = 0x6265_6c74;

/// Brings the tables to the present version.
///
/// The check and the change are one transaction that holds the write lock, so that of two processes that open a new
/// database at once, one waits and then finds it done.
pub(super) fn migrate(connection: &Connection, path: &Path) -> Result<(), Error> {
    let result = check_and_migrate(connection, path);
    if !connection.is_autocommit() {
        let ended = connection.execute_batch(if result.is_ok() { "COMMIT" } else { "ROLLBACK" });
        if result.is_ok() {
            ended.map_err(|error| Fault::from(error).into_error(path))?;
        }
    }
    result
}

fn check_and_migrate(connection: &Connection, path: &Path) -> Result<(), Error> {
    let fault = |error: rusqlite::Error| Fault::from(error).into_error(path);
    // One look, so that another process cannot make the tables between two questions.
    connection.execute_batch("BEGIN").map_err(fault)?;
    if up_to_date(connection, path)? {
        return Ok(());
    }
    if is_check() {
        return Err(config(format!(
            "the database {} is not of the version that this belts knows, and a check migrates nothing: migrate it first, with \
             `belts runs` of the new version, or check a copy",
            path.display()
        )));
    }
    connection
        .execute_batch("COMMIT; BEGIN IMMEDIATE")
        .map_err(fault)?;
    if up_to_date(connection, path)? {
        return Ok(());
    }
    let version = usize::try_from(pragma(connection, "user_version").map_err(fault)?).unwrap_or(0);
    for script in &MIGRATIONS[version..] {
        connection.execute_batch(script).map_err(fault)?;
    }
    connection
        .execute("DELETE FROM schema_oldest", [])
        .map_err(fault)?;
    connection
        .execute("INSERT INTO schema_oldest (version) VALUES (?1)", [OLDEST])
        .map_err(fault)?;
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(fault)?;
    connection
        .pragma_update(None, "user_version", known_version())
        .map_err(fault)
}

/// Whether the tables are of the present version; an error if they are not ours or of a newer one.
fn up_to_date(connection: &Connection, path: &Path) -> Result<bool, Error> {
    let read = |name| pragma(connection, name).map_err(|error| Fault::from(error).into_error(path));
    let (application, version) = (read("application_id")?, read("user_version")?);
    let path = path.display();
    if application != APPLICATION_ID {
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(|error| Fault::from(error).into_error(Path::new(&path.to_string())))?;
        if tables > 0 || application != 0 {
            return Err(config(format!(
                "the database {path} belongs to another program; give belts a file of its own"
            )));
        }
        return Ok(false);
    }
    let known = known_version();
    if version > known {
        if oldest(connection).is_none_or(|oldest| oldest > known) {
            return Err(config(format!(
                "the database {path} has schema version {version}, and this belts knows {known}; upgrade belts"
            )));
        }
        tracing::info!(%path, version, known, "a newer version of belts has migrated the tables; this version is compatible \
         with them");
    }
    Ok(version >= known)
}

/// The oldest version that may open a database of a later one.
fn oldest(connection: &Connection) -> Option<i64> {
    let sql = "SELECT max(version) FROM schema_oldest";
    connection
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or(None)
}

fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
