//! The source files of a crate, by their paths below its `src`.

use std::{collections::BTreeMap, fs, path::Path};

/// The files, parsed.
pub(crate) struct Sources(pub(crate) BTreeMap<String, syn::File>);

impl Sources {
    /// Reads every Rust file of a folder.
    pub(crate) fn read(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                    let text = fs::read_to_string(&path).unwrap();
                    files.insert(name.replace('\\', "/"), parse(name, &text));
                }
            }
        }
        Self(files)
    }

    /// Takes files as they are written here.
    pub(crate) fn written(files: &[(&str, &str)]) -> Self {
        let parsed = |(name, text): &(&str, &str)| ((*name).to_owned(), parse(name, text));
        Self(files.iter().map(parsed).collect())
    }
}

fn parse(name: &str, text: &str) -> syn::File {
    syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"))
}
