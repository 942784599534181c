//! The modules of a crate, and what each of their names stands for.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Attribute, Item, ItemMod, Meta, UseTree, Visibility, ext::IdentExt, visit::Visit};

use crate::sources::Sources;

/// All modules; the first is the crate's root.
pub(crate) struct Tree<'a> {
    pub(crate) modules: Vec<Module<'a>>,
}

/// A module, of a file or inside one.
pub(crate) struct Module<'a> {
    pub(crate) file: &'a str,
    pub(crate) items: &'a [Item],
    parent: Option<usize>,
    names: BTreeMap<String, Vec<Named>>,
    globs: Vec<Vec<String>>,
}

/// What a name stands for in its module.
enum Named {
    Module(usize),
    Item,
    Import(Vec<String>),
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found<'a> {
    Module(usize),
    /// An item, by its file and its name.
    Item(&'a str, String),
}

impl<'a> Tree<'a> {
    pub(crate) fn of(sources: &'a Sources) -> Self {
        let mut tree = Self {
            modules: Vec::new(),
        };
        tree.add_file(sources, "lib.rs", None);
        tree
    }

    fn add_file(&mut self, sources: &'a Sources, file: &str, parent: Option<usize>) -> usize {
        let (file, parsed) = sources
            .0
            .get_key_value(file)
            .unwrap_or_else(|| panic!("a module without its file `{file}`"));
        // Where the files of its children are: beside a `mod.rs`, or in the folder of its own name.
        let folder = match file.rsplit_once('/') {
            Some((folder, "mod.rs")) => format!("{folder}/"),
            None if file == "lib.rs" => String::new(),
            _ => format!("{}/", file.trim_end_matches(".rs")),
        };
        self.add(sources, file, &folder, &parsed.items, parent)
    }

    fn add(
        &mut self,
        sources: &'a Sources,
        file: &'a str,
        folder: &str,
        items: &'a [Item],
        parent: Option<usize>,
    ) -> usize {
        let this = self.modules.len();
        self.modules.push(Module {
            file,
            items,
            parent,
            names: BTreeMap::new(),
            globs: Vec::new(),
        });
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            if let Item::Mod(module) = item {
                let child = self.add_module(sources, this, file, folder, module);
                self.name(this, module.ident.unraw().to_string(), Named::Module(child));
            } else if let Some(name) = name_of(item) {
                self.name(this, name, Named::Item);
            }
        }
        let mut imports = Imports(Vec::new());
        imports.in_items(items);
        for import in imports.0 {
            match import.name {
                Some(name) => self.name(this, name, Named::Import(import.path)),
                None => self.modules[this].globs.push(import.path),
            }
        }
        this
    }

    fn add_module(
        &mut self,
        sources: &'a Sources,
        parent: usize,
        file: &'a str,
        folder: &str,
        module: &'a ItemMod,
    ) -> usize {
        let name = module.ident.unraw().to_string();
        if let Some((_, items)) = &module.content {
            let folder = format!("{folder}{name}/");
            return self.add(sources, file, &folder, items, Some(parent));
        }
        let beside = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let file = match path_of(&module.attrs) {
            Some(path) if beside.is_empty() => path,
            Some(path) => format!("{beside}/{path}"),
            None => [
                format!("{folder}{name}.rs"),
                format!("{folder}{name}/mod.rs"),
            ]
            .into_iter()
            .find(|file| sources.0.contains_key(file))
            .unwrap_or_else(|| panic!("{file}: no file for `mod {name}`")),
        };
        self.add_file(sources, &file, Some(parent))
    }

    fn name(&mut self, module: usize, name: String, named: Named) {
        let known = &mut self.modules[module].names;
        known.entry(name).or_default().push(named);
    }

