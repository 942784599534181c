//! Opening a database, and what may be wrong with its path.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use rusqlite::Connection;

use super::{
    Inner, Sqlite, blocking,
    builder::{SqliteBuilder, Synchronous},
    connect::{connect, connect_to_check},
    error::{Fault, config, file},
    files,
    liveness::Liveness,
    readers::Readers,
    schema,
    writer::Writer,
};
use crate::{
    environment::is_check,
    error::{Error, Result},
};

impl Sqlite {
    /// Opens a database, and creates it where there is none.
    ///
    /// # Errors
    /// As [`SqliteBuilder::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder(path).open().await
    }

    /// Opens a database with other settings than the usual ones.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// # let path = std::env::temp_dir().join(format!("belts-builder-{}.db", std::process::id()));
    /// use belts::store::{Sqlite, Synchronous};
    /// let store = Sqlite::builder(&path).synchronous(Synchronous::Normal).open().await?;
    /// # drop(store);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(path: impl AsRef<Path>) -> SqliteBuilder {
        SqliteBuilder::new(path.as_ref())
    }

    fn start(path: PathBuf, connection: Connection, synchronous: Synchronous) -> Result<Self> {
        let readers = Arc::new(Readers::new(path.clone()));
        let liveness = Liveness::new(&path);
        let writer = Arc::new(Writer::new(path, connection, synchronous));
        // From here on the commits of others are noticed, whenever somebody begins to wait for them.
        writer.look();
        let served = Arc::clone(&writer);
        let thread = std::thread::Builder::new()
            .name("belts-sqlite".into())
            .spawn(move || served.serve())
            .map_err(|error| {
                Error::store("cannot start the thread that writes to SQLite", error)
            })?;
        let inner = Inner {
            writer,
            readers,
            liveness,
            watch: OnceLock::new(),
            thread: Some(thread),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
}

impl SqliteBuilder {
    /// Opens the database, and creates it where there is none.
    ///
    /// # Errors
    /// Of kind [`Config`](crate::ErrorKind::Config): the directory is missing, the path cannot be written, or the file
    /// is not a database of this or an earlier version of belts. Of kind [`Store`](crate::ErrorKind::Store): anything
    /// that may pass, such as a lock of another process or a full disk.
    pub async fn open(self) -> Result<Sqlite> {
        blocking(move || self.open_blocking()).await
    }

    fn open_blocking(&self) -> Result<Sqlite> {
        check_path(&self.path)?;
        let path =
            std::path::absolute(&self.path).map_err(|error| file("find", &self.path, error))?;
        let writer = if is_check() {
            connect_to_check(&path)?
        } else {
            files::make_private(&path);
            connect(&path, self.synchronous)?
        };
        schema::migrate(&writer, &path)?;
        // Opening waits for others in SQLite's own way; the writer has its own.
        writer
            .busy_timeout(Duration::ZERO)
            .map_err(|error| Fault::from(error).into_error(&path))?;
        Sqlite::start(path, writer, self.synchronous)
    }
}

fn check_path(path: &Path) -> Result<()> {
    let shown = path.display();
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return Err(config(
            "SQLite needs the path of a file; for a store in memory use `Memory`".into(),
        ));
    }
    if path.is_dir() {
        return Err(config(format!(
            "{shown} is a directory, and SQLite needs the path of a file"
        )));
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => Err(config(format!(
            "the database {shown} cannot be created, since the directory {} does not exist",
            parent.display()
        ))),
        _ => Ok(()),
    }
}
