//! Files that reach each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::uses::Uses;

/// Files that each depend on all the others.
pub(crate) struct Circle<'a> {
    pub(crate) files: BTreeSet<&'a str>,
    uses: Vec<(&'a str, &'a str, BTreeSet<String>)>,
}

pub(crate) fn circles<'a>(uses: &Uses<'a>) -> Vec<Circle<'a>> {
    let reached: BTreeMap<_, _> = uses
        .keys()
        .map(|file| (*file, reached(uses, file)))
        .collect();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut circles = Vec::new();
    for (&file, from_it) in &reached {
        if !from_it.contains(file) || seen.contains(file) {
            continue;
        }
        let back = |other: &&&str| reached.get(**other).is_some_and(|from| from.contains(file));
        let files: BTreeSet<_> = from_it.iter().filter(back).copied().collect();
        seen.extend(&files);
        circles.push(Circle {
            uses: within(uses, &files),
            files,
        });
    }
    circles
}

/// Every file that a file depends on, directly or not; itself too, if it is on a circle.
fn reached<'a>(uses: &Uses<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        for &used in uses.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(used) {
                next.push(used);
            }
        }
    }
    reached
}

fn within<'a>(
    uses: &Uses<'a>,
    files: &BTreeSet<&'a str>,
) -> Vec<(&'a str, &'a str, BTreeSet<String>)> {
    let mut found = Vec::new();
    for &file in files {
        for (&used, names) in &uses[file] {
            if files.contains(used) {
                found.push((file, used, names.clone()));
            }
        }
    }
    found
}

impl fmt::Display for Circle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} files:", self.files.len())?;
        for (file, used, names) in &self.uses {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            writeln!(f, "  {file} → {used}: {}", names.join(", "))?;
        }
        Ok(())
    }
}
