//! No two files of the crates depend on each other, however far around.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod graph;
mod sources;
mod tests;
mod tree;
mod uses;

use std::{fmt::Write, path::Path};

use graph::Circle;
use sources::Sources;
use tree::Tree;

/// Circles that are still to be opened, as the files of each. A new one belongs in the code that makes it, not in here.
const TO_OPEN: &[&[&str]] = &[
    &["store/postgres/builder.rs", "store/postgres/mod.rs"],
    &[
        "store/redis/builder.rs",
        "store/redis/mod.rs",
        "store/redis/tell.rs",
    ],
    &[
        "store/sqlite/builder.rs",
        "store/sqlite/mod.rs",
        "store/sqlite/readers.rs",
    ],
    &["store/sqlite/names.rs", "store/sqlite/rows.rs"],
];

#[test]
fn no_file_of_belts_depends_on_itself_through_others() {
    no_circles("belts/src");
}

#[test]
fn no_file_of_the_macros_depends_on_itself_through_others() {
    no_circles("belts-macros/src");
}

/// Each list shrinks with its circle, and goes with it.
#[test]
fn no_circle_is_listed_to_be_opened_that_is_open() {
    let crates = ["belts/src", "belts-macros/src"].map(sources);
    let circles: Vec<_> = crates.iter().flat_map(circles).collect();
    for files in TO_OPEN {
        let is_there = circles.iter().any(|circle| circle.files.iter().eq(*files));
        assert!(
            is_there,
            "{files:?} are no circle any more: take them from the list"
        );
    }
}

fn sources(folder: &str) -> Sources {
    Sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

fn no_circles(folder: &str) {
    let sources = sources(folder);
    let circles = circles(&sources);
    let known = |circle: &Circle<'_>| {
        TO_OPEN
            .iter()
            .any(|files| circle.files.iter().all(|file| files.contains(file)))
    };
    let mut report = String::new();
    for circle in circles.iter().filter(|circle| !known(circle)) {
        write!(report, "\n{circle}").unwrap();
    }
    assert!(
        report.is_empty(),
        "files of `{folder}` depend on each other: move what both need into a file of its own\n{report}"
    );
}

/// The circles of a crate.
fn circles(sources: &Sources) -> Vec<Circle<'_>> {
    let tree = Tree::of(sources);
    graph::circles(&uses::between_files(&tree))
}
