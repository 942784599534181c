//! What can go wrong in Postgres, whose fault it is, and what the user is told.

use std::{fmt, sync::Arc};

use sqlx::{error::DatabaseError, postgres::PgConnectOptions};

use crate::error::{Error, ErrorKind};

/// Why a write or a read failed; shared by all the writes of one batch.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    Sql(Arc<sqlx::Error>),
    /// No answer came in time.
    Silent,
    /// The runtime is shutting down.
    Ended,
    /// What was remembered of the subscriptions is old.
    Stale,
    /// An event was there while it was written, and is gone now.
    Vanished,
    /// A row holds what this version cannot have written.
    Row(&'static str),
    /// A row holds a word that this version does not know; a newer one may.
    Word(&'static str),
    /// A value is larger than anything that can be sent.
    TooLarge,
    /// Two connections are one and the same at the server.
    Pooler,
    /// Somebody's transaction, which is open for long, has an event of the same id.
    Held(Arc<sqlx::Error>),
}

impl Fault {
    fn database(&self) -> Option<&dyn DatabaseError> {
        match self {
            Self::Sql(error) | Self::Held(error) => error.as_database_error(),
            _ => None,
        }
    }

    /// Postgres's own five letters for it.
    pub(super) fn has_code(&self, codes: &[&str]) -> bool {
        self.database()
            .and_then(DatabaseError::code)
            .is_some_and(|code| codes.iter().any(|prefix| code.starts_with(prefix)))
    }

    /// The connection is of no use any more, and what was under way on it may have happened or not.
    pub(super) fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Silent => true,
            Self::Sql(error) => match &**error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => true,
                // Shut down, crashed, starting up; too many connections; a standby that was the primary a moment ago.
                sqlx::Error::Database(_) => {
                    self.has_code(&["57P01", "57P02", "57P03", "57P05", "08", "53300", "25006"])
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// There was no connection in time.
    pub(super) fn found_nobody(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(**error, sqlx::Error::PoolTimedOut))
    }

    /// Nothing was written, and the same write may succeed at once: a deadlock with another process, a lock that was held for long, or
    /// the like.
    pub(super) fn is_of_the_moment(&self) -> bool {
        match self {
            Self::Stale | Self::Vanished => true,
            Self::Held(_) => false,
            _ => self.has_code(&["40P01", "40001", "55P03"]),
        }
    }

    /// The same of a write of events, which waits for nobody for long but for one who publishes the same id.
    pub(super) fn of_events(self) -> Self {
        match self {
            Self::Sql(error) if Self::Sql(Arc::clone(&error)).has_code(&["55P03"]) => {
                Self::Held(error)
            }
            fault => fault,
        }
    }

    /// A pooler is in between that gives each transaction another connection, or that refuses what we set.
    pub(super) fn is_of_a_pooler(&self) -> bool {
        let refused =
            |error: &dyn DatabaseError| error.message().contains("unsupported startup parameter");
        matches!(self, Self::Pooler)
            // A prepared statement that is there no more, or there already.
            || self.has_code(&["26000", "42P05"])
            || self.database().is_some_and(refused)
    }

    /// The kind of what is wrong with the write itself: it fails again whenever it is sent.
    fn kind(&self) -> ErrorKind {
        if matches!(self, Self::TooLarge) || self.has_code(&["54000"]) {
            ErrorKind::TooLarge
        } else if self.has_code(&["22", "23502", "23503", "23514", "23P01", "P0001"]) {
            // Data that the server does not take, and constraints or triggers that somebody else has made.
            ErrorKind::Codec
        } else {
            ErrorKind::Store
        }
    }

    /// The database cannot be written now, whatever the write; else it may be the fault of one write among several.
    pub(super) fn is_of_the_store(&self) -> bool {
        self.is_of_the_connection()
            || self.is_of_the_moment()
            || matches!(self, Self::Ended)
            // Permissions, resources, canceled by the operator, I/O errors, and a schema that is not there.
            || self.has_code(&["42501", "53", "57", "58", "XX", "3F", "42P01", "42883"])
    }

    /// The error that the caller sees.
    pub(super) fn into_error(self, server: &Server) -> Error {
        if let Self::Ended = self {
            return Error::new(ErrorKind::Shutdown, "the runtime is shutting down");
        }
        if let Self::Held(_) = self {
            // In a run it is no outcome: the source is the store's.
            let source = Error::new(ErrorKind::Store, format!("{server} waited for its end"));
            return Error::new(
                ErrorKind::Busy,
                "an event of the same id, which has the same idempotency key, is published in a transaction that is still open; publish \
                 again when that has ended",
            )
            .with_source(source.with_source(self));
        }
        let kind = self.kind();
        let message = match kind {
            ErrorKind::TooLarge => {
                format!("an id or a value is too large for {server}")
            }
            ErrorKind::Codec => format!("{server} rejected the data"),
            _ if self.is_of_a_pooler() => pooler(server),
            _ if self.is_of_the_connection() => format!("no connection to {server}"),
            _ if self.has_code(&["53100"]) => format!("no space is left for {server}"),
            _ if self.has_code(&["42501"]) => format!(
                "{server} cannot be written by this role; it needs the rights on all tables, sequences and functions of the schema"
            ),
            _ => format!("{server} failed"),
        };
        Error::new(kind, message).with_source(self)
    }
}

fn pooler(server: &Server) -> String {
    format!(
        "Postgres at {} answers through a pooler such as PgBouncer that is not set up for belts; set `pool_mode = session` and \
         `ignore_startup_parameters = extra_float_digits` in pgbouncer.ini, or connect to the server itself",
        server.place
    )
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(error) | Self::Held(error) => error.fmt(f),
            Self::Silent => f.write_str("no answer came in time"),
            Self::Ended => f.write_str("the runtime is shutting down"),
            Self::Stale => f.write_str("the subscriptions change all the time"),
            Self::Vanished => f.write_str("an event of the same id is removed all the time"),
            Self::Row(what) => write!(f, "a row cannot be read by its {what}"),
            Self::Word(what) => write!(f, "a row holds an unknown {what}"),
            Self::Pooler => f.write_str("two connections have one process of the server"),
            Self::TooLarge => f.write_str("Postgres takes no value of 1 GB or more"),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sql(error) | Self::Held(error) => std::error::Error::source(&**error),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

/// Which database is meant, as messages name it: never with the password.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) place: String,
    pub(super) database: String,
    pub(super) user: String,
}

impl Server {
    pub(super) fn of(options: &PgConnectOptions) -> Self {
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let user = options.get_username().to_owned();
        let database = options.get_database().unwrap_or(&user).to_owned();
        Self {
            place,
            database,
            user,
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the Postgres database `{}` at {}",
            self.database, self.place
        )
    }
}

/// The error of a setting that is wrong.
pub(super) fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// What a failure means while the store is opened: mostly a setting is wrong, and trying again does not help.
pub(super) fn cannot_open(fault: Fault, server: &Server, schema: &str) -> Error {
    let Server {
        place,
        database,
        user,
    } = server;
    let message = if fault.is_of_a_pooler() {
        pooler(server)
    } else if fault.has_code(&["28"]) {
        format!(
            "Postgres at {place} rejects the user `{user}`; check the user and password of the Postgres URL"
        )
    } else if fault.has_code(&["3D000"]) {
        format!(
            "Postgres at {place} has no database `{database}`; create it, or name another in the Postgres URL"
        )
    } else if fault.has_code(&["42501"]) {
        format!(
            "the user `{user}` may not create or use the schema `{schema}` in the database `{database}`; \
             as its owner run `CREATE SCHEMA {schema} AUTHORIZATION {user}` or `GRANT CREATE ON DATABASE {database} TO {user}`"
        )
    } else if let Fault::Sql(error) = &fault
        && matches!(
            &**error,
            sqlx::Error::Configuration(_) | sqlx::Error::Tls(_)
        )
    {
        format!("Postgres at {place} cannot be reached with the settings of the Postgres URL")
    } else if fault.is_of_the_connection() {
        let error = Error::store(format!("cannot connect to Postgres at {place}"), fault);
        return error;
    } else {
        return fault.into_error(server);
    };
    config(message).with_source(fault)
}
