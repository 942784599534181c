//! An example as a process of its own, in a directory of its own.

use std::{
    process::{Output, Stdio},
    sync::LazyLock,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// Long enough for every wait, of which none should need it.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Where the examples lie, all of them built: of the default members, as this test was, so that nothing is built twice.
static BUILT: LazyLock<std::path::PathBuf> = LazyLock::new(|| {
    let mut cargo = belts_suite::cargo();
    let built = cargo.args(["build", "--quiet", "--examples"]).status();
    assert!(built.unwrap().success(), "the examples are built");
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples")
});

/// Its files and those that it puts among temporary ones go to `directory`.
pub(crate) fn command(example: &str, directory: &TempDir) -> Command {
    let mut command = Command::new(BUILT.join(example));
    command
        .current_dir(directory.path())
        .env("TMPDIR", directory.path())
        .kill_on_drop(true);
    command
}

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs it to its end; what it printed.
pub(crate) async fn run(command: Command) -> String {
    run_within(SOON, command).await
}

pub(crate) async fn run_within(time: Duration, mut command: Command) -> String {
    let output = tokio::time::timeout(time, command.output()).await;
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect("it ends soon").unwrap();
    let printed = String::from_utf8(stdout).unwrap();
    let errors = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{status}: {printed}\n{errors}");
    printed
}

/// An example that runs until it is told to end.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it prints after these words, which begin a line.
    pub(crate) async fn says(&mut self, words: &str) -> String {
        let said = async {
            loop {
                let line = self.lines.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("it ended without saying `{words}`"));
                if let Some(rest) = line.strip_prefix(words) {
                    return rest.to_owned();
                }
            }
        };
        let said = tokio::time::timeout(SOON, said).await;
        said.unwrap_or_else(|_| panic!("it does not say `{words}`"))
    }

    /// Asks it to end, as a system does, and waits until it has.
    pub(crate) async fn end(mut self) {
        let process = self.child.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &process]).status();
        assert!(told.await.unwrap().success());
        let ended = tokio::time::timeout(SOON, self.child.wait()).await;
        let status = ended.expect("it ends soon").unwrap();
        assert!(status.success(), "{status}");
    }
}
