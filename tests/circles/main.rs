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

#[test]
fn no_file_of_belts_depends_on_itself_through_others() {
    no_circles("belts/src");
}

#[test]
fn no_file_of_the_macros_depends_on_itself_through_others() {
    no_circles("belts-macros/src");
}

fn no_circles(folder: &str) {
    let sources = Sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let mut report = String::new();
    for circle in circles(&sources) {
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
