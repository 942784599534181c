//! Installs packages of npm and `PyPI` into a directory, once for all tests and runs.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, sync::Mutex, time::timeout};

/// Downloads take so long at most.
const DEADLINE: Duration = Duration::from_secs(180);

/// What could not be installed, and why. Tests of one program install one after another, so that the second finds what the
/// first installed, or does not try again what failed.
static FAILED: Mutex<BTreeMap<&str, String>> = Mutex::const_new(BTreeMap::new());

/// Packages of npm, as `package.json` among the files names them.
///
/// # Errors
///
/// If npm is missing, or the packages cannot be installed.
pub async fn npm(parent: &Path, name: &'static str, files: &[(&str, &str)]) -> io::Result<PathBuf> {
    let npm = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--loglevel=error",
        "--fetch-retries=3",
        "--fetch-retry-mintimeout=1000",
        "--fetch-retry-maxtimeout=5000",
    ];
    installed(parent, name, files, &npm).await
}

/// Packages of `PyPI`, as `requirements.txt` among the files names them; they lie in `packages` beside the files.
///
/// # Errors
///
/// If Python or pip is missing, or the packages cannot be installed.
pub async fn pip(parent: &Path, name: &'static str, files: &[(&str, &str)]) -> io::Result<PathBuf> {
    let pip = [
        "python3",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target=packages",
        "--requirement=requirements.txt",
    ];
    installed(parent, name, files, &pip).await
}

/// A directory with these files and what `install` adds to them, named for what they say.
async fn installed(
    parent: &Path,
    name: &'static str,
    files: &[(&str, &str)],
    install: &[&str],
) -> io::Result<PathBuf> {
    let mut failed = FAILED.lock().await;
    let mut hash = DefaultHasher::new();
    files.hash(&mut hash);
    let complete = parent.join(format!("{name}-{:016x}", hash.finish()));
    if complete.is_dir() {
        return Ok(complete);
    }
    if let Some(why) = failed.get(name) {
        return Err(io::Error::other(why.clone()));
    }
    let fresh = parent.join(format!("{name}-{}", std::process::id()));
    let result = fill(&fresh, files, install)
        .await
        .and_then(|()| fs::rename(&fresh, &complete));
    if let Err(error) = &result {
        failed.insert(name, error.to_string());
        // What is left of it is in nobody's way.
        let _ = fs::remove_dir_all(&fresh);
    }
    result.map(|()| complete)
}

/// Makes the directory. It gets its name only once it is complete.
async fn fill(fresh: &Path, files: &[(&str, &str)], install: &[&str]) -> io::Result<()> {
    fs::create_dir_all(fresh)?;
    for (name, text) in files {
        fs::write(fresh.join(name), text)?;
    }
    run(install, fresh).await
}

async fn run(command: &[&str], directory: &Path) -> io::Result<()> {
    let mut install = Command::new(command[0]);
    install
        .args(&command[1..])
        .current_dir(directory)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(DEADLINE, install.output()).await??;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "`{}` failed: {why}",
        command.join(" ")
    )))
}
