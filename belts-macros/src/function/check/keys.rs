//! The keys of a body that are the same each time, and which of them are used twice.

use syn::LitStr;

use crate::{diag::Errors, step::key::Key};

/// Keys without captures, in order.
#[derive(Default)]
pub(super) struct Keys(Vec<Use>);

/// A key without captures.
struct Use {
    /// The race and the arm whose key it is.
    scope: String,
    key: String,
    literal: LitStr,
    cfg: Option<String>,
}

impl Use {
    /// Two places under different `#[cfg]`s may be one place in each build; at run time a key is still used once.
    fn meets(&self, other: &Self) -> bool {
        let apart = self.cfg.is_some() && other.cfg.is_some() && self.cfg != other.cfg;
        (&self.scope, &self.key) == (&other.scope, &other.key) && !apart
    }
}

impl Keys {
    pub(super) fn add(&mut self, key: &Key, plain: &str, scope: &str, cfg: Option<&str>) {
        self.0.push(Use {
            scope: scope.to_owned(),
            key: plain.to_owned(),
            literal: key.literal.clone(),
            cfg: cfg.map(str::to_owned),
        });
    }

    pub(super) fn report_duplicates(&self, errors: &mut Errors) {
        for this in &self.0 {
            let Use { key, literal, .. } = this;
            let uses = self.0.iter().filter(|other| other.meets(this)).count();
            if uses > 1 {
                let message = format!(
                    "key `{key}` is used {uses} times in this function; give each place its own key, \
                     even if a run reaches only one of them"
                );
                errors.at(literal, message);
            }
        }
    }
}
