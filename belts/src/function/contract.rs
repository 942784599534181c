//! The keys of a function with those of its races and helpers, each with the path that it has in a journal.

use super::{
    definition::{FunctionDef, HelperEntry},
    keys::{ArmKey, KeyDef},
};

/// A key of a function, as its code writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContractKey {
    /// With its braces: `parcel-{n}/label`.
    pub(crate) path: String,
    pub(crate) kind: &'static str,
}

/// All keys of a function, in the order in which they are written; those of a helper stand at the first of its scopes.
pub(crate) fn contract(function: &FunctionDef) -> Vec<ContractKey> {
    let mut all = Vec::new();
    let mut seen = Vec::new();
    let code = Code {
        keys: function.keys,
        arms: function.arms,
        helpers: function.helpers,
    };
    code.add_to(&mut all, "", &mut seen);
    all
}

#[derive(Clone, Copy)]
struct Code {
    keys: &'static [KeyDef],
    arms: &'static [ArmKey],
    helpers: &'static [&'static str],
}

impl Code {
    fn add_to(self, all: &mut Vec<ContractKey>, scope: &str, seen: &mut Vec<&'static str>) {
        let own = own_keys(self.keys, self.arms).into_iter();
        let own = own.map(|key| (String::new(), key));
        let in_arms = self.arms.iter().map(|arm| {
            let under = arm.under.iter().map(|part| format!("{part}/"));
            (under.collect(), arm.key)
        });
        for (under, key) in own.chain(in_arms) {
            let path = format!("{scope}{under}{}", key.pattern());
            let Some(kind) = key.kind() else {
                self.add_helpers(all, &format!("{path}/"), seen);
                continue;
            };
            all.push(ContractKey { path, kind });
        }
    }

    /// Of which scope calls which helper no more is known than the names.
    fn add_helpers(self, all: &mut Vec<ContractKey>, scope: &str, seen: &mut Vec<&'static str>) {
        for helper in inventory::iter::<HelperEntry> {
            if !self.helpers.contains(&helper.name) || seen.contains(&helper.name) {
                continue;
            }
            seen.push(helper.name);
            let code = Self {
                keys: helper.keys,
                arms: helper.arms,
                helpers: helper.helpers,
            };
            code.add_to(all, scope, seen);
        }
    }
}

/// The keys outside of races. Some of those in arms stand among them as well.
pub(crate) fn own_keys(keys: &[KeyDef], arms: &[ArmKey]) -> Vec<KeyDef> {
    let mut own = keys.to_vec();
    for arm in arms {
        let twin = match arm.key {
            KeyDef::Transaction(_, kind) => KeyDef::Transaction("", kind),
            key => key,
        };
        if let Some(place) = own.iter().position(|key| *key == twin) {
            own.remove(place);
        }
    }
    own
}
