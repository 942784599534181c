//! Reads the URL of each store into its settings.

#[cfg(any(feature = "postgres", feature = "redis"))]
use crate::url::options::{read_duration, take_options, with_host};

pub(super) fn memory(url: &str) -> Result<crate::store::Memory, String> {
    match url {
        "memory:" | "memory://" => Ok(crate::store::Memory::new()),
        _ => Err("must be just `memory:`".to_owned()),
    }
}

/// The path of the file, and the settings.
#[cfg(feature = "sqlite")]
pub(super) fn sqlite(url: &str) -> Result<(String, crate::store::SqliteBuilder), String> {
    use crate::store::{Sqlite, Synchronous};
    let rest = url.strip_prefix("sqlite:").unwrap_or_default();
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.is_empty() {
        return Err("has no path; write `sqlite://belts.db`".to_owned());
    }
    if path == ":memory:" {
        return Err(format!(
            "`{url}` asks for an in-memory store; write `memory:`"
        ));
    }
    let mut builder = Sqlite::builder(path);
    for option in query.split('&').filter(|option| !option.is_empty()) {
        builder = builder.synchronous(match option {
            "synchronous=full" => Synchronous::Full,
            "synchronous=normal" => Synchronous::Normal,
            _ => {
                // Its value may be a secret that another program takes.
                let (name, _) = option.split_once('=').unwrap_or((option, ""));
                return Err(format!(
                    "`sqlite://{path}` has the option `{name}`; there are `synchronous=full` and `synchronous=normal`"
                ));
            }
        });
    }
    Ok((path.to_owned(), builder))
}

#[cfg(feature = "postgres")]
pub(super) fn postgres(url: &str) -> Result<crate::store::PostgresBuilder, String> {
    with_host(url, "postgres://user:password@host/database")?;
    let (url, [schema, retry_for]) = take_options(url, ["schema", "retry_for"])?;
    let mut builder = crate::store::Postgres::builder(&url);
    if let Some(schema) = schema {
        builder = builder.schema(schema);
    }
    if let Some(text) = retry_for {
        builder = builder.retry_for(read_duration("retry_for", &text)?);
    }
    Ok(builder)
}

#[cfg(feature = "redis")]
pub(super) fn redis(url: &str) -> Result<crate::store::RedisBuilder, String> {
    with_host(url, "redis://:password@host:6379/0")?;
    let (url, [key_prefix, ttl, retry_for]) =
        take_options(url, ["key_prefix", "ttl", "retry_for"])?;
    let mut builder = crate::store::Redis::builder(url);
    if let Some(key_prefix) = key_prefix {
        builder = builder.key_prefix(key_prefix);
    }
    if let Some(text) = ttl {
        builder = builder.ttl(read_duration("ttl", &text)?);
    }
    if let Some(text) = retry_for {
        builder = builder.retry_for(read_duration("retry_for", &text)?);
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "sqlite")]
    #[test]
    fn a_sqlite_url_is_a_path_with_options() {
        for (url, path, synchronous) in [
            ("sqlite://belts.db", "belts.db", "Full"),
            ("sqlite:data/belts.db", "data/belts.db", "Full"),
            (
                "sqlite:///var/belts.db?synchronous=normal",
                "/var/belts.db",
                "Normal",
            ),
        ] {
            let (read, builder) = super::sqlite(url).expect(url);
            assert_eq!(read, path);
            let shown = format!("{builder:?}");
            assert!(
                shown.contains(path) && shown.contains(synchronous),
                "{shown}"
            );
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_postgres_url_has_a_schema_and_a_time() {
        let url = "postgres://ada:hun@ter2@host:5433/db?sslmode=require&schema=orders&retry_for=2s";
        let shown = format!("{:?}", super::postgres(url).unwrap());
        for part in ["\"orders\"", "2s"] {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(!shown.contains("ter2"), "{shown}");
    }

    #[cfg(feature = "redis")]
    #[test]
    fn a_redis_url_has_a_prefix_and_times() {
        let url = "rediss://:hunter2@host:6380/2?key_prefix=orders&ttl=7d&retry_for=500ms";
        let shown = format!("{:?}", super::redis(url).unwrap());
        for part in ["\"orders\"", "604800s", "500ms"] {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
