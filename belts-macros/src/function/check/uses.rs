//! What the `use`s and items of a body make of its names.

use syn::{Item, Path, Stmt, UseTree};

use super::sources;

/// The names of the blocks around a place.
#[derive(Default)]
pub(super) struct Uses(Vec<Scope>);

#[derive(Default)]
struct Scope {
    /// What a `use` makes of a name.
    used: Vec<(String, Vec<String>)>,
    /// Items of the block.
    items: Vec<String>,
    /// Variables, which hide fns alone.
    variables: Vec<String>,
    /// Modules of crates that are known, of which all names are used.
    globs: Vec<Vec<String>>,
    /// Whether names may come from a module of which nothing is known.
    is_open: bool,
}

impl Uses {
    /// Goes into a block. What it has of items holds in all of it.
    pub(super) fn enter(&mut self, statements: &[Stmt]) {
        let mut scope = Scope::default();
        for statement in statements {
            if let Stmt::Item(item) = statement {
                scope.item(item);
            }
        }
        self.0.push(scope);
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    pub(super) fn variable(&mut self, name: String) {
        if let Some(scope) = self.0.last_mut() {
            scope.variables.push(name);
        }
    }

    /// The path that a path stands for, as far as the body tells; `None` if it is one of the body itself, or may be anything.
    pub(super) fn resolve(&self, path: &Path) -> Option<Vec<String>> {
        let mut segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if path.leading_colon.is_some() {
            return Some(segments);
        }
        let mut is_known = segments.len() > 2;
        // A `use` may begin with the name of another, but not without end.
        for _ in 0..8 {
            let is_lone = segments.len() == 1;
            let knows = |scope: &&Scope| scope.knows(&segments[0], is_lone);
            let Some(scope) = self.0.iter().rev().find(knows) else {
                break;
            };
            let (_, used) = scope.used.iter().find(|(name, _)| *name == segments[0])?;
            segments.splice(..1, used.iter().cloned());
            is_known = true;
        }
        if is_known {
            return Some(segments);
        }
        if self.0.iter().any(|scope| scope.is_open) {
            return None;
        }
        let is_lone = segments.len() == 1;
        Some(
            self.globbed(&segments)
                .filter(|_| is_lone)
                .unwrap_or(segments),
        )
    }

    /// The path of a name that comes from a `use tokio::time::*`, if that is one that is looked for.
    fn globbed(&self, name: &[String]) -> Option<Vec<String>> {
        let globs = self.0.iter().rev().flat_map(|scope| &scope.globs);
        let mut paths = globs.map(|glob| {
            let module = glob.iter().filter(|part| *part != "prelude");
            module.chain(name).cloned().collect::<Vec<_>>()
        });
        paths.find(|path| sources::of(path, false).is_some())
    }
}

impl Scope {
    fn knows(&self, name: &str, is_lone: bool) -> bool {
        self.used.iter().any(|(used, _)| used == name)
            || self.items.iter().any(|item| item == name)
            || is_lone && self.variables.iter().any(|variable| variable == name)
    }

    fn item(&mut self, item: &Item) {
        let name = match item {
            Item::Use(item) => return self.tree(&item.tree, &mut Vec::new()),
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Mod(item) => &item.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            _ => return,
        };
        self.items.push(name.to_string());
    }

    fn tree(&mut self, tree: &UseTree, before: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before)),
            UseTree::Name(name) if name.ident == "self" => {
                self.used
                    .extend(before.last().cloned().map(|name| (name, before.clone())));
            }
            UseTree::Name(name) => {
                let path = joined(before, &name.ident);
                self.used.push((name.ident.to_string(), path));
            }
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.used.push((rename.rename.to_string(), before.clone()));
            }
            UseTree::Rename(rename) => {
                let path = joined(before, &rename.ident);
                self.used.push((rename.rename.to_string(), path));
            }
            UseTree::Glob(_) if is_known(before) => self.globs.push(before.clone()),
            UseTree::Glob(_) => self.is_open |= !is_harmless(before),
        }
    }
}

/// Whether it is known what is in a module, as far as that is looked for.
fn is_known(module: &[String]) -> bool {
    module
        .first()
        .is_some_and(|root| sources::ROOTS.contains(&root.as_str()))
}

/// Whether nothing in a module, or an enum, has a name that is looked for: the columns of a table are there, variants, or the traits
/// that a crate is used with.
fn is_harmless(module: &[String]) -> bool {
    module.last().is_some_and(|last| {
        last.starts_with(char::is_uppercase) || ["dsl", "prelude"].contains(&last.as_str())
    })
}

fn joined(before: &[String], name: &syn::Ident) -> Vec<String> {
    let mut path = before.to_vec();
    path.push(name.to_string());
    path
}

#[cfg(test)]
mod tests {
    use syn::{Block, parse_quote};

    use super::*;

    fn resolved(uses: &Uses, path: &str) -> Option<String> {
        let path = syn::parse_str(path).expect(path);
        uses.resolve(&path).map(|path| path.join("::"))
    }

    #[test]
    fn names_are_what_the_body_makes_of_them() {
        let outer: Block = parse_quote!({
            use Verdict::*;
            use clock::SystemTime as Calendar;
            use std::{
                env, time as clock,
                time::{self, Instant as Timer},
            };
            struct Utc;
            fn thread_rng() {}
        });
        let inner: Block = parse_quote!({
            use my as env;
            use my::Instant;
        });
        let mut uses = Uses::default();
        uses.enter(&outer.stmts);
        for (path, wanted) in [
            ("env::var", Some("std::env::var")),
            ("clock::sleep", Some("std::time::sleep")),
            ("time::sleep", Some("std::time::sleep")),
            ("Timer::now", Some("std::time::Instant::now")),
            ("Calendar::now", Some("std::time::SystemTime::now")),
            ("Instant::now", Some("Instant::now")),
            ("Utc::now", None),
            ("thread_rng", None),
            ("::env::var", Some("env::var")),
        ] {
            assert_eq!(resolved(&uses, path).as_deref(), wanted, "{path}");
        }
        uses.enter(&inner.stmts);
        uses.variable("sleep".to_owned());
        for (path, wanted) in [
            ("env::var", Some("my::var")),
            ("Instant::now", Some("my::Instant::now")),
            ("sleep", None),
            ("sleep::now", Some("sleep::now")),
        ] {
            assert_eq!(resolved(&uses, path).as_deref(), wanted, "{path}");
        }
        uses.leave();
        assert_eq!(
            resolved(&uses, "env::var").as_deref(),
            Some("std::env::var")
        );
        let open: Block = parse_quote!({
            use my::*;
        });
        uses.enter(&open.stmts);
        assert_eq!(resolved(&uses, "Instant::now"), None);
        assert!(resolved(&uses, "std::time::Instant::now").is_some());
    }
}
