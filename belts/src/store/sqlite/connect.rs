//! The connections to a database, with their settings.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    builder::Synchronous,
    error::{Fault, config},
};
use crate::{
    environment::is_check,
    error::{Error, Result},
};

/// How connections are opened: a check writes nothing.
fn mode() -> OpenFlags {
    let mode = if is_check() {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    };
    mode | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Opens a connection in place of the writing one, where nothing is to be written.
pub(super) fn connect_to_check(path: &Path) -> Result<Connection> {
    if !path.exists() {
        return Err(config(format!(
            "there is no database {}, and a check makes none",
            path.display()
        )));
    }
    Connection::open_with_flags(path, mode()).map_err(|error| cannot_open(error, path))
}

/// Opens the writing connection.
pub(super) fn connect(path: &Path, synchronous: Synchronous) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| cannot_open(error, path))?;
    configure(&connection, synchronous).map_err(|error| cannot_open(error, path))?;
    Ok(connection)
}

/// Opens a reading connection of a database that the writer has opened.
pub(super) fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, mode())?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -4_000)?;
    plan_once(&connection)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Opens a connection for transactions of users, which has SQLite's own settings but for the log of the database.
pub(super) fn connect_for_users(
    path: &Path,
    synchronous: Synchronous,
) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Waiting for others is not the thread's business.
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update(None, "synchronous", synchronous.name())?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 2_000, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", 8 * 1024 * 1024, |_| Ok(()))?;
    Ok(connection)
}

fn configure(connection: &Connection, synchronous: Synchronous) -> rusqlite::Result<()> {
    switch_to_log(connection)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "synchronous", synchronous.name())?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // 16 MiB of pages in memory. The log goes back into the database every 8 MiB, and is cut to that afterwards.
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 2_000, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", 8 * 1024 * 1024, |_| Ok(()))?;
    plan_once(connection)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Makes statements keep the plan they were compiled with. Otherwise SQLite compiles a statement again for each value that is bound to a
/// parameter of which a partial index speaks: see
/// [`SQLITE_DBCONFIG_ENABLE_QPSG`](https://www.sqlite.org/c3ref/c_dbconfig_defensive.html).
fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Makes a new database write to a log. Of several that do so at once, SQLite refuses all but one without any wait, so
/// the waiting is ours: about 5 s.
fn switch_to_log(connection: &Connection) -> rusqlite::Result<()> {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    connection.busy_timeout(Duration::ZERO)?;
    for times in 0.. {
        let switched = connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
        match switched {
            Err(error)
                if times < 1_000
                    && matches!(
                        error.sqlite_error_code(),
                        Some(DatabaseBusy | DatabaseLocked)
                    ) =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result.map(drop),
        }
    }
    Ok(())
}

/// While opening, most failures are the setting's: the path is wrong, and trying again does not help.
fn cannot_open(error: rusqlite::Error, path: &Path) -> Error {
    use rusqlite::ErrorCode::{CannotOpen, NotADatabase, PermissionDenied, ReadOnly};
    let fault = Fault::from(error);
    let shown = path.display();
    let message = match fault.code() {
        Some(CannotOpen | PermissionDenied | ReadOnly) => {
            format!(
                "the database {shown} cannot be opened for writing; check the permissions of the file and its directory"
            )
        }
        Some(NotADatabase) => format!("the file {shown} is not a SQLite database"),
        _ => return fault.into_error(path),
    };
    config(message).with_source(fault)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// How often a statement is compiled again for values of which a partial index speaks.
    fn compiled_again(connection: &Connection) -> rusqlite::Result<i32> {
        connection.execute_batch(
            "CREATE TABLE t (a INTEGER, b INTEGER); CREATE INDEX few ON t (b) WHERE a = 3",
        )?;
        let mut statement = connection.prepare("SELECT b FROM t WHERE a = ?1 AND b > 0")?;
        for value in 0..5 {
            assert!(!statement.exists([value])?);
        }
        Ok(statement.get_status(StatementStatus::RePrepare))
    }

    #[test]
    fn statements_are_compiled_once() {
        let plain = Connection::open_in_memory().expect("SQLite opens");
        assert!(
            compiled_again(&plain).expect("it runs") > 0,
            "what is prevented happens"
        );
        let ours = Connection::open_in_memory().expect("SQLite opens");
        plan_once(&ours).expect("the setting is known");
        assert_eq!(compiled_again(&ours).expect("it runs"), 0);
    }
}
