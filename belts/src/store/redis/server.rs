//! What a server says about itself before it is used, and what belts asks of it.

use std::collections::HashMap;

use redis::Value;

use super::{
    error::{self, Fault},
    link::Link,
    reply::{self, Row},
    script::{self, Call},
};
use crate::error::{Error, ErrorKind, Result};

/// The version of the layout of keys that this belts knows.
const FORMAT: u32 = 1;
/// Scripts replicate by their effects, `SET` keeps a time to live, and `ZRANGE` does all that is asked of it.
const OLDEST: (u32, u32) = (6, 2);

/// Connects, and makes sure that the server can keep runs.
pub(super) async fn check(link: &Link, keys: &str) -> Result<()> {
    let about = About::ask(link).await?;
    about.check(link.address())?;
    for script in script::all() {
        let loaded = link.send(&script.load()).await;
        loaded.map_err(|error| refused(error, "SCRIPT LOAD", link))?;
    }
    let answer = link.run(|_| Call::new(&script::OPEN, keys)).await;
    let answer = answer.map_err(|fault| match fault {
        Fault::Redis(error) => refused(error, "EVALSHA", link),
        fault @ Fault::Reply(_) => fault.into_opening_error(link.address()),
    })?;
    check_format(answer, link)?;
    about.warn(link).await;
    Ok(())
}

/// The answer of `INFO`.
struct About(HashMap<String, String>);

impl About {
    async fn ask(link: &Link) -> Result<Self> {
        let answer = link.send(&redis::cmd("INFO")).await;
        let answer = answer.map_err(|error| refused(error, "INFO", link))?;
        let lines = match answer {
            Value::VerbatimString { text, .. } => text,
            other => {
                let bytes = reply::raw(other);
                let bytes = bytes.map_err(|fault| fault.into_error(link.address()))?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        let pairs = lines.lines().filter_map(|line| line.split_once(':'));
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.trim().to_owned());
        Ok(Self(pairs.map(own).collect()))
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn check(&self, address: &str) -> Result<()> {
        let version = self.get("redis_version");
        let policy = self.get("maxmemory_policy");
        let wrong = if !is_new_enough(version) {
            format!("has version {version}, and belts needs 6.2 or later")
        } else if self.get("role") == "slave" {
            "is a read-only replica; use the URL of the primary".to_owned()
        } else if self.get("maxmemory") != "0" && policy.starts_with("allkeys") {
            format!(
                "would throw runs away when its memory is full, as its `maxmemory-policy` is `{policy}`; \
                 set `maxmemory-policy noeviction`"
            )
        } else {
            return Ok(());
        };
        Err(config(address, &wrong))
    }

    /// Says what could be lost with the server. Managed servers mostly hide their settings; they are believed then.
    async fn warn(&self, link: &Link) {
        let address = link.address();
        if self.get("aof_enabled") == "0" {
            tracing::warn!(
                "Redis at {address} keeps no append-only file: if it dies, everything since its last snapshot is gone, \
                 published events and recorded steps with it, and recorded steps run again; set `appendonly yes`"
            );
            return;
        }
        let mut ask = redis::cmd("CONFIG");
        ask.arg("GET").arg("appendfsync");
        let setting = link.send(&ask).await.ok().map(Row::of);
        if let Some(Ok(mut setting)) = setting
            && setting.raw().is_ok()
            && setting.raw().is_ok_and(|value| value == b"no")
        {
            tracing::warn!(
                "Redis at {address} leaves it to the system when its file reaches the disk (`appendfsync no`): \
                 if the machine dies, the last half minute may be gone; set `appendfsync everysec`"
            );
        }
    }
}

/// Servers that give no version of Redis are not known to lack anything.
fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => true,
    }
}

/// The answer to the script that opens: the format of the data, or a command that failed.
fn check_format(answer: Value, link: &Link) -> Result<()> {
    let address = link.address();
    if let Value::Array(_) = answer {
        let mut row = Row::of(answer).map_err(|fault| fault.into_error(address))?;
        let (command, why) = (row.text(), row.text());
        let (Ok(command), Ok(why)) = (command, why) else {
            return Err(Fault::Reply("command").into_error(address));
        };
        return Err(forbidden(address, &command, &why));
    }
    let format = reply::raw(answer).and_then(|bytes| reply::number::<u32>(&bytes));
    let format = format.map_err(|fault| fault.into_error(address))?;
    if format > FORMAT {
        return Err(config(
            address,
            &format!("holds data of format {format}, and this belts knows {FORMAT}; upgrade belts"),
        ));
    }
    Ok(())
}

/// The error of a command that failed in a script.
fn forbidden(address: &str, command: &str, why: &str) -> Error {
    // As Redis 6.2 and 7 say it, and as later ones do.
    if ["user executing the script", "ACL failure", "NOPERM"]
        .iter()
        .any(|words| why.contains(words))
    {
        let message = match command {
            "PUBLISH" => "does not let this user publish on the channel of this store".to_owned(),
            _ => format!("does not let this user run {command} on the keys of this store"),
        };
        return config(address, &format!("{message}; grant it with `ACL SETUSER`"));
    }
    let text = why.trim_start_matches('-');
    let (code, detail) = text.split_once(' ').unwrap_or((text, ""));
    let error = redis::make_extension_error(code.to_owned(), Some(detail.to_owned()));
    Fault::from(error).into_opening_error(address)
}

/// The error of a command that failed while opening.
fn refused(error: redis::RedisError, command: &str, link: &Link) -> Error {
    if error::word(&error) == "NOPERM" {
        let message = format!("does not let this user run {command}; grant it with `ACL SETUSER`");
        return config(link.address(), &message);
    }
    Fault::from(error).into_opening_error(link.address())
}

fn config(address: &str, wrong: &str) -> Error {
    Error::new(ErrorKind::Config, format!("Redis at {address} {wrong}"))
}
