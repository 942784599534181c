//! What differs from run to run: clocks, ids, random numbers, the environment, and pauses that nobody records.

use proc_macro2::TokenStream;

use crate::names::spelled;

/// Where a path may begin, if it has more than its last two segments. `time` is the module of `std` and `tokio`, and a crate.
const ROOTS: [&str; 10] = [
    "chrono", "core", "fastrand", "jiff", "rand", "std", "time", "tokio", "uuid", "web_time",
];

/// One number, drawn without a generator.
const RAND: &str = "rand::random::<u64>()";
const FASTRAND: &str = "fastrand::u64(..)";

/// The last two segments of a path, and what it is.
const KNOWN: [(&str, &[&str], Kind); 19] = [
    ("SystemTime", &["now"], Kind::Time),
    ("Instant", &["now"], Kind::Instant),
    ("Utc", &["now"], Kind::Time),
    ("Local", &["now"], Kind::Time),
    ("Zoned", &["now"], Kind::Time),
    ("Timestamp", &["now"], Kind::Time),
    ("OffsetDateTime", &["now_local", "now_utc"], Kind::Time),
    ("Uuid", &["new_v4", "now_v1", "now_v6", "now_v7"], Kind::Id),
    (
        "rand",
        &[
            "fill",
            "random",
            "random_bool",
            "random_iter",
            "random_range",
            "random_ratio",
        ],
        Kind::Random,
    ),
    (
        "rand",
        &["make_rng", "rng", "thread_rng"],
        Kind::Generator(RAND),
    ),
    (
        "StdRng",
        &["from_entropy", "from_os_rng"],
        Kind::Generator(RAND),
    ),
    (
        "SmallRng",
        &["from_entropy", "from_os_rng"],
        Kind::Generator(RAND),
    ),
    ("env", &["var", "var_os"], Kind::Variable),
    ("env", &["vars", "vars_os"], Kind::Variables),
    ("thread", &["sleep"], Kind::Sleep),
    ("time", &["sleep"], Kind::Sleep),
    ("time", &["sleep_until"], Kind::SleepUntil),
    ("time", &["timeout", "timeout_at"], Kind::Timeout),
    ("time", &["interval", "interval_at"], Kind::Interval),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Time,
    /// A time that cannot be recorded.
    Instant,
    Id,
    Random,
    /// What cannot be recorded, and how to draw one number instead.
    Generator(&'static str),
    Variable,
    Variables,
    Sleep,
    SleepUntil,
    Timeout,
    Interval,
}

/// What a path is, whose names are resolved as far as the body tells. `rooted` is a path that begins with a crate, `::std`.
pub(super) fn of(path: &[String], rooted: bool) -> Option<Kind> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let (before, owner, name) = match path[..] {
        // A lone `sleep(…)`, `random()` or `var(…)` may be anything.
        ["thread_rng"] => return Some(Kind::Generator(RAND)),
        [ref before @ .., owner, name] => (before, owner, name),
        _ => return None,
    };
    let root = before.first().copied().unwrap_or(owner);
    if (rooted || !before.is_empty()) && !ROOTS.contains(&root) {
        return None;
    }
    if root == "fastrand" {
        return fastrand(&path[1..]);
    }
    KNOWN
        .iter()
        .find(|(known, names, _)| *known == owner && names.contains(&name))
        .map(|(.., kind)| *kind)
}

/// A generator that begins with a given seed draws the same numbers each time.
fn fastrand(path: &[&str]) -> Option<Kind> {
    match path {
        ["Rng", "new" | "default"] => Some(Kind::Generator(FASTRAND)),
        [name] if *name != "seed" && name.starts_with(char::is_lowercase) => Some(Kind::Random),
        _ => None,
    }
}

impl Kind {
    /// What to say of a call. `path` is what is called, `call` is all of it, and `krate` is where `volatile!` is.
    pub(super) fn message(self, path: &str, call: &str, krate: &str) -> String {
        let why = match self {
            Self::Time => "gives another time whenever the run resumes",
            Self::Instant => {
                "gives another time whenever the run resumes, and an `Instant` cannot be recorded"
            }
            Self::Id => "gives another id whenever the run resumes",
            Self::Random | Self::Generator(_) => "draws anew whenever the run resumes",
            Self::Variable | Self::Variables => {
                "may differ in the process in which the run resumes"
            }
            Self::Sleep | Self::SleepUntil | Self::Timeout | Self::Interval => {
                "begins anew whenever the run resumes"
            }
        };
        let instead = self.instead(call);
        format!(
            "`{path}` outside a step {why}; write {instead}, or `{krate}::volatile!({call})` where that is meant"
        )
    }

    fn instead(self, call: &str) -> String {
        let step = |key: &str, expr: &str| format!("`step!(\"{key}\", {expr}).await?`");
        match self {
            Self::Time => step("now", call),
            Self::Instant => step("now", "SystemTime::now()"),
            Self::Id => step("id", call),
            // What it does to a local is not recorded.
            Self::Random if call.contains("&mut") || call.contains('…') => {
                format!(
                    "{} with an fn that returns what it draws",
                    step("random", "draw()")
                )
            }
            Self::Random => step("random", call),
            Self::Generator(draw) => step("random", draw),
            Self::Variable => step("variable", call),
            Self::Variables => step("variables", &format!("{call}.collect::<Vec<_>>()")),
            Self::SleepUntil => {
                "`sleep_until!(\"pause\", time).await?` with a `SystemTime`".to_owned()
            }
            Self::Sleep => "`sleep!(\"pause\", \"10m\").await?`".to_owned(),
            Self::Timeout => {
                "`step!(\"work\", work(), timeout = \"30s\").await?`, or a `race!` with a `sleep!`"
                    .to_owned()
            }
            Self::Interval => "a loop with `sleep!(\"tick-{n}\", \"10m\").await?`".to_owned(),
        }
    }
}

/// A call for a message: as it is written, unless that is long.
pub(super) fn written(path: &str, arguments: &TokenStream) -> String {
    let arguments = spelled(arguments);
    if arguments.chars().count() > 40 || arguments.contains('\n') {
        return format!("{path}(…)");
    }
    format!("{path}({arguments})")
}

#[cfg(test)]
mod tests {
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
            "Rng::new",
        ] {
            assert_eq!(kind(path), None, "{path}");
        }
    }
}
