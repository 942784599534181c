//! A private server on a port of its own: started, watched until it answers, stopped and started again.

use std::{
    collections::hash_map::RandomState,
    env, fs,
    hash::{BuildHasher as _, Hasher as _},
    io,
    net::TcpListener,
    path::PathBuf,
    process::{self, Command},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use belts::{Clock as _, SystemClock};

use super::keeper::Keeper;

/// How long a server may take until it answers, recovery after a crash included.
const READY: Duration = Duration::from_secs(60);

/// A server's process.
#[derive(Debug)]
pub(super) struct Server {
    keeper: Mutex<Keeper>,
    directory: PathBuf,
    port: u16,
    ready: fn(u16) -> bool,
}

/// A name for the directory of a server, below the one for temporary files.
pub(super) fn directory(server: &str) -> PathBuf {
    let (process, random) = (process::id(), random() & 0xffff_ffff);
    env::temp_dir().join(format!("belts-{server}-{process}-{random:08x}"))
}

impl Server {
    /// Makes `directory` and starts the server in it once `prepare` has filled it. `command` is completed by a port;
    /// `last` is the signal that ends the server for good; `ready` says whether a server answers on a port.
    pub(super) fn start(
        directory: PathBuf,
        last: &str,
        ready: fn(u16) -> bool,
        command: &Command,
        prepare: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Self> {
        let keeper = Keeper::begin(&directory, last, command)?;
        prepare()?;
        let mut server = Self {
            keeper: Mutex::new(keeper),
            directory,
            port: 0,
            ready,
        };
        for _ in 0..20 {
            server.port = free_port()?;
            match server.try_start() {
                // Somebody else took the port meanwhile.
                Err(error) if error.to_string().contains("ddress already in use") => {}
                started => return started.map(|()| server),
            }
        }
        Err(io::Error::other("no port stays free"))
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server by a signal, and returns when it has ended.
    pub(super) fn end(&self, signal: &str) -> io::Result<()> {
        self.keeper().end(signal)
    }

    /// Starts the server again, on the same port and data.
    pub(super) fn start_again(&self) -> io::Result<()> {
        let deadline = SystemClock.now().after(READY);
        loop {
            // What is left of the one before may hold the port, or the data, for a moment.
            match self.try_start() {
                Err(_) if SystemClock.now() < deadline => pause(),
                started => return started,
            }
        }
    }

    /// What the server said so far.
    pub(super) fn said(&self) -> String {
        let said = fs::read(self.directory.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    fn try_start(&self) -> io::Result<()> {
        let mut keeper = self.keeper();
        let before = self.said().len();
        keeper.start(self.port)?;
        let deadline = SystemClock.now().after(READY);
        loop {
            // In this order: who answers may be another server that has the port.
            let ready = (self.ready)(self.port);
            if !keeper.alive()? {
                return Err(self.failure("ended as soon as it was started", before));
            }
            if ready {
                return Ok(());
            }
            if SystemClock.now() > deadline {
                return Err(self.failure("does not answer", before));
            }
            pause();
        }
    }

    /// What went wrong, with the end of what the server said since a place in its log.
    fn failure(&self, what: &str, since: usize) -> io::Error {
        let said = self.said();
        let said: Vec<_> = said.get(since..).unwrap_or(&said).lines().collect();
        let end = said[said.len().saturating_sub(20)..].join("\n");
        io::Error::other(format!("the server {what}; it said at last:\n{end}"))
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port that nobody listens on now.
///
/// It lies below the ports that systems give to outgoing connections: one of those could otherwise take it while the
/// server is down, and a client that tries to reach it could even be connected with itself.
///
/// # Errors
/// A thousand ports were tried in vain.
pub fn free_port() -> io::Result<u16> {
    const FIRST: u64 = 12_000;
    const COUNT: u64 = 20_000;
    for _ in 0..1_000 {
        let port = u16::try_from(FIRST + random() % COUNT).map_err(io::Error::other)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other("no port is free"))
}

/// The standard library has no other random number.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn pause() {
    thread::sleep(Duration::from_millis(20));
}
