//! A worker process from the outside: started, stopped, continued and killed.

use std::{
    fs::OpenOptions,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use crate::{Failure, trail::Process, worker};

#[derive(Debug)]
pub(crate) struct Victim {
    directory: PathBuf,
    store: String,
    /// Restarts under the same name, where it has one.
    name: Option<&'static str>,
    log: &'static Process,
    child: Child,
}

impl Victim {
    pub(crate) fn start(
        directory: &Path,
        store: &str,
        name: Option<&'static str>,
        dice: u64,
        log: &'static Process,
    ) -> Result<Self, Failure> {
        let child = spawn(directory, store, name, dice)?;
        log.write("test", &format!("spawn {}", child.id()));
        Ok(Self {
            directory: directory.to_owned(),
            store: store.to_owned(),
            name,
            log,
            child,
        })
    }

    pub(crate) fn restart(&mut self, dice: u64) -> Result<(), Failure> {
        *self = Self::start(&self.directory, &self.store, self.name, dice, self.log)?;
        Ok(())
    }

    /// Kills it where it stands; it must not have ended before by itself.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!(
                "worker {} ended by itself: {status}; see worker.err",
                self.child.id()
            )
            .into());
        }
        self.child.kill()?;
        self.child.wait()?;
        // After it is gone, so that every line of it stands before this one.
        self.log.write("test", &format!("kill {}", self.child.id()));
        Ok(())
    }

    /// Stops it where it stands, as a suspended virtual machine or a long page-in would.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        self.signal("STOP")?;
        self.log.write("test", &format!("stop {}", self.child.id()));
        Ok(())
    }

    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        // Before it goes on, so that every later line of it stands after this one.
        self.log.write("test", &format!("cont {}", self.child.id()));
        self.signal("CONT")
    }

    /// Asks it to end.
    pub(crate) fn ask_to_end(&self) -> Result<(), Failure> {
        self.signal("TERM")
    }

    /// Whether the end of a process that was asked for it is a good one. One that was still starting ends by the signal itself.
    pub(crate) fn ended_well(&self, status: ExitStatus) -> bool {
        const SIGTERM: i32 = 15;
        let by_signal = status.signal() == Some(SIGTERM);
        status.success()
            || by_signal && !worker::listening(&self.directory, self.child.id()).exists()
    }

    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        Ok(self.child.try_wait()?)
    }

    // The standard library sends SIGKILL only, and unsafe code for the rest is forbidden here.
    fn signal(&self, signal: &str) -> Result<(), Failure> {
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.child.id().to_string())
            .status()?;
        if sent.success() {
            Ok(())
        } else {
            Err(format!("kill -{signal} {}: {sent}", self.child.id()).into())
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // No worker outlives the test, whatever came of it.
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn spawn(directory: &Path, store: &str, name: Option<&str>, dice: u64) -> Result<Child, Failure> {
    let errors = OpenOptions::new()
        .append(true)
        .create(true)
        .open(directory.join("worker.err"))?;
    // Those without a name are of the new version. The others change theirs as they are restarted, as while it is being
    // deployed and rolled back.
    let old = name.is_some() && dice.is_multiple_of(2);
    let mut command = Command::new(program(old)?);
    command
        .env(worker::DIRECTORY, directory)
        .env(worker::STORE, store)
        .env(worker::DICE, dice.to_string());
    // Steps panic on purpose.
    command.env("RUST_BACKTRACE", "0");
    command.env(worker::VERSION, if old { "old" } else { "new" });
    if let Some(name) = name {
        command.env(worker::NAME, name);
    }
    // The worker ends when its input does.
    Ok(command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()?)
}

/// This program, or for the old version the one that is named: this suite as an earlier release built it.
fn program(old: bool) -> std::io::Result<PathBuf> {
    match std::env::var_os("BELTS_TORTURE_OLD") {
        Some(earlier) if old => Ok(earlier.into()),
        _ => std::env::current_exe(),
    }
}
