//! The servers come back with their data, and leave nothing behind.

use std::{
    env, fs, io,
    io::Read as _,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use ::redis::cmd;

use super::{Postgres, Redis};

/// The directories of servers that this process has begun.
fn directories(server: &str) -> usize {
    directories_of(std::process::id(), server)
}

fn directories_of(process: u32, server: &str) -> usize {
    let prefix = format!("belts-{server}-{process}-");
    let entries = fs::read_dir(env::temp_dir()).expect("there are temporary files");
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .count()
}

#[cfg_attr(not(own_postgres), ignore = "no PostgreSQL server is installed")]
#[tokio::test]
async fn postgres_keeps_its_data_and_goes_with_its_value() -> io::Result<()> {
    let server = Postgres::options().setting("fsync", "on").start()?;
    server
        .sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
        .await?;
    for end in [Postgres::kill, Postgres::stop] {
        end(&server)?;
        assert!(server.sql("SELECT 1").await.is_err(), "it has ended");
        server.start_again()?;
        server.sql("SELECT 1 / n FROM kept").await?;
    }
    server.disconnect_all().await?;
    let schema = server.schema();
    server
        .sql(&format!("CREATE SCHEMA {}", schema.name()))
        .await?;
    let name = schema.name().to_owned();
    drop(schema);
    server.sql(&format!("CREATE SCHEMA {name}")).await?;
    assert_eq!(directories("postgres"), 1);
    drop(server);
    assert_eq!(directories("postgres"), 0);
    Ok(())
}

#[cfg_attr(not(own_postgres), ignore = "no PostgreSQL server is installed")]
#[test]
fn server_that_does_not_start_tells_why() {
    let error = Postgres::options()
        .setting("no_such_setting", "1")
        .start()
        .expect_err("there is no such setting");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[cfg_attr(not(own_redis), ignore = "no Redis server is installed")]
#[test]
fn redis_keeps_its_data_and_goes_with_its_value() -> io::Result<()> {
    let server = Redis::options()
        .setting("appendonly", "yes")
        .setting("appendfsync", "always")
        .setting("requirepass", "sesame")
        .start()?;
    let prefix = server.prefix();
    let key = format!("{{{}}}:kept", prefix.name());
    server.command::<()>(cmd("SET").arg(&key).arg(1))?;
    for end in [Redis::kill, Redis::stop] {
        end(&server)?;
        assert!(server.command::<()>(&cmd("PING")).is_err(), "it has ended");
        server.start_again()?;
        assert_eq!(server.command::<i64>(cmd("GET").arg(&key))?, 1);
    }
    server.disconnect_all()?;
    drop(prefix);
    assert_eq!(server.command::<i64>(&cmd("DBSIZE"))?, 0);
    assert_eq!(directories("redis"), 1);
    drop(server);
    assert_eq!(directories("redis"), 0);
    Ok(())
}

/// Starts this test again in a process of its own, which starts the servers and is killed.
#[cfg_attr(
    not(all(own_postgres, own_redis)),
    ignore = "no PostgreSQL and Redis servers are installed"
)]
#[test]
fn servers_go_with_a_killed_process() -> io::Result<()> {
    const CHILD: &str = "BELTS_TEST_CHILD";
    if env::var_os(CHILD).is_some() {
        let _servers = (Postgres::options().start()?, Redis::options().start()?);
        drop(io::stdin().read_to_end(&mut Vec::new()));
        return Ok(());
    }
    let mut child = Command::new(env::current_exe()?)
        .args([
            "--exact",
            "servers::tests::servers_go_with_a_killed_process",
        ])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let id = child.id();
    let count = || directories_of(id, "postgres") + directories_of(id, "redis");
    let wait_for = |wanted: usize| {
        (0..1_000).any(|_| {
            thread::sleep(Duration::from_millis(30));
            count() == wanted
        })
    };
    assert!(wait_for(2), "the child starts its servers");
    child.kill()?;
    child.wait()?;
    assert!(wait_for(0), "the directories of the servers are removed");
    Ok(())
}
