//! Configuration by environment.

mod unknown;

use std::env::VarError;

use crate::{
    dispatch_url,
    error::{Error, ErrorKind, Result},
    store_url,
    worker::{Worker, WorkerBuilder},
};

/// Where runs are kept if nothing is said.
pub(crate) const DEFAULT_STORE: &str = "sqlite://belts.db";

/// How a variable is looked up; tests look elsewhere than in the environment.
type Lookup<'a> = &'a dyn Fn(&str) -> Result<String, VarError>;

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Config {
    store: String,
    dispatcher: Option<String>,
    concurrency: Option<usize>,
    max_crashes: Option<u32>,
    #[cfg(feature = "http")]
    pub(crate) addr: String,
    #[cfg(feature = "http")]
    url: Option<String>,
    #[cfg(feature = "http")]
    keys: Vec<crate::http::SigningKey>,
    #[cfg(feature = "http")]
    inspection_token: Option<crate::http::InspectionToken>,
    #[cfg(feature = "http")]
    inspection_local: bool,
    #[cfg(feature = "http")]
    insecure: bool,
}

impl Worker {
    /// A worker with every function in the program, set up by the environment:
    ///
    /// | variable | default | |
    /// |---|---|---|
    /// | `BELTS_STORE` | `sqlite://belts.db` | where runs are kept: `sqlite:///abs/path.db?synchronous=normal`, `postgres://user:password@host/database?schema=belts&retry_for=10s` (feature `postgres`), `redis://:password@host:6379?key_prefix=belts&ttl=7d&retry_for=10s` (feature `redis`), `memory:` |
    /// | `BELTS_DISPATCHER` | `store` | how events reach a worker: `http` (feature `http-dispatch`; posts to `BELTS_URL`), `redis://host:6379?stream=messages&group=belts&visibility=30s` (`redis`), `sqs://sqs.eu-west-1.amazonaws.com/123456789012/orders` (`sqs`), `qstash` (`qstash`; with `QSTASH_TOKEN`, `QSTASH_CURRENT_SIGNING_KEY`, `QSTASH_NEXT_SIGNING_KEY`) |
    /// | `BELTS_CONCURRENCY` | `64` | the most runs at once |
    /// | `BELTS_MAX_CRASHES` | `5` | how often in a row a process may die with a run in hand before the run fails |
    /// | `BELTS_ADDR` | `127.0.0.1:8787` | where [`serve`](crate::serve()) listens |
    /// | `BELTS_URL` | none | where the router is reached from outside, to which dispatchers post |
    /// | `BELTS_SIGNING_KEYS` | none | the keys of deliveries, separated by commas; the first signs |
    /// | `BELTS_INSPECTION_TOKEN` | none | the token of those who may [inspect runs](crate::guide::inspection) over HTTP; without it nobody may, unless `serve` makes one on a development machine |
    /// | `BELTS_INSPECTION` | none | `local` says that this is a development machine, on which whoever is there may inspect without a token |
    /// | `BELTS_INSECURE` | `0` | `1` lets the router take deliveries without a signing key, and `serve` listen beyond this machine |
    ///
    /// A variable that is set to nothing counts as not set. One that begins with `BELTS_` and that nothing reads is warned of,
    /// with the nearest that is read.
    ///
    /// ```no_run
    /// # async fn example() -> belts::Result<()> {
    /// let worker = belts::Worker::from_env().await?;
    /// worker.install();
    /// worker.run().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`WorkerBuilder::build`]; and a value is wrong: the error names the variable and says what is right.
    pub async fn from_env() -> Result<Self> {
        WorkerBuilder::from_env()?.build().await
    }
}

impl WorkerBuilder {
    /// A builder that has what the environment says, by the variables of [`Worker::from_env`] but for `BELTS_ADDR`; what is set on
    /// it afterwards counts in their place.
    ///
    /// ```no_run
    /// # async fn example(pool: String, app: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = belts::WorkerBuilder::from_env()?.state(pool).build().await?;
    /// let app = app.nest_service("/belts", worker.router());
    /// worker.serve_with(app, tokio::net::TcpListener::bind("127.0.0.1:3000").await?).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A value is wrong: the error names the variable and says what is right.
    pub fn from_env() -> Result<Self> {
        Ok(Config::from_env()?.builder())
    }
}

impl Config {
    pub(crate) fn from_env() -> Result<Self> {
        unknown::warn(std::env::vars_os().map(|(name, _)| name));
        Self::read(&|name| std::env::var(name))
    }

