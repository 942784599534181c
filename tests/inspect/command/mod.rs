//! The program `belts`, as people call it.

#[cfg(unix)]
mod asked;
mod bulk;
mod callbacks;
mod cancel_on;
mod changes;
mod failures;
mod functions;
mod hostile;
mod limits;
mod looks;
mod pauses;
mod progress;
mod project;
mod publish;
mod sealed;
mod settle;
mod tags;
mod waits;

use std::process::{Output, Stdio};

use belts::{Worker, WorkerBuilder};
use serde_json::Value;
use tokio::process::Command;

use crate::shop::*;

const TOKEN: &str = "correct-horse-battery-staple";

/// What the program said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn lines(&self) -> Vec<Value> {
        let lines = self.out.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    /// The output of a command that works.
    #[track_caller]
    fn good(&self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out.clone()
    }

    /// What is told of arguments that cannot be right.
    #[track_caller]
    fn usage(&self) -> String {
        assert_eq!((self.code, &*self.out), (2, ""), "{}", self.err);
        self.err.clone()
    }

    /// What is told of something that does not work.
    #[track_caller]
    fn failed(&self) -> String {
        assert_eq!(self.code, 1, "{}{}", self.out, self.err);
        self.err.clone()
    }
}

/// The program in an environment without variables of ours, but for these.
fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belts-program"));
    for name in [
        "STORE",
        "WORKER",
        "INSPECTION",
        "INSPECTION_TOKEN",
        "SIGNING_KEYS",
        "ENCRYPTION_KEYS",
    ] {
        command.env_remove(format!("BELTS_{name}"));
    }
    command.args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn belts_with(arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let output = program(arguments, variables).output();
    said(
        tokio::time::timeout(PATIENCE, output)
            .await
            .unwrap()
            .unwrap(),
    )
}

fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Arguments, variables, and a part of what is told of them.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

/// Where a program finds runs: arguments and variables.
struct At<'a>(&'a [&'a str], &'a [(&'a str, &'a str)]);

impl At<'_> {
    async fn belts(&self, arguments: &[&str]) -> Said {
        belts_with(&[arguments, self.0].concat(), self.1).await
    }
}

/// A worker in whose store one run has failed under a name of its own, and its loop and router.
async fn story(builder: WorkerBuilder, name: &str) -> (Worker, String, Serving) {
    let worker = with_failed_run(builder.inspection_token(TOKEN), name).await;
    let (url, serving) = served(&worker).await;
    (worker, url, serving)
}
