//! What a server says about itself before it is used, and what belts asks of it.

use std::collections::HashMap;

use redis::Value;

use super::{
    error::{self, Fault, Part},
    link::Link,
    reply::{self, Row},
    script::Script,
};
use crate::error::{Error, ErrorKind, Result};

/// Scripts replicate by their effects, `SET` keeps a time to live, and `ZRANGE` does all that is asked of it.
const OLDEST: (u32, u32) = (6, 2);

/// Connects, makes sure that the server keeps what it is given, and makes scripts known to it.
pub(crate) async fn check(
    link: &Link,
    scripts: impl Iterator<Item = &'static Script>,
) -> Result<About> {
    let about = About::ask(link).await?;
    about.check(link)?;
    for script in scripts {
        let loaded = link.send(&script.load()).await;
        loaded.map_err(|error| refused(error, "SCRIPT LOAD", link))?;
    }
    Ok(about)
}

/// The answer of `INFO`.
pub(crate) struct About(HashMap<String, String>);

impl About {
    async fn ask(link: &Link) -> Result<Self> {
        let answer = link.send(&redis::cmd("INFO")).await;
        let answer = answer.map_err(|error| refused(error, "INFO", link))?;
        let lines = match answer {
            Value::VerbatimString { text, .. } => text,
            other => {
                let bytes = reply::raw(other);
                let bytes = bytes.map_err(|fault| link.error(fault))?;
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

    fn check(&self, link: &Link) -> Result<()> {
        let kept = match link.part() {
            Part::Store => "runs and workers' sessions",
            Part::Dispatcher => "messages",
        };
        let version = self.get("redis_version");
        let policy = self.get("maxmemory_policy");
        let wrong = if !is_new_enough(version) {
            format!("has version {version}, and belts needs 6.2 or later")
        } else if self.get("role") == "slave" {
            "is a read-only replica; use the URL of the primary".to_owned()
        } else if self.get("maxmemory") != "0" && evicts(policy, link.part()) {
            format!(
                "would throw {kept} away when its memory is full, as its `maxmemory-policy` is `{policy}`; \
                 set `maxmemory-policy noeviction`"
            )
        } else {
            return Ok(());
        };
        Err(config(link.address(), &wrong))
    }

    /// Says what could be lost with the server. Managed servers mostly hide their settings; they are believed then.
    pub(crate) async fn warn(&self, link: &Link) {
        let address = link.address();
        if self.get("maxmemory_policy").is_empty() {
            tracing::warn!(
                "Redis at {address} does not say what it does when its memory is full: make sure that its `maxmemory-policy` is \
                 `noeviction`, else it throws away what belts keeps there"
            );
        }
        if self.get("aof_enabled") == "0" {
            let lost = match link.part() {
                Part::Store => {
                    "published events and recorded steps with it, and recorded steps run again"
                }
                Part::Dispatcher => "messages that were sent with it",
            };
            tracing::warn!(
                "Redis at {address} keeps no append-only file: if it dies, everything since its last snapshot is gone, \
                 {lost}; set `appendonly yes`"
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

/// Whether a server of this policy throws away what is needed. Sessions and finished runs have a time to live; messages have not.
fn evicts(policy: &str, part: Part) -> bool {
    match part {
        Part::Store => !matches!(policy, "" | "noeviction"),
        Part::Dispatcher => policy.starts_with("allkeys"),
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

/// The error of a command that failed while opening.
pub(crate) fn refused(error: redis::RedisError, command: &str, link: &Link) -> Error {
    if error::word(&error) == "NOPERM" {
        let message = format!("does not let this user run {command}; grant it with `ACL SETUSER`");
        return config(link.address(), &message);
    }
    link.opening_error(Fault::from(error))
}

pub(crate) fn config(address: &str, wrong: &str) -> Error {
    Error::new(ErrorKind::Config, format!("Redis at {address} {wrong}"))
}