    fn read(lookup: Lookup<'_>) -> Result<Self> {
        let store = variable(lookup, "BELTS_STORE")?.unwrap_or_else(|| DEFAULT_STORE.to_owned());
        store_url::check(&store).map_err(|wrong| config(format!("BELTS_STORE {wrong}")))?;
        let dispatcher = variable(lookup, "BELTS_DISPATCHER")?;
        if let Some(dispatcher) = &dispatcher {
            dispatch_url::check(dispatcher)
                .map_err(|wrong| config(format!("BELTS_DISPATCHER {wrong}")))?;
        }
        let concurrency = variable(lookup, "BELTS_CONCURRENCY")?;
        let max_crashes = variable(lookup, "BELTS_MAX_CRASHES")?;
        Ok(Self {
            store,
            dispatcher,
            concurrency: concurrency.as_deref().map(read_concurrency).transpose()?,
            max_crashes: max_crashes.as_deref().map(read_max_crashes).transpose()?,
            #[cfg(feature = "http")]
            addr: read_addr(lookup)?,
            #[cfg(feature = "http")]
            url: read_url(lookup)?,
            #[cfg(feature = "http")]
            keys: read_keys(lookup)?,
            #[cfg(feature = "http")]
            inspection_token: read_inspection_token(lookup)?,
            #[cfg(feature = "http")]
            inspection_local: read_inspection(lookup)?,
            #[cfg(feature = "http")]
            insecure: read_insecure(lookup)?,
        })
    }

    pub(crate) fn builder(&self) -> WorkerBuilder {
        let mut builder = Worker::builder().store_url(&self.store);
        if let Some(dispatcher) = &self.dispatcher {
            builder = builder.dispatcher_url(dispatcher);
        }
        if let Some(concurrency) = self.concurrency {
            builder = builder.concurrency(concurrency);
        }
        if let Some(crashes) = self.max_crashes {
            builder = builder.max_crashes(crashes);
        }
        #[cfg(feature = "http")]
        {
            builder.http.url.clone_from(&self.url);
            builder.http.keys.clone_from(&self.keys);
            builder
                .http
                .inspection_token
                .clone_from(&self.inspection_token);
            builder.http.inspection_local = self.inspection_local;
            builder.http.insecure = self.insecure;
        }
        builder
    }
}

fn variable(lookup: Lookup<'_>, name: &str) -> Result<Option<String>> {
    match lookup(name) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(config(format!("{name} is not valid UTF-8"))),
    }
}

fn read_max_crashes(value: &str) -> Result<u32> {
    value
        .parse()
        .ok()
        .filter(|crashes| *crashes > 0)
        .ok_or_else(|| {
            config(format!(
                "BELTS_MAX_CRASHES is `{value}`, and must be a whole number from 1"
            ))
        })
}

fn read_concurrency(value: &str) -> Result<usize> {
    value.parse().ok().filter(|runs| *runs > 0).ok_or_else(|| {
        config(format!(
            "BELTS_CONCURRENCY is `{value}`, and must be a whole number from 1"
        ))
    })
}

#[cfg(feature = "http")]
fn read_addr(lookup: Lookup<'_>) -> Result<String> {
    let Some(addr) = variable(lookup, "BELTS_ADDR")? else {
        return Ok("127.0.0.1:8787".to_owned());
    };
    let right = addr.parse::<std::net::SocketAddr>().is_ok()
        || addr.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains([':', '/', ' ']) && port.parse::<u16>().is_ok()
        });
    if right {
        Ok(addr)
    } else {
        Err(config(format!(
            "BELTS_ADDR is `{addr}`, and must be a host and a port such as `127.0.0.1:8787`"
        )))
    }
}

#[cfg(feature = "http")]
fn read_url(lookup: Lookup<'_>) -> Result<Option<String>> {
    let url = variable(lookup, "BELTS_URL")?;
    if let Some(url) = &url {
        check_url(url).map_err(|expected| config(format!("BELTS_URL {expected}")))?;
    }
    Ok(url)
}

/// Whether a URL can be where the router is mounted; if not, what it must be. It may hold a secret all the same, so nobody
/// repeats it.
#[cfg(feature = "http")]
pub(crate) fn check_url(url: &str) -> Result<(), &'static str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .unwrap_or_default();
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    if host.is_empty() && !rest.starts_with('[')
        || url.contains(['?', '#', '@'])
        || url.contains(char::is_whitespace)
    {
        return Err(
            "must be the whole URL such as `https://app.example/belts`, without user, password or query",
        );
    }
    Ok(())
}

#[cfg(feature = "http")]
fn read_keys(lookup: Lookup<'_>) -> Result<Vec<crate::http::SigningKey>> {
    let keys = variable(lookup, "BELTS_SIGNING_KEYS")?.unwrap_or_default();
    let keys = keys.split(',').map(str::trim).filter(|key| !key.is_empty());
    crate::http::SigningKey::read_all(keys)
        .map_err(|wrong| config(format!("BELTS_SIGNING_KEYS: {wrong}")))
}

#[cfg(feature = "http")]
fn read_inspection_token(lookup: Lookup<'_>) -> Result<Option<crate::http::InspectionToken>> {
    variable(lookup, "BELTS_INSPECTION_TOKEN")?
        .map(|token| crate::http::InspectionToken::new(&token))
        .transpose()
        .map_err(|wrong| config(format!("BELTS_INSPECTION_TOKEN {wrong}")))
}

