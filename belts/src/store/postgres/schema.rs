//! The name of the schema, in the SQL of the store.

use super::error::config;
use crate::{
    error::Result,
    store::{Arrival, ENDED, Timestamp, parts::MAX_UNKNOWN_FUNCTIONS},
};

/// The name of our schema, which is put into SQL as it is, since names cannot be parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schema(String);

impl Schema {
    /// Takes a name that needs no quotes, so that it can do no harm in SQL.
    pub(super) fn new(name: &str) -> Result<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = name
            .bytes()
            .next()
            .is_some_and(|byte| plain(byte) && !byte.is_ascii_digit());
        if !begins || !name.bytes().all(plain) || name.len() > 63 || name.starts_with("pg_") {
            return Err(config(format!(
                "the schema name `{}` must be made of lower-case letters, digits and `_`, begin with a letter but not with \
                 `pg_`, and have at most 63 characters",
                name.escape_debug()
            )));
        }
        Ok(Self(name.to_owned()))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// SQL of ours with the name in its place.
    pub(super) fn fill(&self, sql: &str) -> String {
        sql.replace("{schema}", &format!("\"{}\"", self.0))
            .replace("{channel}", &self.0)
            .replace("{lock}", &self.lock().to_string())
            .replace("{places}", &self.lock().wrapping_add(1).to_string())
            .replace("{starts}", &self.lock().wrapping_add(2).to_string())
            .replace("{flows}", &self.lock().wrapping_add(3).to_string())
            .replace("{lines}", &self.lock().wrapping_add(4).to_string())
            .replace("{unknown}", &MAX_UNKNOWN_FUNCTIONS.to_string())
            .replace("{arrivals}", &Arrival::MOST.to_string())
            .replace("{ended}", ENDED)
            .replace("{last}", &Timestamp::LATEST.as_millis().to_string())
    }

    /// The key of the lock under which the schema is changed: FNV-1a of the name, the same in every process.
    pub(super) fn lock(&self) -> i64 {
        let hash = self
            .0
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        hash.cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_names_need_no_quotes() {
        for name in ["belts", "_b", "a1_b2", &"x".repeat(63)] {
            assert_eq!(Schema::new(name).unwrap().name(), name);
        }
        for name in [
            "",
            "1a",
            "Belts",
            "a-b",
            "a b",
            "a\"; DROP",
            "pg_belts",
            "bélts",
            "a\0",
            &"x".repeat(64),
        ] {
            let error = Schema::new(name).expect_err(name);
            assert_eq!(error.kind(), crate::ErrorKind::Config);
        }
    }
}
