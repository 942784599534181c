//! Installs the SDKs into a directory, once for all tests and runs.

use std::{
    io,
    path::{Path, PathBuf},
};

use belts_suite::install::{npm, pip};

/// The path of the program for npm's SDK.
pub(super) async fn node(directory: &Path) -> io::Result<PathBuf> {
    let files = [
        ("package.json", include_str!("package.json")),
        ("peer.mjs", include_str!("peer.mjs")),
    ];
    let installed = npm(directory, "qstash-npm", &files).await?;
    Ok(installed.join("peer.mjs"))
}

/// The path of the program for `PyPI`'s SDK; its packages lie beside it.
pub(super) async fn python(directory: &Path) -> io::Result<PathBuf> {
    let files = [
        ("requirements.txt", include_str!("requirements.txt")),
        ("peer.py", include_str!("peer.py")),
    ];
    Ok(pip(directory, "qstash-pypi", &files).await?.join("peer.py"))
}
