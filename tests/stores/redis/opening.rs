//! What the store says of URLs, settings and servers that cannot be used.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    time::Duration,
};

use belts::{
    Error, ErrorKind,
    store::{Redis, RedisBuilder},
};
use belts_suite::servers;
use redis::cmd;

async fn fails(builder: RedisBuilder) -> Error {
    let error = builder
        .open()
        .await
        .map(drop)
        .expect_err("the store cannot be opened");
    assert!(!error.report().contains("hunter2"), "{}", error.report());
    assert!(!format!("{error:?}").contains("hunter2"));
    error
}

async fn is_config(builder: RedisBuilder, says: &str) {
    let error = fails(builder).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{}", error.report());
    assert!(error.to_string().contains(says), "{error}");
}

fn set(server: &servers::Redis, name: &str, value: &str) {
    let set = cmd("CONFIG").arg("SET").arg(name).arg(value).to_owned();
    let _done: String = server.command(&set).expect("the setting is known");
}

#[tokio::test]
async fn unreadable_url_is_not_repeated() {
    for url in [
        "",
        "redis",
        "http://ada:hunter2@localhost",
        "redis://ada:hunter2@:x",
    ] {
        is_config(Redis::builder(url), "cannot be read; write `redis://").await;
    }
    let shown = format!("{:?}", Redis::builder("redis://:hunter2@localhost"));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn settings_are_looked_at() {
    let url = "redis://127.0.0.1:1";
    for (prefix, says) in [
        ("", "is empty"),
        ("a{b", "has a brace"),
        ("a}b", "has a brace"),
        ("a\nb", "has a control character"),
        (&*"x".repeat(65), "longer than 64 bytes"),
    ] {
        is_config(Redis::builder(url).key_prefix(prefix), says).await;
    }
    is_config(
        Redis::builder(url).ttl(Duration::ZERO),
        "at least a millisecond",
    )
    .await;
}

#[tokio::test]
async fn nobody_there_is_named() {
    let port = servers::free_port().expect("there is a free port");
    let error = fails(Redis::builder(format!("redis://:hunter2@127.0.0.1:{port}"))).await;
    assert_eq!(error.kind(), ErrorKind::Store);
    let says = format!("Redis at 127.0.0.1:{port} cannot be reached");
    assert_eq!(error.to_string(), says);
    let error = fails(Redis::builder("redis://no-such-host.invalid")).await;
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("no-such-host.invalid:6379"));
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn server_without_tls_cannot_be_reached_with_it() {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let url = server.url().replace("redis://", "rediss://");
    let error = fails(Redis::builder(url)).await;
    assert_eq!(error.kind(), ErrorKind::Store, "{}", error.report());
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn password_is_asked_for() -> belts::Result<()> {
    let server = servers::Redis::options()
        .setting("requirepass", "secret")
        .start()
        .expect("the server starts");
    let port = server.port().expect("it is ours");
    let url = |login: &str| Redis::builder(format!("redis://{login}127.0.0.1:{port}"));
    is_config(url(""), "asks for a password: put it into the URL").await;
    let other_database = Redis::builder(format!("redis://127.0.0.1:{port}/1"));
    is_config(other_database, "asks for a password: put it into the URL").await;
    is_config(url(":hunter2@"), "refuses the user or password").await;
    is_config(url("ada:hunter2@"), "refuses the user or password").await;
    Redis::open(server.url()).await?;
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn missing_database_is_told() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let url = server.url().trim_end_matches('/');
    is_config(
        Redis::builder(format!("{url}/99")),
        "does not have the database",
    )
    .await;
    Redis::open(format!("{url}/3")).await?;
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn server_that_would_evict_runs_is_refused() -> belts::Result<()> {
    let server = servers::Redis::options()
        .setting("maxmemory-policy", "allkeys-lru")
        .start()
        .expect("the server starts");
    // Without a limit nothing is ever evicted.
    Redis::open(server.url()).await?;
    set(&server, "maxmemory", "100mb");
    is_config(
        Redis::builder(server.url()),
        "set `maxmemory-policy noeviction`",
    )
    .await;
    // Sessions and finished events have a time to live: these policies would throw them away.
    for policy in ["volatile-lru", "volatile-ttl", "allkeys-random"] {
        set(&server, "maxmemory-policy", policy);
        is_config(
            Redis::builder(server.url()),
            "set `maxmemory-policy noeviction`",
        )
        .await;
    }
    set(&server, "maxmemory-policy", "noeviction");
    Redis::open(server.url()).await?;
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn replica_is_refused() {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let follow = cmd("REPLICAOF").arg("127.0.0.1").arg(1).to_owned();
    let _done: String = server.command(&follow).expect("it follows");
    is_config(Redis::builder(server.url()), "use the URL of the primary").await;
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn newer_data_asks_for_an_upgrade() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    drop(Redis::open(server.url()).await?);
    let newer = cmd("HSET")
        .arg("{belts}:meta")
        .arg("format")
        .arg(9)
        .to_owned();
    let _done: i64 = server.command(&newer).expect("the server runs");
    is_config(
        Redis::builder(server.url()),
        "holds data of format 9, and this belts knows 1; upgrade belts",
    )
    .await;
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn keys_of_another_program_are_left_alone() {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let foreign = cmd("SET").arg("{belts}:meta").arg("mine").to_owned();
    let _done: String = server.command(&foreign).expect("the server runs");
    is_config(Redis::builder(server.url()), "set another key prefix").await;
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn missing_right_is_named() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let port = server.port().expect("it is ours");
    let user = |name: &str, rules: &[&str]| {
        let mut set = cmd("ACL");
        set.arg("SETUSER").arg(name).arg("on").arg(">hunter2");
        let _done: String = server.command(set.arg(rules)).expect("the rules are known");
        Redis::builder(format!("redis://{name}:hunter2@127.0.0.1:{port}"))
    };
    let all = ["~{belts}:*", "&{belts}:*", "+@all"];
    let without = |rule: &'static str| [&all[..], &[rule]].concat();
    for (name, rule, says) in [
        ("a", "-info", "run INFO"),
        ("b", "-script", "run SCRIPT LOAD"),
        ("c", "-evalsha", "run EVALSHA"),
        ("d", "-zadd", "run ZADD"),
        ("e", "-publish", "publish on the channel"),
        ("f", "resetchannels", "publish on the channel"),
    ] {
        is_config(user(name, &without(rule)), says).await;
    }
    is_config(user("g", &["~other:*", "&*", "+@all"]), "EVALSHA").await;
    user("h", &all).open().await?;
    Ok(())
}

/// A server that says of itself that it is too old, and no more.
#[tokio::test]
async fn old_server_is_refused() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines();
            while let Some(Ok(line)) = lines.next() {
                let answer = match &*line.to_ascii_uppercase() {
                    "CLIENT" => "-ERR unknown subcommand\r\n".to_owned(),
                    "INFO" => {
                        let about = "# Server\r\nredis_version:6.0.16\r\nrole:master\r\n";
                        format!("${}\r\n{about}\r\n", about.len())
                    }
                    _ => continue,
                };
                let _gone = (&stream).write_all(answer.as_bytes());
            }
        }
    });
    let builder = Redis::builder(format!("redis://{address}"));
    is_config(builder, "has version 6.0.16, and belts needs 6.2 or later").await;
}
