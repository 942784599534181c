//! Expressions known to hold at most one value, an `Option` or a `Result`: `map` on them calls its closure at most
//! once.

use syn::{Expr, Local, Pat, Path, Type};

use crate::option::ungrouped;

/// Methods that return an `Option` or a `Result`, whatever they are called on.
const ENDS_IN_ONE: [&str; 18] = [
    "as_deref",
    "as_deref_mut",
    "err",
    "find",
    "first",
    "get",
    "last",
    "max",
    "min",
    "next",
    "ok",
    "ok_or",
    "ok_or_else",
    "parse",
    "pop",
    "position",
    "then_some",
    "try_into",
];

/// Methods that return one if they are called on one.
const PASSES_ON: [&str; 14] = [
    "and_then", "as_mut", "as_ref", "clone", "cloned", "copied", "filter", "inspect", "map",
    "map_err", "or", "or_else", "take", "zip",
];

/// Methods that return an iterator.
const ITERATES: [&str; 14] = [
    "bytes",
    "chars",
    "chunks",
    "drain",
    "enumerate",
    "into_iter",
    "iter",
    "iter_mut",
    "keys",
    "lines",
    "rev",
    "split",
    "values",
    "windows",
];

/// Whether this certainly is an iterator.
pub(super) fn iterates(expr: &Expr) -> bool {
    match ungrouped(expr) {
        Expr::Paren(inside) => iterates(&inside.expr),
        Expr::Range(_) => true,
        Expr::MethodCall(call) => {
            ITERATES.iter().any(|name| call.method == name)
                || PASSES_ON.iter().any(|name| call.method == name) && iterates(&call.receiver)
        }
        _ => false,
    }
}

/// The variables that are known to hold at most one value.
#[derive(Default)]
pub(super) struct Once(Vec<String>);

impl Once {
    /// Takes note of a `let`.
    pub(super) fn bind(&mut self, local: &Local) {
        let (pattern, told) = match &local.pat {
            Pat::Type(typed) => (&*typed.pat, is_one(&typed.ty)),
            other => (other, false),
        };
        let Pat::Ident(name) = pattern else {
            return;
        };
        let name = name.ident.to_string();
        let one = told
            || local
                .init
                .as_ref()
                .is_some_and(|init| init.diverge.is_none() && self.holds(&init.expr));
        self.0.retain(|known| *known != name);
        if one {
            self.0.push(name);
        }
    }

    pub(super) fn holds(&self, expr: &Expr) -> bool {
        match ungrouped(expr) {
            Expr::Paren(inside) => self.holds(&inside.expr),
            Expr::Reference(of) => self.holds(&of.expr),
            Expr::Path(path) => {
                path.path.is_ident("None")
                    || path
                        .path
                        .get_ident()
                        .is_some_and(|name| self.0.iter().any(|known| name == known))
            }
            Expr::Call(call) => match ungrouped(&call.func) {
                Expr::Path(path) => ends_in(&path.path, &["Some", "Ok", "Err"]),
                _ => false,
            },
            Expr::MethodCall(call) => {
                let method = call.method.to_string();
                ENDS_IN_ONE.contains(&method.as_str())
                    || method.starts_with("checked_")
                    || PASSES_ON.contains(&method.as_str()) && self.holds(&call.receiver)
            }
            _ => false,
        }
    }
}

/// Whether a `let` says that it is one.
pub(super) fn is_typed_one(local: &Local) -> bool {
    matches!(&local.pat, Pat::Type(typed) if is_one(&typed.ty))
}

fn is_one(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if ends_in(&path.path, &["Option", "Result"]))
}

fn ends_in(path: &Path, names: &[&str]) -> bool {
    path.segments
        .last()
        .is_some_and(|last| names.iter().any(|name| last.ident == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_told_from_iterators_where_that_can_be_seen() {
        let mut once = Once::default();
        for expr in [
            "Some(a)",
            "None",
            "v.first()",
            "&x.parse()",
            "v.pop().filter(f)",
            "(Ok(a))",
            "a.checked_add(b)",
        ] {
            assert!(once.holds(&syn::parse_str(expr).expect(expr)), "{expr}");
        }
        for expr in [
            "gift",
            "order.gift",
            "v.iter()",
            "0..3",
            "v.iter().map(f)",
            "find(x)",
        ] {
            assert!(!once.holds(&syn::parse_str(expr).expect(expr)), "{expr}");
        }
        for expr in [
            "v.iter()",
            "(0..3)",
            "v.iter().map(f).rev()",
            "v.chars().filter(f)",
        ] {
            assert!(iterates(&syn::parse_str(expr).expect(expr)), "{expr}");
        }
        let binds: [syn::Stmt; 2] = [
            syn::parse_quote!(let gift = Some(1);),
            syn::parse_quote!(let other: Option<u32> = f();),
        ];
        for bind in &binds {
            if let syn::Stmt::Local(local) = bind {
                once.bind(local);
            }
        }
        assert!(once.holds(&syn::parse_quote!(gift)) && once.holds(&syn::parse_quote!(other)));
    }
}
