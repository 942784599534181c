//! What can go wrong in SQLite, whose fault it is, and what the user is told.

use std::{fmt, io, path::Path, sync::Arc};

use rusqlite::ErrorCode;

use crate::error::{Error, ErrorKind};

/// Why a write or a read failed; shared by all the writes of one transaction.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    Sql(Arc<rusqlite::Error>),
    /// A write of ours panicked.
    Panicked,
    /// A row holds what no version can have written.
    Row(&'static str),
    /// A row holds what this version does not know.
    Unknown(&'static str),
    /// The database is no longer at its path.
    Gone,
}

impl Fault {
    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sql(error) => error.sqlite_error_code(),
            Self::Panicked | Self::Row(_) | Self::Unknown(_) | Self::Gone => None,
        }
    }

    /// One row cannot be read; others may well be.
    pub(super) fn is_of_the_row(&self) -> bool {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error,
        };
        match self {
            Self::Row(_) | Self::Unknown(_) => true,
            Self::Sql(error) => matches!(
                **error,
                FromSqlConversionFailure(..)
                    | IntegralValueOutOfRange(..)
                    | InvalidColumnType(..)
                    | Utf8Error(..)
            ),
            Self::Panicked | Self::Gone => false,
        }
    }

    /// What cannot be read may be a newer version's.
    pub(super) fn may_be_of_a_newer_version(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Another process holds the lock of the database.
    pub(super) fn is_busy(&self) -> bool {
        matches!(
            self.code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    }

    /// The database cannot be written now, whatever the write; else it may be the fault of one write among several.
    ///
    /// A full disk may have room for the others.
    pub(super) fn is_of_the_store(&self) -> bool {
        matches!(self, Self::Gone)
            || matches!(
                self.code(),
                Some(
                    ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::CannotOpen
                        | ErrorCode::ReadOnly
                        | ErrorCode::PermissionDenied
                        | ErrorCode::DatabaseCorrupt
                        | ErrorCode::NotADatabase
                        | ErrorCode::OutOfMemory
                        | ErrorCode::FileLockingProtocolFailed
                )
            )
    }

    /// The error that the caller sees.
    pub(super) fn into_error(self, path: &Path) -> Error {
        let path = path.display();
        let message = match self.code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                format!("the database {path} is locked by another process")
            }
            Some(ErrorCode::DiskFull) => format!("no space is left for the database {path}"),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                format!(
                    "the database {path} cannot be written; check the permissions of the file and its directory"
                )
            }
            Some(ErrorCode::NotADatabase) => format!("the file {path} is not a SQLite database"),
            Some(ErrorCode::DatabaseCorrupt) => format!("the database {path} is damaged"),
            Some(ErrorCode::TooBig) => {
                let message = format!("a value is too big for the database {path}");
                return Error::new(ErrorKind::TooLarge, message).with_source(self);
            }
            _ if matches!(self, Self::Gone) => format!(
                "the database {path} was removed or replaced while in use, and nothing can be written; restart this process"
            ),
            _ => format!("the database {path} failed"),
        };
        Error::store(message, self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(error) => error.fmt(f),
            Self::Panicked => f.write_str("a write panicked; this is a bug in belts"),
            Self::Row(what) => write!(f, "a row holds a {what} that nobody can have written"),
            Self::Unknown(what) => write!(f, "a row holds an unknown {what}"),
            Self::Gone => f.write_str("the file is not the one that was opened"),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sql(error) => error.source(),
            Self::Panicked | Self::Row(_) | Self::Unknown(_) | Self::Gone => None,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

/// The error of a path that no database can be opened at.
pub(super) fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// The error of a failed file operation on something beside the database.
pub(super) fn file(what: &str, path: &Path, error: io::Error) -> Error {
    Error::store(format!("cannot {what} {}", path.display()), error)
}
