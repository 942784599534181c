//! The files of a database: who may read them, and whether they are still where they were.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::error::Fault;

/// How often it is asked whether the files are still there: far less often than a fast disk commits.
const INTERVAL: Duration = Duration::from_millis(50);

/// Makes the file of a new database, so that only its owner can read it, whatever the umask; SQLite gives the files beside it the
/// same mode. One that is there keeps its mode, and whoever starts the program is told if others may read it.
///
/// Nothing is opened that was there: to close it would give back the locks of other connections of this process.
pub(super) fn make_private(database: &Path) {
    match private::new_file(database, 0o600) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => warn_if_open(database),
        // To open the database says more.
        Err(error) => tracing::debug!(path = %database.display(), %error, "cannot make the file"),
    }
}

fn warn_if_open(database: &Path) {
    if let Some(mode) = private::mode(database)
        && mode & 0o044 != 0
    {
        tracing::warn!(
            path = %database.display(), mode = format!("{mode:03o}"),
            "other users can read the database; if they should not, run chmod 600 on it and on its -wal and -shm files"
        );
    }
}

/// Makes the directory of the workers' lock files, for those who may read the database.
pub(super) fn make_directory(directory: &Path, database: &Path) -> io::Result<()> {
    let mode = private::mode(database).unwrap_or(0o600) & 0o666;
    // Who may read may enter.
    private::new_directory(directory, mode | ((mode & 0o444) >> 2))
}

/// Makes an empty lock file in it.
pub(super) fn make_lock(file: &Path, database: &Path) -> io::Result<fs::File> {
    private::lock_file(
        file,
        (private::mode(database).unwrap_or(0o600) & 0o666) | 0o600,
    )
}

/// Tells whether the files are still those that were opened.
pub(super) struct Presence {
    files: Vec<(PathBuf, private::Identity)>,
    begun: Instant,
    /// When they were looked at last, in milliseconds since `begun`.
    looked: AtomicU64,
    gone: AtomicBool,
}

impl Presence {
    /// Remembers the files of a database that was opened just now.
    pub(super) fn new(database: &Path) -> Self {
        let mut log = OsString::from(database);
        log.push("-wal");
        let files = [database.to_owned(), log.into()];
        let files = files.into_iter().filter_map(|path| {
            let identity = private::identity(&path)?;
            Some((path, identity))
        });
        Self {
            files: files.collect(),
            begun: instant(),
            looked: AtomicU64::new(0),
            gone: AtomicBool::new(false),
        }
    }

    /// Whether this path leads to the database.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let first = self.files.first();
        first.is_some_and(|(_, identity)| private::identity(path).as_ref() == Some(identity))
    }

    /// An error if the files are no longer there; looks now and then.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        if u128::from(now.saturating_sub(looked)) >= INTERVAL.as_millis() {
            self.looked.store(now, Ordering::Relaxed);
            self.look();
        }
        if self.gone.load(Ordering::Relaxed) {
            return Err(Fault::Gone);
        }
        Ok(())
    }

    fn look(&self) {
        let other = self
            .files
            .iter()
            .find(|(path, identity)| private::identity(path).as_ref() != Some(identity));
        let was_gone = self.gone.swap(other.is_some(), Ordering::Relaxed);
        match other {
            Some((path, _)) if !was_gone => tracing::error!(
                path = %path.display(),
                "the database file was removed or replaced while in use: every request is refused; restore the file, or \
                 restart this process"
            ),
            None if was_gone => tracing::info!("the database files are back"),
            _ => {}
        }
    }
}

#[cfg(unix)]
mod private {
    use std::{
        fs::{self, DirBuilder, File, Permissions},
        io,
        os::unix::fs::{
            DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
        },
        path::Path,
    };

    /// The device and the number of a file on it.
    pub(super) type Identity = (u64, u64);

    pub(super) fn identity(path: &Path) -> Option<Identity> {
        let file = fs::metadata(path).ok()?;
        Some((file.dev(), file.ino()))
    }

    pub(super) fn mode(path: &Path) -> Option<u32> {
        Some(fs::metadata(path).ok()?.mode() & 0o777)
    }

    pub(super) fn new_file(path: &Path, mode: u32) -> io::Result<()> {
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(mode).open(path)?;
        file.set_permissions(Permissions::from_mode(mode))
    }

    pub(super) fn new_directory(path: &Path, mode: u32) -> io::Result<()> {
        match DirBuilder::new().mode(mode).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
            Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        }
    }

    pub(super) fn lock_file(path: &Path, mode: u32) -> io::Result<File> {
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(true).mode(mode);
        let file = options.open(path)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(file)
    }
}

/// Where files have no modes, and none can be removed that is in use.
#[cfg(not(unix))]
mod private {
    use std::{
        fs::{self, File},
        io,
        path::Path,
    };

    pub(super) type Identity = ();

    pub(super) fn identity(_: &Path) -> Option<Identity> {
        None
    }

    pub(super) fn mode(_: &Path) -> Option<u32> {
        None
    }

    pub(super) fn new_file(_: &Path, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn new_directory(path: &Path, _: u32) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    pub(super) fn lock_file(path: &Path, _: u32) -> io::Result<File> {
        File::create(path)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how often files are looked at is no matter of the worker's clock"
)]
fn instant() -> Instant {
    Instant::now()
}
