//! What differs from run to run: clocks, ids, random numbers, the environment, and pauses that nobody records.

/// Where a path may begin, if it has more than its last two segments. `time` is the module of `std` and `tokio`, and a crate.
pub(super) const ROOTS: [&str; 10] = [
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
    /// `elapsed` on a time that was recorded.
    Elapsed,
}

impl Kind {
    /// Whether this waits for a time, which its first argument tells.
    pub(super) fn pauses(self) -> bool {
        matches!(
            self,
            Self::Sleep | Self::SleepUntil | Self::Timeout | Self::Interval
        )
    }
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
    if owner == "time" && !["time", "tokio"].contains(&root) {
        // There is no pause in `std::time`.
        return None;
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

#[cfg(test)]
mod tests;
