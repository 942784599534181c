//! Stores by URL.

use std::sync::Arc;
#[cfg(any(feature = "postgres", feature = "redis"))]
use std::time::Duration;

use crate::{
    error::{Error, ErrorKind, Result},
    store::{Memory, SharedStore},
};

/// A URL, read.
#[derive(Debug, PartialEq, Eq)]
enum StoreUrl {
    Memory,
    #[cfg(feature = "sqlite")]
    Sqlite {
        path: String,
        /// Whether each commit waits for the disk.
        full: bool,
    },
    #[cfg(feature = "postgres")]
    Postgres {
        /// What is left for the client.
        url: String,
        schema: Option<String>,
        retry_for: Option<Duration>,
    },
    #[cfg(feature = "redis")]
    Redis {
        /// What is left for the client.
        url: String,
        key_prefix: Option<String>,
        ttl: Option<Duration>,
        retry_for: Option<Duration>,
    },
}

/// Whether the store that a URL names has connections, which belong to the runtime that they were made on.
pub(crate) fn has_connections(url: &str) -> bool {
    match read(url) {
        Ok(StoreUrl::Memory) | Err(_) => false,
        #[cfg(feature = "sqlite")]
        Ok(StoreUrl::Sqlite { .. }) => false,
        #[cfg(any(feature = "postgres", feature = "redis"))]
        Ok(_) => true,
    }
}

/// Opens the store that a URL names.
pub(crate) async fn open(url: &str) -> Result<SharedStore> {
    let wrong = |wrong| Error::new(ErrorKind::Config, format!("the store URL {wrong}"));
    Ok(match read(url).map_err(wrong)? {
        StoreUrl::Memory => Arc::new(Memory::new()),
        #[cfg(feature = "sqlite")]
        StoreUrl::Sqlite { path, full } => {
            use crate::store::{Sqlite, Synchronous};
            let synchronous = if full {
                Synchronous::Full
            } else {
                Synchronous::Normal
            };
            Arc::new(
                Sqlite::builder(path)
                    .synchronous(synchronous)
                    .open()
                    .await?,
            )
        }
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres {
            url,
            schema,
            retry_for,
        } => {
            let mut builder = crate::store::Postgres::builder(&url);
            if let Some(schema) = schema {
                builder = builder.schema(schema);
            }
            if let Some(retry_for) = retry_for {
                builder = builder.retry_for(retry_for);
            }
            Arc::new(builder.open().await?)
        }
        #[cfg(feature = "redis")]
        StoreUrl::Redis {
            url,
            key_prefix,
            ttl,
            retry_for,
        } => {
            let mut builder = crate::store::Redis::builder(&url);
            if let Some(key_prefix) = key_prefix {
                builder = builder.key_prefix(key_prefix);
            }
            if let Some(ttl) = ttl {
                builder = builder.ttl(ttl);
            }
            if let Some(retry_for) = retry_for {
                builder = builder.retry_for(retry_for);
            }
            Arc::new(builder.open().await?)
        }
    })
}

/// Says what is wrong with a URL, without opening anything.
pub(crate) fn check(url: &str) -> Result<(), String> {
    read(url).map(|_| ())
}

/// The file in which the store of a URL is, if it is in one.
#[cfg(feature = "http")]
pub(crate) fn file(url: &str) -> Option<String> {
    match read(url) {
        Ok(StoreUrl::Sqlite { path, .. }) => Some(path),
        _ => None,
    }
}

/// A URL as logs may have it: without what may be secret.
#[cfg(feature = "http")]
pub(crate) fn shown(url: &str) -> String {
    match (scheme(url), read(url)) {
        ("memory" | "sqlite", Ok(_)) => url.to_owned(),
        (scheme, Ok(_)) => {
            let rest = url.split(['?', '#']).next().unwrap_or_default();
            let rest = rest.rsplit_once('@').map_or_else(
                || rest.split_once("://").map_or("", |(_, rest)| rest),
                |(_, place)| place,
            );
            format!("{scheme}://{rest}")
        }
        (scheme, Err(_)) => scheme.to_owned(),
    }
}

