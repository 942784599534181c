//! A PostgreSQL of this demonstration's own, in a folder of its own.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};

/// Stops the server, and removes its files.
pub(crate) struct Server {
    process: Option<Child>,
    pub(crate) url: String,
    _folder: Option<tempfile::TempDir>,
}

impl Server {
    /// The one that `DATABASE_URL` names, or a new one.
    pub(crate) fn start() -> anyhow::Result<Self> {
        if let Ok(url) = env::var(crate::shop::DATABASE) {
            return Ok(Self {
                process: None,
                url,
                _folder: None,
            });
        }
        let programs = programs()?;
        let folder = tempfile::tempdir()?;
        let owner = owner()?;
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let data = folder.path().join("data");
        let mut initdb = command(&programs, "initdb", owner, folder.path());
        initdb
            .args([
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-U",
                "postgres",
                "--no-sync",
                "-D",
            ])
            .arg(&data);
        let made = initdb.output().context("initdb cannot be started")?;
        ensure!(
            made.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut postgres = command(&programs, "postgres", owner, folder.path());
        postgres
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()]);
        // Processes die here, and the machine does not.
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
        ] {
            postgres.args(["-c", setting]);
        }
        let process = postgres
            .stderr(Stdio::null())
            .spawn()
            .context("postgres cannot be started")?;
        Ok(Self {
            process: Some(process),
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            _folder: Some(folder),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Its own processes end with it, and so do the files.
            let told = Command::new("kill")
                .args(["-INT", &process.id().to_string()])
                .status();
            if !told.is_ok_and(|status| status.success()) {
                drop(process.kill());
            }
            drop(process.wait());
        }
    }
}

/// Where its programs are.
fn programs() -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let of_path = env::split_paths(&path).filter(|folder| folder.join("initdb").is_file());
    // Debian and Ubuntu have them out of the way.
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let of_debian = versions.map(|version| version.path().join("bin"));
    let mut all = of_path.chain(of_debian.filter(|folder| folder.join("initdb").is_file()));
    match all.next() {
        Some(folder) => Ok(folder),
        None => bail!(
            "PostgreSQL is not installed: install it (`apt install postgresql`), or set DATABASE_URL to an empty database"
        ),
    }
}

/// Root may not run it: whom it is to belong to then.
fn owner() -> anyhow::Result<Option<(u32, u32)>> {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata("/proc/self").map_or(1, |own| own.uid()) != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let postgres = users
        .lines()
        .find_map(|line| line.strip_prefix("postgres:"));
    let mut fields = postgres
        .context("PostgreSQL does not run as root, and there is no user `postgres`")?
        .split(':')
        .skip(1);
    let mut number = || fields.next().unwrap_or_default().parse::<u32>();
    Ok(Some((number()?, number()?)))
}

fn command(programs: &Path, program: &str, owner: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(programs.join(program));
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}
