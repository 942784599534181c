//! Whom a server runs as.

use std::{io, os::unix::fs::chown, path::Path, process::Command};

/// Whom the server runs as: PostgreSQL refuses to run as root.
#[derive(Debug)]
pub(super) enum User {
    Ourselves,
    Other { user: u32, group: u32 },
}

impl User {
    /// Ourselves, unless that is root.
    pub(super) fn find() -> io::Result<Self> {
        if id("-u", None) != Some(0) {
            return Ok(Self::Ourselves);
        }
        let find = |name| Some((id("-u", Some(name))?, id("-g", Some(name))?));
        let (user, group) = ["postgres", "nobody"]
            .into_iter()
            .find_map(find)
            .ok_or_else(|| io::Error::other("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`"))?;
        Ok(Self::Other { user, group })
    }

    pub(super) fn give(&self, directory: &Path) -> io::Result<()> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { user, group } => chown(directory, Some(*user), Some(*group)),
        }
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let Self::Other { user, group } = self else {
            return Command::new(program);
        };
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={group}"));
        command.args(["--clear-groups", "--"]).arg(program);
        command
    }
}

/// The number of a user or group; the standard library does not tell.
fn id(of: &str, name: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(of).args(name).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Runs a command to its end; what it said is in the error.
pub(super) fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!(
        "{} ended with {}:\n{said}",
        command.get_program().display(),
        output.status
    )))
}
