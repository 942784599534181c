//! Installs the SDKs into a directory, once for all tests and runs.

use std::{
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

/// Tests of one program install one after another, so that the second finds what the first installed.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The path of the program for npm's SDK.
pub(super) async fn node(directory: &Path) -> io::Result<PathBuf> {
    let files = [
        ("package.json", include_str!("package.json")),
        ("peer.mjs", include_str!("peer.mjs")),
    ];
    let install = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--loglevel=error",
    ];
    installed(directory, "qstash-npm", &files, &install).await
}

/// The path of the program for `PyPI`'s SDK; its packages lie beside it.
pub(super) async fn python(directory: &Path) -> io::Result<PathBuf> {
    let files = [
        ("requirements.txt", include_str!("requirements.txt")),
        ("peer.py", include_str!("peer.py")),
    ];
    let pip = [
        "python3",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    let install = [
        &pip[..],
        &["--target=packages", "--requirement=requirements.txt"],
    ]
    .concat();
    installed(directory, "qstash-pypi", &files, &install).await
}

/// The last of the files, in a directory named for what they say. It gets its name once it is complete.
async fn installed(
    parent: &Path,
    name: &str,
    files: &[(&str, &str)],
    install: &[&str],
) -> io::Result<PathBuf> {
    let _guard = ONE_AT_A_TIME.lock().await;
    let mut hash = DefaultHasher::new();
    files.hash(&mut hash);
    let complete = parent.join(format!("{name}-{:016x}", hash.finish()));
    let program = complete.join(files.last().map_or("", |(name, _)| name));
    if complete.is_dir() {
        return Ok(program);
    }
    let fresh = parent.join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&fresh)?;
    for (name, text) in files {
        fs::write(fresh.join(name), text)?;
    }
    run(install, &fresh).await?;
    fs::rename(&fresh, &complete).or_else(|error| {
        if complete.is_dir() {
            Ok(())
        } else {
            Err(error)
        }
    })?;
    Ok(program)
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