fn read(url: &str) -> Result<StoreUrl, String> {
    match scheme(url) {
        "memory" if matches!(url, "memory:" | "memory://") => Ok(StoreUrl::Memory),
        "memory" => Err("must be just `memory:`".to_owned()),
        #[cfg(feature = "sqlite")]
        "sqlite" => read_sqlite(url),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => read_postgres(url),
        #[cfg(feature = "redis")]
        "redis" | "rediss" => read_redis(url),
        // URLs of servers hold passwords, so they are not repeated.
        name => Err(match left_out(name) {
            Some((store, feature)) => format!(
                "begins with `{name}:`, and the {store} store is left out of this program: turn on the feature `{feature}` of belts"
            ),
            None => "names no store that belts knows; use `sqlite://belts.db`, `sqlite:///var/lib/belts.db`, \
                     `postgres://user:password@host/database`, `redis://host:6379` or `memory:`"
                .to_owned(),
        }),
    }
}

/// The store of a scheme that this program could know, and its feature.
fn left_out(scheme: &str) -> Option<(&'static str, &'static str)> {
    match scheme {
        "sqlite" => Some(("SQLite", "sqlite")),
        "postgres" | "postgresql" => Some(("Postgres", "postgres")),
        "redis" | "rediss" => Some(("Redis", "redis")),
        _ => None,
    }
}

fn scheme(url: &str) -> &str {
    url.split_once(':').map_or("", |(scheme, _)| scheme)
}

#[cfg(feature = "sqlite")]
fn read_sqlite(url: &str) -> Result<StoreUrl, String> {
    let rest = url.strip_prefix("sqlite:").unwrap_or_default();
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.is_empty() {
        return Err("has no path; write `sqlite://belts.db`".to_owned());
    }
    if path == ":memory:" {
        return Err(format!(
            "`{url}` asks for a store in memory; that is `memory:`"
        ));
    }
    let mut full = true;
    for option in query.split('&').filter(|option| !option.is_empty()) {
        full = match option {
            "synchronous=full" => true,
            "synchronous=normal" => false,
            _ => {
                // Its value may be a secret that another program takes.
                let (name, _) = option.split_once('=').unwrap_or((option, ""));
                return Err(format!(
                    "`sqlite://{path}` has the option `{name}`; there are `synchronous=full` and `synchronous=normal`"
                ));
            }
        };
    }
    let path = path.to_owned();
    Ok(StoreUrl::Sqlite { path, full })
}

#[cfg(feature = "postgres")]
fn read_postgres(url: &str) -> Result<StoreUrl, String> {
    with_host(url, "postgres://user:password@host/database")?;
    let (url, [schema, retry_for]) = take_options(url, ["schema", "retry_for"])?;
    let retry_for = read_time("retry_for", retry_for)?;
    Ok(StoreUrl::Postgres {
        url,
        schema,
        retry_for,
    })
}

#[cfg(feature = "redis")]
fn read_redis(url: &str) -> Result<StoreUrl, String> {
    with_host(url, "redis://:password@host:6379/0")?;
    let (url, [key_prefix, ttl, retry_for]) =
        take_options(url, ["key_prefix", "ttl", "retry_for"])?;
    Ok(StoreUrl::Redis {
        url,
        key_prefix,
        ttl: read_time("ttl", ttl)?,
        retry_for: read_time("retry_for", retry_for)?,
    })
}

#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn with_host(url: &str, example: &str) -> Result<(), String> {
    let scheme = scheme(url);
    match url[scheme.len()..].strip_prefix("://") {
        Some(rest) if !rest.is_empty() => Ok(()),
        _ => Err(format!(
            "begins with `{scheme}:` and names no host; write `{example}`"
        )),
    }
}

/// Takes our own options out of the query; the client gets the others.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn take_options<const N: usize>(
    url: &str,
    names: [&str; N],
) -> Result<(String, [Option<String>; N]), String> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut values = [const { None }; N];
    let mut others = Vec::new();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match names.iter().position(|known| *known == name) {
            None => others.push(option),
            Some(_) if value.is_empty() => {
                return Err(format!("has the option `{name}` without a value"));
            }
            Some(place) => values[place] = Some(value.to_owned()),
        }
    }
    let mut url = base.to_owned();
    if !others.is_empty() {
        url += "?";
        url += &others.join("&");
    }
    Ok((url, values))
}

