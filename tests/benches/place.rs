//! Where runs are kept while they are measured: a new file, or a place of its own on a server.

use std::sync::OnceLock;

use belts_suite::servers;

use crate::{Outcome, measure::Directory};

/// A new place for runs. What it holds goes away with it.
pub(crate) struct Place {
    url: String,
    server: String,
    name: String,
    _keeps: Keeps,
}

/// What is removed at the end.
enum Keeps {
    File(#[expect(dead_code, reason = "held until it is dropped")] Directory),
    Schema(#[expect(dead_code, reason = "held until it is dropped")] servers::Schema),
    Prefix(#[expect(dead_code, reason = "held until it is dropped")] servers::Prefix),
}

impl Place {
    /// A new SQLite file.
    pub(crate) fn sqlite() -> Outcome<Self> {
        let directory = Directory::new()?;
        let file = directory.file("belts.db");
        let path = file.to_str().ok_or("the path is text")?.to_owned();
        Ok(Self {
            url: format!("sqlite://{path}"),
            server: String::new(),
            name: path,
            _keeps: Keeps::File(directory),
        })
    }

    /// A new schema on a PostgreSQL server with its usual settings: each commit waits for the disk.
    pub(crate) fn postgres() -> Outcome<Self> {
        static SERVER: OnceLock<servers::Postgres> = OnceLock::new();
        if SERVER.get().is_none() {
            drop(SERVER.set(servers::Postgres::options().start()?));
        }
        let schema = SERVER.get().ok_or("the server was started")?.schema();
        Ok(Self {
            url: format!("{}?schema={}", schema.url(), schema.name()),
            server: schema.url().to_owned(),
            name: schema.name().to_owned(),
            _keeps: Keeps::Schema(schema),
        })
    }

    /// A new prefix on a Redis server that writes a log and waits for the disk every second.
    pub(crate) fn redis() -> Outcome<Self> {
        static SERVER: OnceLock<servers::Redis> = OnceLock::new();
        if SERVER.get().is_none() {
            let options = servers::Redis::options()
                .setting("appendonly", "yes")
                .setting("appendfsync", "everysec");
            drop(SERVER.set(options.start()?));
        }
        let prefix = SERVER.get().ok_or("the server was started")?.prefix();
        Ok(Self {
            url: format!("{}?key_prefix={}", prefix.url(), prefix.name()),
            server: prefix.url().to_owned(),
            name: prefix.name().to_owned(),
            _keeps: Keeps::Prefix(prefix),
        })
    }

    /// The store's URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The server's URL.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The schema or prefix.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
