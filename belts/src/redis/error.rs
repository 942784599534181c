//! What can go wrong with Redis, and which error the caller sees.

use std::fmt;

use redis::{RedisError, ServerErrorKind};

use crate::error::{Error, ErrorKind};

/// What of belts uses the server: errors speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Store,
    Dispatcher,
}

/// A failure of the server or of what it answers.
#[derive(Debug)]
pub(crate) enum Fault {
    Redis(RedisError),
    /// An answer that no script of ours gives.
    Reply(&'static str),
    /// A word that is not known, and that a newer version may have written.
    Word(&'static str),
}

/// Errors that Redis tells by a word. Before version 7 the errors of a script come wrapped in others, so the word is
/// looked for in the text as well.
const WORDS: [&str; 15] = [
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "BUSY",
    "OOM",
    "NOPERM",
    "NOAUTH",
    "WRONGPASS",
    "MISCONF",
    "NOREPLICAS",
    "MOVED",
    "WRONGTYPE",
    "NOGROUP",
];

/// The word of an error, or an empty text.
pub(crate) fn word(error: &RedisError) -> &'static str {
    let (code, detail) = (
        error.code().unwrap_or_default(),
        error.detail().unwrap_or_default(),
    );
    let is_meant = |word: &&&str| code == **word || detail.contains(&format!("-{word} "));
    WORDS.iter().find(is_meant).copied().unwrap_or_default()
}

/// Whether the connection is of no more use: it is lost, or its server has been demoted and an other one leads.
pub(crate) fn breaks_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.kind() == redis::ErrorKind::Parse
        || matches!(word(error), "READONLY" | "MASTERDOWN" | "CLUSTERDOWN")
}

pub(crate) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::Server(ServerErrorKind::NoScript)
}

impl Fault {
    /// Whether the same call may do better in a moment: the connection was lost, or the server is not ready.
    pub(crate) fn may_pass(&self) -> bool {
        let Self::Redis(error) = self else {
            return false;
        };
        error.is_io_error()
            || matches!(
                word(error),
                "LOADING" | "READONLY" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN" | "BUSY"
            )
    }

    /// The error that the caller sees.
    pub(crate) fn into_error(self, part: Part, address: &str) -> Error {
        let message = format!("Redis at {address} {}", self.what(part));
        match part {
            Part::Store => Error::store(message, self),
            Part::Dispatcher => Error::dispatcher(message, self),
        }
    }

    /// The error of what cannot be opened: what is the setting's, says what to set.
    pub(crate) fn into_opening_error(self, part: Part, address: &str) -> Error {
        let Self::Redis(error) = &self else {
            return self.into_error(part, address);
        };
        let Some(advice) = advice(error, part) else {
            return self.into_error(part, address);
        };
        Error::new(ErrorKind::Config, format!("Redis at {address} {advice}")).with_source(self)
    }

    fn what(&self, part: Part) -> &'static str {
        let Self::Redis(error) = self else {
            return "sent a response that cannot be interpreted";
        };
        match (word(error), part) {
            ("OOM", Part::Store) => {
                "is out of memory: raise `maxmemory`, or keep finished runs for a shorter time"
            }
            ("OOM", Part::Dispatcher) => {
                "is out of memory: raise `maxmemory`, or start more workers that receive"
            }
            ("LOADING", _) => "is still loading its data",
            ("READONLY", _) => "is a read-only replica",
            ("BUSY", _) => "is busy with a long script",
            ("NOPERM", _) => "does not let this user run a command that belts needs",
            ("NOAUTH" | "WRONGPASS", _) => "refuses the user or password of the URL",
            ("MISCONF", _) => "cannot write its data to disk, and takes no writes",
            ("NOREPLICAS", _) => "has too few replicas, and takes no writes",
            ("MOVED", Part::Store) => {
                "is a node of a cluster, and another node has the keys of this store"
            }
            ("MOVED", Part::Dispatcher) => {
                "is a node of a cluster, and another node has this stream"
            }
            ("WRONGTYPE", Part::Dispatcher) => {
                "has a key of another program in place of this stream: set another `stream` or `key_prefix`"
            }
            _ if error.is_timeout() => "does not answer",
            _ if error.is_io_error() => "cannot be reached",
            _ => "failed",
        }
    }
}

/// What to do about an error that will come again until a setting is changed.
fn advice(error: &RedisError, part: Part) -> Option<&'static str> {
    use redis::ErrorKind::{AuthenticationFailed, InvalidClientConfig};
    let detail = error.detail().unwrap_or_default();
    Some(match (word(error), part) {
        ("NOAUTH", _) => ASKS_FOR_PASSWORD,
        _ if detail.contains("Authentication required") => ASKS_FOR_PASSWORD,
        ("WRONGPASS", _) => REFUSES_PASSWORD,
        ("MOVED", Part::Store) => {
            "is a node of a cluster, and another node has the keys of this store: use the URL of that node, or another key prefix"
        }
        ("MOVED", Part::Dispatcher) => {
            "is a node of a cluster, and another node has this stream: use the URL of that node, or another key prefix"
        }
        ("WRONGTYPE", Part::Store) => {
            "has keys of another program under the prefix of this store: set another key prefix"
        }
        ("WRONGTYPE", Part::Dispatcher) => {
            "has a key of another program in place of this stream: set another `stream` or `key_prefix`"
        }
        _ => match error.kind() {
            AuthenticationFailed => REFUSES_PASSWORD,
            InvalidClientConfig => "cannot be connected to as the URL says",
            _ if error.to_string().contains("refused to switch database") => {
                "does not have the database that the URL names: the number after the host must be one of its `databases`, mostly 0 to 15"
            }
            _ => return None,
        },
    })
}

const ASKS_FOR_PASSWORD: &str = "asks for a password: put it into the URL, `redis://:password@host` or `redis://user:password@host`";
const REFUSES_PASSWORD: &str = "refuses the user or password of the URL";

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(error) => error.fmt(f),
            Self::Reply(what) => write!(f, "it has no {what} where one is expected"),
            Self::Word(what) => write!(
                f,
                "it has a {what} that this version of belts does not know"
            ),
        }
    }
}

impl std::error::Error for Fault {}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}
