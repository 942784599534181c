//! What is said of URLs, servers and schemas that will not do.

use belts::{
    Error, ErrorKind,
    store::{Postgres, PostgresBuilder, RunFilter, Store},
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{InSchema, SCHEMA, ask, run, url};
use crate::requests::{begin, event, publish_to, worker};

async fn fails_to_open(builder: PostgresBuilder) -> Error {
    let error = builder.open().await.map(drop);
    let error = error.expect_err("the store cannot be opened");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    error
}

/// The server's URL with another user, password and database.
fn url_of(user: &str, database: &str) -> String {
    let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
    let (host, port) = (options.get_host(), options.get_port());
    format!("postgres://{user}:hunter2@{host}:{port}/{database}")
}

fn database() -> String {
    let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
    options
        .get_database()
        .unwrap_or(options.get_username())
        .to_owned()
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn wrong_user_is_named() {
    let error = fails_to_open(Postgres::builder(&url_of(
        "nobody_of_that_name",
        "postgres",
    )))
    .await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error
            .to_string()
            .contains("rejects the user `nobody_of_that_name`"),
        "{error}"
    );
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn missing_database_is_named() {
    let error = fails_to_open(Postgres::builder(&format!("{}_none", url()))).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("_none`; create it"), "{error}");
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn missing_server_is_named_and_may_come() {
    let start = tokio::time::Instant::now();
    for (url, place) in [
        ("postgres://ada:hunter2@127.0.0.1:1/db", "127.0.0.1:1"),
        (
            "postgres://ada:hunter2@no-such-host.invalid/db",
            "no-such-host.invalid:5432",
        ),
    ] {
        let error = fails_to_open(Postgres::builder(url)).await;
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.to_string().ends_with(place), "{error}");
    }
    assert!(start.elapsed().as_secs() < 10, "it is said at once");
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn wrong_url_keeps_its_secrets() {
    for url in [
        "postgres://ada:hunter2@host:port/db",
        "postgres://ada:hunter2",
        "hunter2",
        "",
    ] {
        let error = fails_to_open(Postgres::builder(url)).await;
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(error.to_string().contains("write `postgres://"), "{error}");
    }
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn wrong_schema_name_is_named() {
    for name in ["", "Belts", "a b", "a\"; DROP SCHEMA public", "pg_belts"] {
        let error = fails_to_open(Postgres::builder(&url()).schema(name)).await;
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error
                .to_string()
                .contains("must be made of lower-case letters"),
            "{error}"
        );
    }
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn words_of_sql_may_name_schemas() -> belts::Result<()> {
    for name in ["select", "user", "_1"] {
        let schema = InSchema(format!("\"{name}\""));
        let store = Postgres::builder(&url()).schema(name).open().await?;
        let worker = worker(&store).await?;
        begin(&store, "e", worker).await?;
        drop(store);
        drop(schema);
    }
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn newer_schema_asks_for_an_upgrade() -> belts::Result<()> {
    let schema = InSchema::new();
    drop(schema.builder().open().await?);
    run(schema.sql("UPDATE {schema}.schema_version SET version = 99, oldest = 98")).await;
    let error = fails_to_open(schema.builder()).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    let known = format!("has version 99, and this belts knows {SCHEMA}; upgrade belts");
    assert!(error.to_string().ends_with(&known), "{error}");
    Ok(())
}

/// A deploy that was taken back left a worker that could not start again, although its tables were all there.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn newer_schema_that_works_with_this_version_is_opened() -> belts::Result<()> {
    let schema = InSchema::new();
    drop(schema.builder().open().await?);
    run(schema.sql("UPDATE {schema}.schema_version SET version = 99, oldest = 4")).await;
    let store = schema.builder().open().await?;
    let left = "SELECT (version * 10 + oldest)::bigint FROM {schema}.schema_version";
    let left = ask::<i64>(schema.sql(left)).await;
    assert_eq!(left, 994, "what the later one wrote stays");
    store.subscriptions().await?;
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn role_without_rights_is_told_which() -> belts::Result<()> {
    let (schema, role) = (InSchema::new(), InSchema::new());
    run(role.sql("CREATE ROLE {schema}_role LOGIN PASSWORD 'hunter2'")).await;
    let url = url_of(&format!("{}_role", role.0), &database());
    let error = fails_to_open(Postgres::builder(&url).schema(&schema.0)).await;
    // Once the tables are there, the rights to use them are enough.
    let store = schema.builder().open().await?;
    worker(&store).await?;
    let grant = format!(
        "GRANT USAGE ON SCHEMA {{schema}} TO {0}_role; GRANT ALL ON ALL TABLES IN SCHEMA {{schema}} TO {0}_role;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA {{schema}} TO {0}_role",
        role.0
    );
    run(schema.sql(&grant)).await;
    let used = async {
        let store = Postgres::builder(&url).schema(&schema.0).open().await?;
        let worker = worker(&store).await?;
        begin(&store, "e", worker).await
    }
    .await;
    run(role.sql("DROP OWNED BY {schema}_role; DROP ROLE {schema}_role")).await;
    used?;
    assert_eq!(error.kind(), ErrorKind::Config);
    let create = format!("`CREATE SCHEMA {} AUTHORIZATION {}_role`", schema.0, role.0);
    assert!(error.to_string().contains(&create), "{error}");
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn other_encodings_are_refused() {
    let database = InSchema::new();
    run(database.sql(
        "CREATE DATABASE {schema} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    ))
    .await;
    let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
    let pool = PgPoolOptions::new().connect_lazy_with(options.database(&database.0));
    let error = fails_to_open(Postgres::with_pool(pool.clone())).await;
    pool.close().await;
    run(database.sql("DROP DATABASE {schema} WITH (FORCE)")).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error
            .to_string()
            .contains("has the encoding LATIN1, and belts needs UTF8"),
        "{error}"
    );
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_schema_may_be_opened_by_many_at_once() -> belts::Result<()> {
    for _ in 0..3 {
        let schema = InSchema::new();
        let opening: Vec<_> = (0..8)
            .map(|_| tokio::spawn(schema.builder().open()))
            .collect();
        for store in opening {
            let store = store.await.expect("opening does not panic")?;
            worker(&store).await?;
        }
    }
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pool_of_the_user_is_left_as_it_was() -> belts::Result<()> {
    let schema = InSchema::new();
    let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .connect_lazy_with(options);
    let store = Postgres::with_pool(pool.clone())
        .schema(&schema.0)
        .open()
        .await?;
    let worker = worker(&store).await?;
    let publishing: Vec<_> = (0..16)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                publish_to(&store, event(&number.to_string()), Some(worker)).await
            })
        })
        .collect();
    for publishing in publishing {
        publishing.await.expect("publishing does not panic")?;
    }
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 16);
    drop(store);
    for _ in 0..8 {
        let setting: String = sqlx::query_scalar("SHOW enable_seqscan")
            .fetch_one(&pool)
            .await
            .expect("the pool has connections left");
        assert_eq!(setting, "on");
    }
    let small = PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy(&url())
        .expect("the URL is right");
    let error = fails_to_open(Postgres::with_pool(small).schema(&schema.0)).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains("at least 2 connections"),
        "{error}"
    );
    Ok(())
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn stores_in_different_schemas_do_not_meet() -> belts::Result<()> {
    let (one, two) = (InSchema::new(), InSchema::new());
    let (first, second) = (one.builder().open().await?, two.builder().open().await?);
    let ours = worker(&first).await?;
    worker(&second).await?;
    begin(&first, "e", ours).await?;
    assert!(second.list(RunFilter::default()).await?.runs.is_empty());
    assert_eq!(
        ask::<i64>(two.sql("SELECT count(*) FROM {schema}.events")).await,
        0
    );
    Ok(())
}
