//! Configuration by environment.

pub(crate) mod variables;

#[cfg(feature = "encryption")]
use variables::read_encryption_keys;
#[cfg(not(feature = "encryption"))]
use variables::refuse_encryption_keys;
use variables::{config, read_concurrency, read_max_crashes};
#[cfg(feature = "http")]
use variables::{
    read_addr, read_insecure, read_inspection, read_inspection_token, read_keys, read_url,
};

use crate::{
    dispatch,
    environment::{self, CONCURRENCY, DISPATCHER, Lookup, MAX_CRASHES, STORE},
    error::Result,
    store,
    worker::{Worker, WorkerBuilder},
};

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Config {
    store: String,
    dispatcher: Option<String>,
    concurrency: Option<usize>,
    max_crashes: Option<u32>,
    #[cfg(feature = "encryption")]
    encryption: Option<crate::seal::Keyring>,
    #[cfg(feature = "http")]
    pub(crate) addr: String,
    #[cfg(feature = "http")]
    url: Option<String>,
    #[cfg(feature = "http")]
    keys: Vec<crate::signature::SigningKey>,
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
    #[doc = environment::variables_of_workers!()]
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
        environment::warn_of_unknown();
        Self::read(&environment::of_process)
    }

    fn read(lookup: Lookup<'_>) -> Result<Self> {
        #[cfg(not(feature = "encryption"))]
        refuse_encryption_keys(lookup)?;
        let store = STORE.read_or_default(lookup).map_err(config)?;
        store::url::check(&store).map_err(|wrong| config(format!("{STORE} {wrong}")))?;
        let dispatcher = DISPATCHER.read(lookup).map_err(config)?;
        if let Some(dispatcher) = &dispatcher {
            dispatch::url::check(dispatcher)
                .map_err(|wrong| config(format!("{DISPATCHER} {wrong}")))?;
        }
        let concurrency = CONCURRENCY.read(lookup).map_err(config)?;
        let max_crashes = MAX_CRASHES.read(lookup).map_err(config)?;
        Ok(Self {
            store,
            dispatcher,
            concurrency: concurrency.as_deref().map(read_concurrency).transpose()?,
            max_crashes: max_crashes.as_deref().map(read_max_crashes).transpose()?,
            #[cfg(feature = "encryption")]
            encryption: read_encryption_keys(lookup)?,
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
        #[cfg(feature = "encryption")]
        {
            builder.encryption.keys.clone_from(&self.encryption);
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

#[cfg(all(test, feature = "http"))]
mod tests {
    use std::env::VarError;

    use super::*;
    use crate::error::ErrorKind;

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
    fn the_defaults_in_the_table_are_the_builders() {
        let options = crate::worker::WorkerOptions::default();
        assert_eq!(CONCURRENCY.default, Some(&*options.concurrency.to_string()));
        let crashes = Worker::builder().max_crashes.to_string();
        assert_eq!(MAX_CRASHES.default, Some(&*crashes));
        for variable in [STORE, DISPATCHER, environment::ADDR, environment::INSECURE] {
            let default = variable.default.expect("a default");
            assert!(read(&[(variable.name, default)]).is_ok(), "{variable}");
        }
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
