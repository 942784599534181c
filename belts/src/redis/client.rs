//! From settings to a client: URLs, names that become parts of keys, and the cryptography of TLS.

use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, io::tcp::TcpSettings,
};

use super::error::Part;
use crate::error::{Error, ErrorKind, Result};

/// The longest name, in bytes: it is a part of every key.
const LONGEST_NAME: usize = 64;

/// A name that may be a part of keys. `what` says whose it is.
pub(crate) fn checked_name<'a>(what: &str, name: &'a str) -> Result<&'a str> {
    let wrong = if name.is_empty() {
        "is empty"
    } else if name.len() > LONGEST_NAME {
        "is longer than 64 bytes"
    } else if name.contains(['{', '}']) {
        "has a brace, and braces tell a cluster which node has a key"
    } else if name.contains(char::is_control) {
        "has a control character"
    } else {
        return Ok(name);
    };
    Err(config(format!("{what} {wrong}")))
}

/// A client of the server that the URL names; it connects later.
pub(crate) fn client(url: &str, part: Part) -> Result<Client> {
    let part = match part {
        Part::Store => "store",
        Part::Dispatcher => "dispatcher",
    };
    let unreadable = |error: redis::RedisError| {
        let message = format!(
            "the URL of the Redis {part} cannot be read; write `redis://[user][:password@]host[:port][/database]`"
        );
        config(message).with_source(error.category().to_owned())
    };
    let info = url.into_connection_info().map_err(unreadable)?;
    if let ConnectionAddr::TcpTls { .. } = info.addr() {
        install_cryptography();
    }
    Client::open(without_delay(info)).map_err(unreadable)
}

/// Small writes that follow each other must not wait for the answer to the first.
fn without_delay(info: ConnectionInfo) -> ConnectionInfo {
    let settings = TcpSettings::default().set_nodelay(true);
    info.set_tcp_settings(settings)
}

/// Chooses the cryptography of TLS, where the program has not chosen its own.
fn install_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster, and that is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}
