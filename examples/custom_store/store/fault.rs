//! The errors of this store, and the one place that says what they are to belts.

use belts::Error;

/// Why a transaction was given up. Nothing of it was written then.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file failed.
    File(redb::Error),
    /// A row is no JSON, or not of the form that this version knows.
    Row(serde_json::Error),
    /// The answer is an error that the contract asks for, such as that of an unknown session.
    Answer(Error),
}

macro_rules! from_file {
    ($($error:ty)*) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::File(error.into())
            }
        }
    )*};
}

from_file! { redb::DatabaseError redb::TransactionError redb::TableError redb::StorageError redb::CommitError }

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            // Another try cannot help, so the worker is not to make one.
            Fault::File(redb::Error::ValueTooLarge(bytes)) => {
                Self::too_large(format!("the file takes no value of {bytes} bytes"))
            }
            Fault::File(error) => Self::store("the file of the store failed", error),
            Fault::Row(error) => Self::store("a row of the store cannot be read", error),
            Fault::Answer(error) => error,
        }
    }
}