    /// What a path stands for in a module; nothing where it leads out of the crate.
    pub(crate) fn resolve(&self, module: usize, path: &[String]) -> BTreeSet<Found<'a>> {
        self.follow(module, path, &mut Vec::new())
    }

    fn follow(
        &self,
        module: usize,
        path: &[String],
        under_way: &mut Vec<(usize, String)>,
    ) -> BTreeSet<Found<'a>> {
        let Some((first, rest)) = path.split_first() else {
            return BTreeSet::new();
        };
        let mut found = match first.as_str() {
            "crate" => BTreeSet::from([Found::Module(0)]),
            "self" => BTreeSet::from([Found::Module(module)]),
            "super" => self.modules[module]
                .parent
                .map(Found::Module)
                .into_iter()
                .collect(),
            name => self.look_up(module, name, under_way),
        };
        for name in rest {
            // Of a module and a function of one name it is the module that goes on.
            if found.iter().any(|found| matches!(found, Found::Module(_))) {
                found.retain(|found| matches!(found, Found::Module(_)));
            }
            let next = |found| match (found, name.as_str()) {
                (Found::Module(at), "super") => self.modules[at]
                    .parent
                    .map(Found::Module)
                    .into_iter()
                    .collect(),
                (Found::Module(at), _) => self.look_up(at, name, under_way),
                // A variant, or what is associated with a type.
                (item, _) => BTreeSet::from([item]),
            };
            found = found.into_iter().flat_map(next).collect();
        }
        found
    }

    fn look_up(
        &self,
        module: usize,
        name: &str,
        under_way: &mut Vec<(usize, String)>,
    ) -> BTreeSet<Found<'a>> {
        let place = (module, name.to_owned());
        if under_way.contains(&place) {
            return BTreeSet::new();
        }
        under_way.push(place);
        let here = &self.modules[module];
        let mut found = BTreeSet::new();
        for named in here.names.get(name).into_iter().flatten() {
            match named {
                Named::Module(child) => found.extend([Found::Module(*child)]),
                Named::Item => found.extend([Found::Item(here.file, name.to_owned())]),
                Named::Import(path) => found.extend(self.follow(module, path, under_way)),
            }
        }
        if found.is_empty() {
            for glob in &here.globs {
                for place in self.follow(module, glob, under_way) {
                    if let Found::Module(place) = place {
                        found.extend(self.look_up(place, name, under_way));
                    }
                }
            }
        }
        under_way.pop();
        found
    }
}

/// An import: the name that it gives, unless it gives all that there are.
pub(crate) struct Import {
    pub(crate) name: Option<String>,
    pub(crate) path: Vec<String>,
    /// Whether it is for this module alone.
    pub(crate) private: bool,
}

/// The imports of a module, with those inside its functions.
pub(crate) struct Imports(pub(crate) Vec<Import>);

impl Imports {
    pub(crate) fn in_items<'ast>(&mut self, items: &'ast [Item]) {
        let own = |item: &&'ast Item| !matches!(item, Item::Mod(_)) && !is_test(attributes(item));
        for item in items.iter().filter(own) {
            self.visit_item(item);
        }
    }

    fn add(&mut self, before: &[String], tree: &UseTree, private: bool) {
        let with = |name: &syn::Ident| [before, &[name.unraw().to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add(&with(&path.ident), &path.tree, private),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add(before, tree, private);
                }
            }
            UseTree::Glob(_) => self.0.push(Import {
                name: None,
                path: before.to_vec(),
                private,
            }),
            UseTree::Name(name) if name.ident == "self" => self.0.push(Import {
                name: before.last().cloned(),
                path: before.to_vec(),
                private,
            }),
            UseTree::Name(name) => self.0.push(Import {
                name: Some(name.ident.unraw().to_string()),
                path: with(&name.ident),
                private,
            }),
            UseTree::Rename(renamed) => self.0.push(Import {
                name: Some(renamed.rename.unraw().to_string()),
                path: with(&renamed.ident),
                private,
            }),
        }
    }
}

impl Visit<'_> for Imports {
    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        if item.leading_colon.is_none() && !is_test(&item.attrs) {
            let private = matches!(item.vis, Visibility::Inherited);
            self.add(&[], &item.tree, private);
        }
    }
}

/// Whether something is there for the tests of its own file alone.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            let when = list.tokens.to_string();
            when == "test" || when.starts_with("all (test") || when.starts_with("all(test")
        }
        _ => false,
    })
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.unraw().to_string())
}

/// The file that `#[path = "…"]` names.
fn path_of(attributes: &[Attribute]) -> Option<String> {
    attributes
        .iter()
        .find_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(path),
                    ..
                }) => Some(path.value()),
                _ => None,
            },
            _ => None,
        })
}
