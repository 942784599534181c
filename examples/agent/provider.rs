//! What the agent pays for: a model that is a stub, and the tools. A file has a line for each call, so that belts is not its own witness.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Names the file to the worker.
pub(crate) const ENV: &str = "AGENT_PROVIDER";

/// How long a reply takes, once it is paid for.
const REPLY: Duration = Duration::from_millis(400);

/// What the model says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    Tool(ToolCall),
    Answer(String),
}

/// A tool that the model wants to call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ToolCall {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) argument: String,
    pub(crate) needs_approval: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Provider(PathBuf);

impl Provider {
    pub(crate) fn from_env() -> Self {
        let path = std::env::var_os(ENV).unwrap_or_else(|| "provider.log".into());
        Self(path.into())
    }

    /// Asks the model for what comes next. It goes by how much was said.
    pub(crate) async fn think(&self, chat: &[String], key: &str) -> io::Result<Reply> {
        let turn = chat.len().div_ceil(2);
        let call = |name: &str, argument: &str| {
            Reply::Tool(ToolCall {
                id: format!("call-{turn}"),
                name: name.to_owned(),
                argument: argument.to_owned(),
                needs_approval: name == "buy",
            })
        };
        let reply = match turn {
            1 => call("search", "a soup for six"),
            2 => call("look-up", "prices"),
            3 => call("buy", "pumpkins"),
            4 => call("invite", "six guests"),
            _ => Reply::Answer(format!("soup for six, after {}", chat[0])),
        };
        self.pay(key, reply).await
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, call: &ToolCall, key: &str) -> io::Result<String> {
        self.pay(key, format!("{} done", call.name)).await
    }

    /// Each call costs, also one that was made before. The provider has the reply from then on, whoever is there to hear it.
    #[expect(clippy::disallowed_methods, reason = "a provider takes its time")]
    async fn pay<T: Serialize>(&self, key: &str, reply: T) -> io::Result<T> {
        self.write(&format!("paid {key} {}", serde_json::to_string(&reply)?))?;
        tokio::time::sleep(REPLY).await;
        Ok(reply)
    }

    /// The reply to a call of this key, if there was one.
    #[expect(clippy::unused_async, reason = "as a provider is asked")]
    pub(crate) async fn find<T: DeserializeOwned>(&self, key: &str) -> io::Result<Option<T>> {
        let text = std::fs::read_to_string(&self.0)?;
        let begin = format!("paid {key} ");
        let mut replies = text.lines().filter_map(|line| line.strip_prefix(&begin));
        Ok(replies.next().map(serde_json::from_str).transpose()?)
    }

    /// Sends a person the id of a callback, with what it is about.
    pub(crate) fn mail(&self, callback: &str, about: &str) -> io::Result<()> {
        self.write(&format!("asked {callback} {about}"))
    }

    /// One write for each line: a killed process leaves no half of one.
    fn write(&self, line: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(format!("{line}\n").as_bytes())
    }
}

/// What the provider has in its books.
#[derive(Debug, Default)]
pub(crate) struct Bill {
    /// How often each call was paid for.
    pub(crate) paid: BTreeMap<String, usize>,
    /// The callbacks that a person was sent, each with what it is about.
    pub(crate) asked: Vec<(String, String)>,
}

impl Bill {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut bill = Self::default();
        for line in text.lines() {
            match *line.splitn(3, ' ').collect::<Vec<_>>() {
                ["paid", key, _] => *bill.paid.entry(key.to_owned()).or_default() += 1,
                ["asked", id, about] => bill.asked.push((id.to_owned(), about.to_owned())),
                _ => {}
            }
        }
        bill
    }

    /// Whether a call whose key ends so was paid for.
    pub(crate) fn has(&self, end: &str) -> bool {
        self.paid.keys().any(|key| key.ends_with(end))
    }

    /// How many different calls of this kind were paid for.
    pub(crate) fn count(&self, kind: &str) -> usize {
        let kind = format!("/{kind}-");
        self.paid.keys().filter(|key| key.contains(&kind)).count()
    }

    pub(crate) fn paid_twice(&self) -> usize {
        self.paid.values().filter(|times| **times > 1).count()
    }
}
