//! Variables that look like ours and that nothing reads: a setting that was misspelt has no effect, and nobody notices.

use std::ffi::OsString;

/// Every variable that something of belts reads.
const KNOWN: [&str; 11] = [
    "BELTS_STORE",
    "BELTS_DISPATCHER",
    "BELTS_CONCURRENCY",
    "BELTS_MAX_CRASHES",
    "BELTS_ADDR",
    "BELTS_URL",
    "BELTS_SIGNING_KEYS",
    "BELTS_INSPECTION_TOKEN",
    "BELTS_INSPECTION",
    "BELTS_INSECURE",
    // Of the program `belts`.
    "BELTS_WORKER",
];
/// What the conformance suite and tests are told.
const OF_TESTS: &str = "BELTS_TEST_";

pub(super) fn warn(names: impl Iterator<Item = OsString>) {
    for name in unknown(names) {
        // By its name alone: the value may be a secret.
        tracing::warn!(
            variable = %name,
            "nothing reads this variable; the nearest that belts reads is {}",
            nearest(&name)
        );
    }
}

fn unknown(names: impl Iterator<Item = OsString>) -> impl Iterator<Item = String> {
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("BELTS_") && !name.starts_with(OF_TESTS))
        .filter(|name| !KNOWN.contains(&name.as_str()))
}

fn nearest(name: &str) -> &'static str {
    KNOWN
        .into_iter()
        .min_by_key(|known| strsim::levenshtein(name, known))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
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

    /// A variable that is read and not listed would be warned of.
    #[test]
    fn every_variable_that_is_read_is_known() {
        let read = [include_str!("mod.rs"), include_str!("variables.rs")];
        let read = read.iter().flat_map(|file| file.split('"'));
        let read: Vec<&str> = read
            .filter(|text| {
                text.starts_with("BELTS_")
                    && !text.contains(|c: char| c != '_' && !c.is_ascii_uppercase())
            })
            .collect();
        assert!(read.len() > 10, "{read:?}");
        for name in read {
            assert!(KNOWN.contains(&name), "{name}");
        }
    }
}
