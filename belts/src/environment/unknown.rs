//! Variables that look like ours and that nothing reads: a setting that was misspelt has no effect, and nobody notices.

use std::ffi::OsString;

use super::table::ALL;

/// What the conformance suite and tests are told.
const OF_TESTS: &str = "BELTS_TEST_";

/// Warns of variables in the environment of the process.
pub(crate) fn warn_of_unknown() {
    for name in unknown(std::env::vars_os().map(|(name, _)| name)) {
        // By its name alone: the value may be a secret.
        tracing::warn!(
            variable = %name,
            "unknown environment variable; did you mean {}?",
            nearest(&name)
        );
    }
}

fn unknown(names: impl Iterator<Item = OsString>) -> impl Iterator<Item = String> {
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("BELTS_") && !name.starts_with(OF_TESTS))
        .filter(|name| ALL.iter().all(|known| known.name != name))
}

fn nearest(name: &str) -> &'static str {
    ALL.iter()
        .map(|known| known.name)
        .min_by_key(|known| strsim::levenshtein(name, known))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn a_misspelt_variable_is_answered_with_the_nearest_that_is_read() {
        for (misspelt, meant) in [
            ("BELTS_STROE", "BELTS_STORE"),
            ("BELTS_SIGNING_KEY", "BELTS_SIGNING_KEYS"),
            ("BELTS_CONCURENCY", "BELTS_CONCURRENCY"),
            ("BELTS_INSPECT_TOKEN", "BELTS_INSPECTION_TOKEN"),
            ("BELTS_ADDRESS", "BELTS_ADDR"),
        ] {
            assert_eq!(nearest(misspelt), meant);
        }
    }

    #[test]
    fn only_variables_with_our_prefix_that_nothing_reads_are_told() {
        let names = [
            "PATH",
            "BELTS_STORE",
            "BELTS_WORKER",
            "BELTS_TEST_REDIS_URL",
            "BELTS_STROE",
            "belts_store",
        ];
        let told: Vec<String> = unknown(names.into_iter().map(OsString::from)).collect();
        assert_eq!(told, ["BELTS_STROE"]);
    }

    /// Messages, rustdoc, help and pages name variables in prose.
    #[test]
    fn every_variable_that_anything_names_is_known() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut texts = vec![root.join("README.md")];
        let mut folders = vec![root.join("src"), root.join("docs")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("environment/unknown.rs") {
                    texts.push(path);
                }
            }
        }
        assert!(texts.len() > 100, "{texts:?}");
        for path in texts {
            let text = fs::read_to_string(&path).expect("text");
            let words = text.split(|c: char| c != '_' && !c.is_ascii_uppercase());
            // A prefix is no name, and the benchmarks have variables of their own.
            let names = words
                .filter(|word| word.len() > "BELTS_".len() && !word.starts_with("BELTS_BENCH_"));
            let wrong: Vec<String> = unknown(names.map(OsString::from)).collect();
            assert_eq!(wrong, Vec::<String>::new(), "in {}", path.display());
        }
    }
}
