//! What the dispatcher says of URLs, settings and servers that cannot be used.

use std::time::Duration;

use belts::{
    Error, ErrorKind,
    dispatch::{Dispatcher, Redis, RedisBuilder},
};
use belts_suite::servers;
use redis::cmd;

use super::{Stream, receive_one, send};

async fn fails(builder: RedisBuilder) -> Error {
    let error = builder
        .open()
        .await
        .map(drop)
        .expect_err("the dispatcher cannot be opened");
    assert!(!error.report().contains("hunter2"), "{}", error.report());
    assert!(!format!("{error:?}").contains("hunter2"));
    error
}

async fn is_config(builder: RedisBuilder, says: &str) {
    let error = fails(builder).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{}", error.report());
    assert!(error.to_string().contains(says), "{error}");
}

#[tokio::test]
async fn settings_are_looked_at() {
    let redis = || Redis::builder("redis://127.0.0.1:1");
    is_config(
        Redis::builder("http://ada:hunter2@host"),
        "the URL of the Redis dispatcher cannot be read",
    )
    .await;
    is_config(
        redis().key_prefix(""),
        "the key prefix of the Redis dispatcher is empty",
    )
    .await;
    is_config(
        redis().stream("a{b"),
        "the stream of the Redis dispatcher has a brace",
    )
    .await;
    is_config(
        redis().group("x".repeat(65)),
        "the group of the Redis dispatcher is longer than 64",
    )
    .await;
    is_config(redis().visibility(Duration::ZERO), "at least a millisecond").await;
    let shown = format!("{:?}", Redis::builder("redis://:hunter2@localhost"));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn nobody_there_may_pass() {
    let port = servers::free_port().expect("there is a free port");
    let error = fails(Redis::builder(format!("redis://:hunter2@127.0.0.1:{port}"))).await;
    assert_eq!(error.kind(), ErrorKind::Dispatcher);
    assert_eq!(
        error.to_string(),
        format!("Redis at 127.0.0.1:{port} cannot be reached")
    );
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn wrong_password_is_told() -> belts::Result<()> {
    let server = servers::Redis::options()
        .setting("requirepass", "hunter2")
        .start()
        .expect("the server starts");
    let port = server.port().expect("it is ours");
    let url = |login: &str| Redis::builder(format!("redis://{login}127.0.0.1:{port}"));
    is_config(url(""), "asks for a password").await;
    is_config(url(":hunter3@"), "refuses the user or password").await;
    let dispatcher = Redis::open(server.url()).await?;
    let shown = format!("{dispatcher:?}");
    assert_eq!(
        shown,
        format!("Redis stream {{belts}}:stream:messages at 127.0.0.1:{port}, group belts")
    );
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn server_that_would_evict_messages_is_refused() {
    let server = servers::Redis::options()
        .setting("maxmemory-policy", "allkeys-lru")
        .setting("maxmemory", "100mb")
        .start()
        .expect("the server starts");
    is_config(Redis::builder(server.url()), "would throw messages away").await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn key_of_another_program_is_named() -> belts::Result<()> {
    let server = servers::Redis::shared();
    for kind in ["stream", "delayed", "bodies", "dead"] {
        let stream = Stream::new();
        let foreign = cmd("SET").arg(stream.key(kind)).arg("mine").to_owned();
        let _done: String = server.command(&foreign).expect("the server answers");
        let says = format!(
            "has another program's string under the key `{}`",
            stream.key(kind)
        );
        is_config(stream.builder(), &says).await;
    }
    // One that comes later.
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    let foreign = cmd("SET").arg(stream.key("stream")).arg("mine").to_owned();
    let _done: String = server.command(&foreign).expect("the server answers");
    let sending = send(&dispatcher, "one")
        .await
        .expect_err("it cannot be sent");
    let receiving = dispatcher
        .receive(1)
        .await
        .map(drop)
        .expect_err("nothing can be received");
    for error in [sending, receiving] {
        assert_eq!(error.kind(), ErrorKind::Dispatcher);
        assert!(
            error
                .to_string()
                .contains("has a key of another program in place of this stream"),
            "{error}"
        );
    }
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn settings_may_be_in_the_url() -> belts::Result<()> {
    let stream = Stream::new();
    let name = stream.prefix.name();
    let url = format!(
        "{}?key_prefix={name}&group=billing&visibility=45s&protocol=resp3",
        stream.prefix.url()
    );
    let worker = belts::Worker::builder()
        .publish_only()
        .dispatcher_url(url)
        .build()
        .await?;
    let dispatcher = worker.dispatcher().expect("it has one");
    assert_eq!(
        dispatcher.capabilities().visibility,
        Some(Duration::from_secs(45))
    );
    assert!(
        format!("{dispatcher:?}").contains("group billing"),
        "{dispatcher:?}"
    );
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn both_protocols_are_spoken() -> belts::Result<()> {
    for protocol in ["resp2", "resp3"] {
        let stream = Stream::new();
        let url = format!("{}?protocol={protocol}", stream.prefix.url());
        let dispatcher = Redis::builder(url)
            .key_prefix(stream.prefix.name())
            .open()
            .await?;
        send(&dispatcher, "there").await?;
        receive_one(&dispatcher).await?;
        // One that comes while somebody waits is read in another way.
        let waiting = receive_one(&dispatcher);
        let sending = async {
            super::pause(Duration::from_millis(100)).await;
            send(&dispatcher, "comes").await
        };
        let (came, ()) = tokio::try_join!(waiting, sending)?;
        assert_eq!(super::text(&came), "comes");
    }
    Ok(())
}
