//! Which file uses what of which other.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item,
    ext::IdentExt,
    visit::{self, Visit},
};

use crate::tree::{Found, Imports, Tree, attributes, is_test};

/// The names that one file uses of another.
pub(crate) type Uses<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>;

/// What the files use of each other. A name that a module only hands on is no use of it, nor is the module through which it is
/// reached.
pub(crate) fn between_files<'a>(tree: &Tree<'a>) -> Uses<'a> {
    let mut uses = Uses::new();
    for (at, module) in tree.modules.iter().enumerate() {
        let mut seen = Seen {
            tree,
            at,
            uses: uses.entry(module.file).or_default(),
            file: module.file,
        };
        let mut imports = Imports(Vec::new());
        imports.in_items(module.items);
        // Even one whose name does not appear again: a trait is used by its methods.
        for import in imports.0.iter().filter(|import| import.private) {
            seen.path(&import.path);
        }
        for item in module.items {
            if !matches!(item, Item::Mod(_)) {
                seen.visit_item(item);
            }
        }
    }
    uses
}

struct Seen<'t, 'a> {
    tree: &'t Tree<'a>,
    at: usize,
    file: &'a str,
    uses: &'t mut BTreeMap<&'a str, BTreeSet<String>>,
}

impl Seen<'_, '_> {
    fn path(&mut self, path: &[String]) {
        for found in self.tree.resolve(self.at, path) {
            match found {
                Found::Item(file, name) if file != self.file => {
                    self.uses.entry(file).or_default().insert(name);
                }
                _ => {}
            }
        }
    }

    /// The paths of two names and more in the tokens of a macro; one name alone may be anything there.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        let mut colons = 0;
        // Whether the next name goes on with something that is no path of ours: a field, or a path from outside.
        let mut foreign = false;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 || path.is_empty() {
                        self.end(&mut path);
                    }
                    if !foreign {
                        path.push(name.unraw().to_string());
                    }
                    (colons, foreign) = (0, false);
                }
                TokenTree::Punct(point) if point.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                }
                other => {
                    self.end(&mut path);
                    colons = 0;
                    foreign =
                        matches!(&other, TokenTree::Punct(point) if ".:".contains(point.as_char()));
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        if path.len() > 1 {
            self.path(path);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Seen<'_, '_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter();
            let names: Vec<_> = names
                .map(|segment| segment.ident.unraw().to_string())
                .collect();
            self.path(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}
