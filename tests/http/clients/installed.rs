//! The HTTP clients among the examples, installed with the packages of their own ecosystems.

use std::{io, path::Path};

use tokio::process::Command;

use belts_suite::install::{npm, pip};

/// `examples/clients/publish.mjs`, with the npm package that it imports; installed somewhere below `directory`.
pub(super) async fn node(directory: &Path) -> io::Result<Command> {
    let files = [
        ("package.json", include_str!("package.json")),
        (
            "publish.mjs",
            include_str!("../../../examples/clients/publish.mjs"),
        ),
    ];
    let installed = npm(directory, "client-npm", &files).await?;
    let mut command = Command::new("node");
    command.arg(installed.join("publish.mjs"));
    Ok(command)
}

/// `examples/clients/publish.py`, with the package of `PyPI` that it imports; installed somewhere below `directory`.
pub(super) async fn python(directory: &Path) -> io::Result<Command> {
    let files = [
        ("requirements.txt", include_str!("requirements.txt")),
        (
            "publish.py",
            include_str!("../../../examples/clients/publish.py"),
        ),
    ];
    let installed = pip(directory, "client-pypi", &files).await?;
    let mut command = Command::new("python3");
    command
        .env("PYTHONPATH", installed.join("packages"))
        .arg(installed.join("publish.py"));
    Ok(command)
}
