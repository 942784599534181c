//! A shell that is the parent of a server: it ends the server and removes its files when the test's process ends.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

#[derive(Debug)]
pub(super) struct Keeper {
    shell: Child,
    /// `None` once it was told to end.
    input: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Keeper {
    /// Makes a directory, which goes with this value, for a server that is started by `command` with a port as the last
    /// argument.
    pub(super) fn begin(directory: &Path, last: &str, command: &Command) -> io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", include_str!("keeper.sh"), "keeper"])
            .arg(directory)
            .arg(last)
            .arg(command.get_program())
            .args(command.get_args())
            // Apart from the test's, so that Ctrl-C ends the test alone, which then ends this.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let answers = shell.stdout.take().expect("its output is piped");
        let mut keeper = Self {
            input: shell.stdin.take(),
            answers: BufReader::new(answers),
            shell,
        };
        // Its first answer comes when the directory is there.
        keeper.alive().map(|_| keeper)
    }

    /// Starts the server's process.
    pub(super) fn start(&mut self, port: u16) -> io::Result<()> {
        self.tell(&format!("start {port}")).map(drop)
    }

    /// Whether the server's process is there.
    pub(super) fn alive(&mut self) -> io::Result<bool> {
        Ok(self.tell("alive")? == "yes")
    }

    /// Ends the server's process by a signal, and returns when it has ended.
    pub(super) fn end(&mut self, signal: &str) -> io::Result<()> {
        self.tell(signal).map(drop)
    }

    fn tell(&mut self, words: &str) -> io::Result<String> {
        let input = self
            .input
            .as_mut()
            .expect("it is told to end only in `drop`");
        writeln!(input, "{words}")?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(io::Error::other(
                "the shell that keeps the server has ended",
            ));
        }
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.shell.wait());
    }
}
