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

/// All keys of a function, in the order in which they are written, each once.
pub(crate) fn contract(function: &FunctionDef) -> Vec<ContractKey> {
    let mut all = Vec::new();
    let code = Code {
        keys: function.keys,
        arms: function.arms,
    };
    code.add_to(&mut all, "", &mut Vec::new());
    all
}

#[derive(Clone, Copy)]
struct Code {
    keys: &'static [KeyDef],
    arms: &'static [ArmKey],
}

impl Code {
    /// `within` are the helpers that this is called by: one that calls itself is shown once.
    fn add_to(self, all: &mut Vec<ContractKey>, scope: &str, within: &mut Vec<&'static str>) {
        let own = own_keys(self.keys, self.arms).into_iter();
        let own = own.map(|key| (String::new(), key));
        let in_arms = self.arms.iter().map(|arm| {
            let under = arm.under.iter().map(|part| format!("{part}/"));
            (under.collect(), arm.key)
        });
        for (under, key) in own.chain(in_arms) {
            let path = format!("{scope}{under}{}", key.pattern());
            if let KeyDef::Scope(_, helper) = key {
                Self::add_helper(helper, all, &format!("{path}/"), within);
            }
            // The callback that settles a parked step is the engine's own.
            let is_own = key.pattern().starts_with("settle:");
            if let Some(kind) = key.kind().filter(|_| !is_own) {
                let key = ContractKey { path, kind };
                if !all.contains(&key) {
                    all.push(key);
                }
            }
        }
    }

    fn add_helper(
        name: &str,
        all: &mut Vec<ContractKey>,
        scope: &str,
        within: &mut Vec<&'static str>,
    ) {
        for helper in inventory::iter::<HelperEntry> {
            if helper.name != name || within.contains(&helper.name) {
                continue;
            }
            within.push(helper.name);
            let code = Self {
                keys: helper.keys,
                arms: helper.arms,
            };
            code.add_to(all, scope, within);
            within.pop();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Location;

    const fn helper(name: &'static str, keys: &'static [KeyDef]) -> HelperEntry {
        HelperEntry {
            name,
            keys,
            arms: &[],
            helpers: &[],
            location: Location {
                file: "",
                line: 0,
                column: 0,
            },
            package: "",
        }
    }

    inventory::submit!(helper("contract_pack", &[KeyDef::Step("label")]));
    inventory::submit!(helper(
        "contract_bill",
        &[
            KeyDef::Step("charge"),
            KeyDef::Callback("settle:charge"),
            KeyDef::Scope("again", "contract_bill"),
        ]
    ));

    /// All helpers were shown under the first scope of their function, and none under any other.
    #[test]
    fn the_keys_of_a_helper_are_under_each_scope_that_calls_it() {
        static FUNCTION: FunctionDef = FunctionDef {
            keys: &[
                KeyDef::Scope("parcel-{n}", "contract_pack"),
                KeyDef::Scope("bill", "contract_bill"),
                KeyDef::Scope("gift", "contract_pack"),
                KeyDef::Scope("bill", "contract_bill"),
                KeyDef::Scope("other", "called_by_another_name"),
                KeyDef::Sleep("pause"),
            ],
            ..FunctionDef::BLANK
        };
        let keys: Vec<_> = contract(&FUNCTION)
            .into_iter()
            .map(|key| (key.path, key.kind))
            .collect();
        let expected = [
            ("parcel-{n}/label", "step"),
            ("bill/charge", "step"),
            ("gift/label", "step"),
            ("pause", "sleep"),
        ];
        assert_eq!(keys, expected.map(|(path, kind)| (path.to_owned(), kind)));
    }
}
