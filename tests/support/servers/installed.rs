//! Where the programs of the servers are installed. The build script asks this too, so it needs the standard library alone.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Names the server that tests use instead of a private one.
pub(crate) const POSTGRES_URL: &str = "BELTS_TEST_POSTGRES_URL";
/// Names the server that tests use instead of a private one.
pub(crate) const REDIS_URL: &str = "BELTS_TEST_REDIS_URL";
/// Names the directory that has `initdb` and `postgres`.
pub(crate) const POSTGRES_BIN: &str = "BELTS_TEST_POSTGRES_BIN";

/// Where packages put PostgreSQL outside of the `PATH`: a directory, how the entry of each version begins, and where its
/// programs are.
const POSTGRES_PLACES: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
];

/// The directory that has `initdb` and `postgres`.
pub(crate) fn postgres() -> Option<PathBuf> {
    let complete = |directory: &PathBuf| {
        ["initdb", "postgres"]
            .iter()
            .all(|it| directory.join(it).is_file())
    };
    if let Some(directory) = env::var_os(POSTGRES_BIN) {
        return Some(PathBuf::from(directory)).filter(complete);
    }
    path().chain(versions()).find(complete)
}

/// The program `redis-server`.
pub(crate) fn redis() -> Option<PathBuf> {
    program("redis-server")
}

/// The program `pgbouncer`, which Debian puts where only root's `PATH` leads.
pub(crate) fn pgbouncer() -> Option<PathBuf> {
    let usual = PathBuf::from("/usr/sbin/pgbouncer");
    program("pgbouncer").or_else(|| usual.is_file().then_some(usual))
}

/// The program `nginx`, which packages put where only root's `PATH` leads.
pub(crate) fn nginx() -> Option<PathBuf> {
    let places = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"];
    let elsewhere = places.map(|place| Path::new(place).join("nginx"));
    program("nginx").or_else(|| elsewhere.into_iter().find(|path| path.is_file()))
}

/// The program `node`, where `npm` is beside it or elsewhere on the `PATH`.
#[allow(dead_code, reason = "only the build script asks")]
pub(crate) fn node() -> Option<PathBuf> {
    program("npm").and(program("node"))
}

/// The program `python3`, where it has `pip`.
#[allow(dead_code, reason = "only the build script asks")]
pub(crate) fn python() -> Option<PathBuf> {
    let python = program("python3")?;
    let pip = std::process::Command::new(&python)
        .args(["-m", "pip", "--version"])
        .output();
    pip.is_ok_and(|output| output.status.success())
        .then_some(python)
}

fn program(name: &str) -> Option<PathBuf> {
    path()
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// The directories of programs.
pub(crate) fn path() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = env::split_paths(&path)
        .filter(|it| it.is_absolute())
        .collect();
    directories.into_iter()
}

/// The directories of installed versions of PostgreSQL, the newest first.
fn versions() -> impl Iterator<Item = PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = POSTGRES_PLACES
        .iter()
        .flat_map(|(place, prefix, programs)| {
            let entries = fs::read_dir(Path::new(place))
                .into_iter()
                .flatten()
                .flatten();
            entries.filter_map(move |entry| {
                let name = entry.file_name();
                let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
                Some((version, entry.path().join(programs)))
            })
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, directory)| directory)
}