#[cfg(any(feature = "postgres", feature = "redis"))]
fn read_time(name: &str, text: Option<String>) -> Result<Option<Duration>, String> {
    text.map(|text| read_duration(name, &text)).transpose()
}

#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn read_duration(name: &str, text: &str) -> Result<Duration, String> {
    text.parse::<jiff::Span>()
        .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| {
            format!("has `{name}={text}`, and must have a time such as `7d`, `12h` or `30s`")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "sqlite")]
    #[test]
    fn a_sqlite_url_is_a_path_with_options() {
        let sqlite = |path: &str, full| {
            let path = path.to_owned();
            Ok(StoreUrl::Sqlite { path, full })
        };
        assert_eq!(read("sqlite://belts.db"), sqlite("belts.db", true));
        assert_eq!(read("sqlite:data/belts.db"), sqlite("data/belts.db", true));
        assert_eq!(
            read("sqlite:///var/belts.db?synchronous=normal"),
            sqlite("/var/belts.db", false)
        );
        assert_eq!(read("memory:"), Ok(StoreUrl::Memory));
    }

    #[test]
    fn a_wrong_url_says_what_is_right_and_keeps_secrets() {
        let wrong = [
            #[cfg(feature = "sqlite")]
            ("sqlite://", "has no path"),
            #[cfg(feature = "sqlite")]
            ("sqlite::memory:", "that is `memory:`"),
            #[cfg(feature = "sqlite")]
            ("sqlite://a.db?mode=ro", "`synchronous=normal`"),
            ("mysql://ada:hunter2@host/db", "names no store"),
            #[cfg(feature = "postgres")]
            ("postgres:", "names no host"),
            #[cfg(feature = "postgres")]
            (
                "postgres://ada:hunter2@host/db?schema=",
                "`schema` without a value",
            ),
            #[cfg(feature = "redis")]
            ("redis://:hunter2@host?ttl=soon", "such as `7d`"),
            #[cfg(feature = "postgres")]
            (
                "postgres://ada:hunter2@host/db?retry_for=0s",
                "`retry_for=0s`",
            ),
            #[cfg(not(feature = "postgres"))]
            ("postgres://ada:hunter2@host/db", "feature `postgres`"),
            #[cfg(not(feature = "redis"))]
            ("rediss://ada:hunter2@host/0", "feature `redis`"),
            ("belts.db", "names no store"),
            ("", "names no store"),
        ];
        for (url, part) in wrong {
            let message = check(url).expect_err(url);
            assert!(message.contains(part), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{url}: {message}");
        }
    }

    #[cfg(all(feature = "postgres", feature = "http"))]
    #[test]
    fn a_postgres_url_keeps_what_is_the_clients() {
        let url = "postgres://ada:hun@ter2@host:5433/db?sslmode=require&schema=orders&retry_for=2s";
        let rest = "postgres://ada:hun@ter2@host:5433/db?sslmode=require";
        let read = read(url).unwrap();
        let schema = Some("orders".to_owned());
        assert_eq!(
            read,
            StoreUrl::Postgres {
                url: rest.to_owned(),
                schema,
                retry_for: Some(Duration::from_secs(2)),
            }
        );
        assert_eq!(shown(url), "postgres://host:5433/db");
    }

    #[cfg(all(feature = "redis", feature = "http"))]
    #[test]
    fn a_redis_url_has_a_prefix_and_a_time() {
        let url = "rediss://:hunter2@host:6380/2?key_prefix=orders&ttl=7d&retry_for=500ms";
        let read = read(url).unwrap();
        let expected = StoreUrl::Redis {
            url: "rediss://:hunter2@host:6380/2".to_owned(),
            key_prefix: Some("orders".to_owned()),
            ttl: Some(Duration::from_secs(7 * 24 * 3600)),
            retry_for: Some(Duration::from_millis(500)),
        };
        assert_eq!(read, expected);
        assert_eq!(shown(url), "rediss://host:6380/2");
    }
}
