//! Programs of other hands: the service's own SDKs, which speak to the mock and judge its signatures.
//!
//! They are installed once into a directory of the target, from the registries of npm and `PyPI`; the versions stand in
//! `package.json` and `requirements.txt`.

mod install;

use std::{fmt, io, path::Path, process::Stdio, time::Duration};

use belts_qstash_mock::{Delivery, Forged, Keys, Mock};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A running SDK. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    calls: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// What its receiver calls the tolerance of clocks.
    tolerance: &'static str,
    /// Killed when it is dropped.
    _process: Child,
}

/// What an SDK said of a call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerError {
    /// The class of the error.
    pub(crate) name: String,
    /// Its message.
    pub(crate) message: String,
    /// The HTTP status, where the error knows it.
    pub(crate) status: Option<u64>,
}

const CALL: Duration = Duration::from_secs(60);

impl Peer {
    /// The npm package `@upstash/qstash`, a client of this mock; installed somewhere below `directory`.
    ///
    /// # Errors
    ///
    /// If node or npm is missing, or the package cannot be installed.
    pub(crate) async fn node(mock: &Mock, directory: &Path) -> io::Result<Self> {
        Self::node_with_token(mock, mock.token(), directory).await
    }

    /// [`node`](Self::node) with another token than the mock's.
    ///
    /// # Errors
    ///
    /// If node or npm is missing, or the package cannot be installed.
    pub(crate) async fn node_with_token(
        mock: &Mock,
        token: &str,
        directory: &Path,
    ) -> io::Result<Self> {
        let mut command = Command::new("node");
        command.arg(install::node(directory).await?);
        Self::start(command, [mock.url(), token], "clockTolerance")
    }

    /// The `PyPI` package `qstash`, a client of this mock; installed somewhere below `directory`.
    ///
    /// # Errors
    ///
    /// If Python or pip is missing, or the package cannot be installed.
    pub(crate) async fn python(mock: &Mock, directory: &Path) -> io::Result<Self> {
        Self::python_with_token(mock, mock.token(), directory).await
    }

    /// [`python`](Self::python) with another token than the mock's.
    ///
    /// # Errors
    ///
    /// If Python or pip is missing, or the package cannot be installed.
    pub(crate) async fn python_with_token(
        mock: &Mock,
        token: &str,
        directory: &Path,
    ) -> io::Result<Self> {
        let program = install::python(directory).await?;
        let mut command = Command::new("python3");
        command
            .env("PYTHONPATH", program.with_file_name("packages"))
            .arg(program);
        Self::start(command, [mock.url(), token], "clock_tolerance")
    }

    fn start(
        mut command: Command,
        arguments: [&str; 2],
        tolerance: &'static str,
    ) -> io::Result<Self> {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_lowercase();
            if text.contains("qstash") || text.ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        let command = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.kill_on_drop(true).spawn()?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (calls, answers) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            calls,
            answers: BufReader::new(answers).lines(),
            tolerance,
            _process: process,
        })
    }

    /// Makes a call. `arguments` is a list for npm's, an object with names for Python's.
    ///
    /// # Errors
    ///
    /// What the SDK threw.
    ///
    /// # Panics
    ///
    /// If the program ended, or takes longer than a minute.
    pub(crate) async fn call(&mut self, call: &str, arguments: Value) -> Result<Value, PeerError> {
        self.ask(json!({ "call": call, "arguments": arguments }))
            .await
    }

    /// Makes a call of npm's `client.queue(…)`.
    ///
    /// # Errors
    ///
    /// What the SDK threw.
    ///
    /// # Panics
    ///
    /// If the program ended, or takes longer than a minute.
    pub(crate) async fn call_queue(
        &mut self,
        queue: &str,
        call: &str,
        arguments: Value,
    ) -> Result<Value, PeerError> {
        self.ask(json!({ "queue": queue, "call": call, "arguments": arguments }))
            .await
    }

    /// Asks the SDK's receiver about a forged token, each time that it is shown.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    ///
    /// # Panics
    ///
    /// If the program ended, or takes longer than a minute.
    pub(crate) async fn verify(&mut self, keys: &Keys, forged: &Forged) -> Result<(), PeerError> {
        let mut request = json!({
            "signature": forged.token,
            "body": String::from_utf8_lossy(&forged.body),
            self.tolerance: forged.tolerance,
        });
        if let Some(url) = &forged.url {
            request["url"] = json!(url);
        }
        for _ in 0..forged.times {
            let call =
                json!({ "call": "verify", "keys": keys, "now": forged.now, "request": request });
            self.ask(call).await?;
        }
        Ok(())
    }

    /// Asks the SDK's receiver about a delivery, at the time of the machine.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    ///
    /// # Panics
    ///
    /// If the program ended, or takes longer than a minute.
    pub(crate) async fn verify_delivery(
        &mut self,
        keys: &Keys,
        delivery: &Delivery,
    ) -> Result<(), PeerError> {
        let request = json!({
            "signature": delivery.header("upstash-signature"),
            "body": String::from_utf8_lossy(&delivery.body),
            "url": delivery.url,
        });
        let call = json!({ "call": "verify", "keys": keys, "now": null, "request": request });
        self.ask(call).await.map(drop)
    }

    async fn ask(&mut self, call: Value) -> Result<Value, PeerError> {
        let answer = timeout(CALL, self.exchange(call.to_string() + "\n")).await;
        let answer = answer
            .expect("the SDK answers within a minute")
            .expect("the SDK's program runs");
        match answer.get("error") {
            None => Ok(answer["result"].clone()),
            Some(error) => Err(PeerError {
                name: error["name"].as_str().unwrap_or_default().to_owned(),
                message: error["message"].as_str().unwrap_or_default().to_owned(),
                status: error["status"].as_u64(),
            }),
        }
    }

    async fn exchange(&mut self, call: String) -> io::Result<Value> {
        self.calls.write_all(call.as_bytes()).await?;
        let answer = self
            .answers
            .next_line()
            .await?
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl std::error::Error for PeerError {}