#[cfg(feature = "http")]
fn read_inspection(lookup: Lookup<'_>) -> Result<bool> {
    match variable(lookup, "BELTS_INSPECTION")?.as_deref() {
        None => Ok(false),
        Some("local") => Ok(true),
        Some(value) => Err(config(format!(
            "BELTS_INSPECTION is `{value}`, and must be `local` or not set; a token is set by BELTS_INSPECTION_TOKEN"
        ))),
    }
}

#[cfg(feature = "http")]
fn read_insecure(lookup: Lookup<'_>) -> Result<bool> {
    match variable(lookup, "BELTS_INSECURE")?.as_deref() {
        None | Some("0" | "false" | "no" | "off") => Ok(false),
        Some("1" | "true" | "yes" | "on") => Ok(true),
        Some(value) => Err(config(format!(
            "BELTS_INSECURE is `{value}`, and must be `1` or `0`"
        ))),
    }
}

/// Whether the environment allows to take deliveries without a signing key.
#[cfg(feature = "http")]
pub(crate) fn insecure_by_env() -> Result<bool> {
    read_insecure(&|name| std::env::var(name))
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config> {
        Config::read(&|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found
                .map(|(_, value)| (*value).to_owned())
                .ok_or(VarError::NotPresent)
        })
    }

    #[test]
    fn nothing_set_is_a_good_start() {
        let config = read(&[("BELTS_SIGNING_KEYS", ""), ("BELTS_URL", " ")]).expect("defaults");
        assert_eq!(
            (config.store.as_str(), config.addr.as_str()),
            ("sqlite://belts.db", "127.0.0.1:8787")
        );
        assert!(
            config.url.is_none()
                && config.keys.is_empty()
                && !config.insecure
                && config.concurrency.is_none()
        );
    }

    #[test]
    fn every_variable_counts() {
        let config = read(&[
            ("BELTS_STORE", "memory:"),
            ("BELTS_DISPATCHER", "store"),
            ("BELTS_ADDR", "[::1]:80"),
            ("BELTS_URL", "https://app.example/belts"),
            ("BELTS_CONCURRENCY", "7"),
            (
                "BELTS_SIGNING_KEYS",
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, correct horse battery staple",
            ),
            ("BELTS_INSECURE", "1"),
        ]);
        let config = config.expect("all of it");
        assert_eq!(
            (config.store.as_str(), config.addr.as_str()),
            ("memory:", "[::1]:80")
        );
        assert_eq!(
            (config.url.as_deref(), config.keys.len()),
            (Some("https://app.example/belts"), 2)
        );
        assert_eq!((config.insecure, config.concurrency), (true, Some(7)));
        assert!(!format!("{config:?}").contains("horse"));
    }

    #[test]
    fn a_wrong_value_names_the_variable_and_says_what_is_right() {
        let wrong = [
            (
                "BELTS_STORE",
                "oracle://ada:hunter2@host/db",
                "`postgres://user:password@host/database`",
            ),
            (
                "BELTS_STORE",
                "mysql://ada:hunter2@host/db",
                "`sqlite://belts.db`",
            ),
            (
                "BELTS_DISPATCHER",
                "kafka://ada:hunter2@host",
                "use `store`, `http`",
            ),
            ("BELTS_DISPATCHER", "carrier-pigeon", "use `store`"),
            (
                "BELTS_ADDR",
                "8787",
                "`8787`, and must be a host and a port",
            ),
            ("BELTS_ADDR", "localhost:http", "a host and a port"),
            ("BELTS_URL", "app.example", "`https://app.example/belts`"),
            (
                "BELTS_URL",
                "https://ada:hunter2@app.example/belts",
                "without user, password or query",
            ),
            (
                "BELTS_URL",
                "https://app.example/belts?token=hunter2",
                "without user, password or query",
            ),
            (
                "BELTS_STORE",
                "sqlite://belts.db?key=hunter2",
                "has the option `key`",
            ),
            ("BELTS_CONCURRENCY", "0", "a whole number from 1"),
            ("BELTS_MAX_CRASHES", "0", "a whole number from 1"),
            (
                "BELTS_SIGNING_KEYS",
                "correct horse battery staple,hunter2",
                "signing key 2 has",
            ),
            (
                "BELTS_INSPECTION_TOKEN",
                "hunter2",
                "has 7 characters, and needs at least 16",
            ),
            ("BELTS_INSPECTION", "everywhere", "`local` or not set"),
            ("BELTS_INSECURE", "maybe", "`1` or `0`"),
        ];
        for (name, value, part) in wrong {
            let error = read(&[(name, value)]).expect_err(name);
            let message = error.report();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                message.contains(name) && message.contains(part),
                "{message}"
            );
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
