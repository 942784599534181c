//! What paths are, and what the docs say of them.

use super::*;

fn kind(path: &str) -> Option<Kind> {
    let rooted = path.starts_with("::");
    let path: Vec<String> = path
        .trim_start_matches("::")
        .split("::")
        .map(str::to_owned)
        .collect();
    of(&path, rooted)
}

#[test]
fn paths_are_known_by_their_root_and_their_last_two_segments() {
    for (path, wanted) in [
        ("SystemTime::now", Kind::Time),
        ("std::time::SystemTime::now", Kind::Time),
        ("::std::time::Instant::now", Kind::Instant),
        ("time::Instant::now", Kind::Instant),
        ("tokio::time::Instant::now", Kind::Instant),
        ("chrono::offset::Utc::now", Kind::Time),
        ("uuid::Uuid::now_v7", Kind::Id),
        ("::rand::random", Kind::Random),
        ("rand::rng", Kind::Generator(RAND)),
        ("thread_rng", Kind::Generator(RAND)),
        ("fastrand::choice", Kind::Random),
        ("fastrand::Rng::new", Kind::Generator(FASTRAND)),
        ("env::var_os", Kind::Variable),
        ("tokio::time::sleep", Kind::Sleep),
        ("time::timeout", Kind::Timeout),
        ("std::thread::sleep", Kind::Sleep),
    ] {
        assert_eq!(kind(path), Some(wanted), "{path}");
    }
    for path in [
        "sleep",
        "var",
        "random",
        "now",
        "my::Instant::now",
        "my::env::var",
        "crate::time::sleep",
        "::my::sleep",
        "::env::var",
        "Shop::now",
        "Uuid::new_v5",
        "rand::rngs::StdRng::seed_from_u64",
        "fastrand::Rng::with_seed",
        "fastrand::seed",
        "std::env::args",
        "std::time::sleep",
        "Rng::new",
    ] {
        assert_eq!(kind(path), None, "{path}");
    }
}

/// The first column of the table, row by row: paths, of which a lone name is in the module of the one before.
fn documented() -> Vec<Vec<String>> {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../belts/docs/functions.md");
    let docs = std::fs::read_to_string(docs).expect("the page about functions");
    let (_, table) = docs
        .split_once("| outside of a step | instead |")
        .expect("the table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let column = line.split('|').nth(1).unwrap_or_default();
        let mut paths: Vec<String> = Vec::new();
        for name in column.split('`').skip(1).step_by(2) {
            let before = paths.last().and_then(|path| path.rsplit_once("::"));
            paths.push(match before {
                Some((module, _)) if !name.contains("::") && name != "thread_rng" => {
                    format!("{module}::{name}")
                }
                _ => name.to_owned(),
            });
        }
        paths
    };
    rows.map(row).collect()
}

#[test]
fn the_table_of_the_docs_lists_what_is_known() {
    let rows = documented();
    let mut kinds = Vec::new();
    for row in &rows {
        for path in row {
            match path.as_str() {
                "elapsed" | "UNIX_EPOCH" => kinds.push(Kind::Elapsed),
                path => {
                    kinds.push(kind(path).unwrap_or_else(|| panic!("{path} is in the table")));
                }
            }
        }
    }
    for (owner, names, known) in KNOWN {
        assert!(kinds.contains(&known), "{known:?} is not in the table");
        // The generators of rand are "their like".
        let is_listed = names.iter().any(|name| {
            let path = format!("{owner}::{name}");
            rows.iter().flatten().any(|listed| listed.ends_with(&path))
        });
        assert!(
            is_listed || owner.ends_with("Rng"),
            "{owner} is not in the table"
        );
    }
}
