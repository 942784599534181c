//! Whether workers encrypt what they write here: SQL and workers without keys cannot hash correlation keys as they do.

use super::{Postgres, sql::Parameters};
use crate::error::Result;

impl Postgres {
    /// Takes note of a worker that encrypts.
    #[cfg(feature = "encryption")]
    pub(crate) async fn note_encryption(&self) -> Result<()> {
        let database = &*self.inner.database;
        let note = |_| database.rows(&database.sql.note_encryption, Parameters::default());
        self.answer(database.insist(note).await).map(drop)
    }

    /// Whether there was such a worker.
    pub(crate) async fn is_encrypted(&self) -> Result<bool> {
        let database = &*self.inner.database;
        let row = database.row(&database.sql.is_encrypted, Parameters::default());
        let (encrypted,): (bool,) = self.answer(row.await)?;
        Ok(encrypted)
    }
}
