//! Which functions and helpers have transactions, and whether a store has them.

use std::collections::HashSet;

use super::{Registered, Registry, place};
use crate::{
    error::{Error, ErrorKind, Result},
    function::{HelperEntry, KeyDef, TransactionKind},
    store::Store,
};

impl Registry {
    /// Whether this store has the transactions of the functions and of the helpers that they call.
    ///
    /// # Errors
    /// It has not; the error names those that need others.
    pub(crate) fn check_transactions(&self, store: &dyn Store) -> Result<()> {
        let has = kind_of(store);
        let mut lacks = Vec::new();
        for function in &self.functions {
            if let Some(wanted) = wanted(function.def.keys, has) {
                let (def, form) = (function.def, form(wanted));
                lacks.push(format!("`{}` at {} has {form}", def.id, place(def)));
            }
        }
        let mut seen = HashSet::new();
        for function in &self.functions {
            self.check_helpers(function, has, &mut seen, &mut lacks);
        }
        if lacks.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "the store of this worker has no such transactions as its functions need, so their rows and their steps cannot be one \
                 commit: {}. The store is {store:?}: give the worker the Postgres or SQLite store that the rows are in, or write \
                 `step!` with an idempotency key",
                lacks.join("; ")
            ),
        ))
    }

    /// Adds the helpers of a function that need other transactions. A helper is known by its name alone.
    #[expect(
        clippy::unused_self,
        reason = "what the program has is the registry's to say"
    )]
    fn check_helpers(
        &self,
        function: &Registered,
        has: Option<TransactionKind>,
        seen: &mut HashSet<&'static str>,
        lacks: &mut Vec<String>,
    ) {
        let mut next: Vec<&'static str> = function.def.helpers.to_vec();
        while let Some(name) = next.pop() {
            if !seen.insert(name) {
                continue;
            }
            let named = inventory::iter::<HelperEntry>.into_iter();
            for helper in named.filter(|helper| helper.name == name) {
                next.extend(helper.helpers);
                if let Some(wanted) = wanted(helper.keys, has) {
                    lacks.push(format!(
                        "the helper `{name}` at {}:{}, which `{}` calls, has {}",
                        helper.location.file,
                        helper.location.line,
                        function.id,
                        form(wanted)
                    ));
                }
            }
        }
    }
}

/// The first transaction among the keys that the store does not have.
fn wanted(keys: &[KeyDef], has: Option<TransactionKind>) -> Option<TransactionKind> {
    let mut wanted = keys.iter().filter_map(|key| match key {
        KeyDef::Transaction(_, kind) => Some(*kind),
        _ => None,
    });
    wanted.find(|wanted| has != Some(*wanted))
}

fn form(kind: TransactionKind) -> &'static str {
    match kind {
        TransactionKind::Postgres => "a `transaction!` for Postgres, `async |tx|`",
        TransactionKind::Sqlite => "a `transaction!` for SQLite, `|tx|`",
    }
}

fn kind_of(store: &dyn Store) -> Option<TransactionKind> {
    let transactions = store.transactions()?;
    #[cfg(feature = "postgres")]
    if transactions.store::<crate::store::Postgres>().is_some() {
        return Some(TransactionKind::Postgres);
    }
    #[cfg(feature = "sqlite")]
    if transactions.store::<crate::store::Sqlite>().is_some() {
        return Some(TransactionKind::Sqlite);
    }
    let _ = transactions;
    None
}
