//! Who has died: each session holds the lock of a file, which the system releases with the process.
//!
//! The files lie in a directory beside the database, named by the number of the session. A file appears under its name
//! only when it is locked, so whoever can lock it knows that its process has ended. A missing file says nothing.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::files;
use crate::store::WorkerId;

/// How often the files of others are tried.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Liveness {
    database: PathBuf,
    directory: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The locks of the sessions of this store.
    held: HashMap<WorkerId, File>,
    last_look: Option<Instant>,
}

/// Sessions whose processes have ended. Their locks are held until this is dropped, so that nobody else finds them.
#[derive(Debug, Default)]
pub(super) struct Dead {
    files: Vec<(WorkerId, PathBuf, File)>,
}

impl Liveness {
    pub(super) fn new(database: &Path) -> Self {
        let mut directory = OsString::from(database);
        directory.push("-workers");
        Self {
            database: database.to_owned(),
            directory: directory.into(),
            state: Mutex::default(),
        }
    }

    /// Takes the lock of a session of ours.
    ///
    /// A file system without locks is no reason not to work: the end of the lease then tells.
    pub(super) fn hold(&self, worker: WorkerId) {
        match self.lock_new(worker) {
            Ok(file) => {
                self.state().held.insert(worker, file);
            }
            Err(error) => tracing::warn!(
                directory = %self.directory.display(), %error,
                "cannot create this worker's lock file; if it dies, others notice only when its lease expires"
            ),
        }
    }

    /// Gives the lock of a session back, if we have it, and removes its file.
    pub(super) fn release(&self, worker: WorkerId) {
        let held = self.state().held.remove(&worker);
        // A session of the same name that we took over may have left its file.
        drop(fs::remove_file(self.file(worker)));
        drop(held);
    }

    /// The sessions of others whose processes have ended; looks at most once a second.
    pub(super) fn dead(&self) -> Dead {
        let mut state = self.state();
        if state
            .last_look
            .is_some_and(|last| last.elapsed() < INTERVAL)
        {
            return Dead::default();
        }
        state.last_look = Some(instant());
        let Ok(files) = fs::read_dir(&self.directory) else {
            return Dead::default();
        };
        let dead = files.flatten().filter_map(|file| {
            let path = file.path();
            let worker = session_of(&path).filter(|worker| !state.held.contains_key(worker))?;
            let file = lock_of_dead(&path)?;
            Some((worker, path, file))
        });
        Dead {
            files: dead.collect(),
        }
    }

    fn lock_new(&self, worker: WorkerId) -> std::io::Result<File> {
        files::make_directory(&self.directory, &self.database)?;
        let draft = self.directory.join(format!("{}.new", worker.0));
        let file = files::make_lock(&draft, &self.database)?;
        let locked = file.try_lock().map_err(std::io::Error::from);
        if let Err(error) = locked.and_then(|()| fs::rename(&draft, self.file(worker))) {
            drop(fs::remove_file(&draft));
            return Err(error);
        }
        Ok(file)
    }

    fn file(&self, worker: WorkerId) -> PathBuf {
        self.directory.join(format!("{}.lock", worker.0))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dead {
    pub(super) fn workers(&self) -> Vec<WorkerId> {
        self.files.iter().map(|(worker, ..)| *worker).collect()
    }

    /// Removes the files, once it is committed that the sessions have ended.
    pub(super) fn bury(self) {
        for (_, path, _) in &self.files {
            drop(fs::remove_file(path));
        }
    }
}

fn session_of(path: &Path) -> Option<WorkerId> {
    if path.extension()? != "lock" {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok().map(WorkerId)
}

fn lock_of_dead(path: &Path) -> Option<File> {
    let file = File::options().read(true).write(true).open(path).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how often files are looked at is no matter of the worker's clock"
)]
fn instant() -> Instant {
    Instant::now()
}
