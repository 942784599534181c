//! Servers that restart, forget or are emptied, and connections that break.

use std::time::Duration;

use belts::dispatch::{Dispatcher, Nack, Redis, Verdict};
use belts_suite::servers;
use redis::cmd;

use super::{VISIBILITY, key, length, nothing_comes, receive_one, send, send_later, text};

async fn open(server: &servers::Redis) -> belts::Result<Redis> {
    Redis::builder(server.url())
        .visibility(VISIBILITY)
        .open()
        .await
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn messages_outlive_a_restart_of_the_server() -> belts::Result<()> {
    let server = servers::Redis::options()
        .setting("appendonly", "yes")
        .setting("appendfsync", "always")
        .start()
        .expect("the server starts");
    let dispatcher = open(&server).await?;
    for n in ["acknowledged", "held", "waiting"] {
        send(&dispatcher, n).await?;
    }
    send_later(&dispatcher, "delayed", Duration::from_secs(1)).await?;
    let acknowledged = receive_one(&dispatcher).await?;
    assert_eq!(text(&acknowledged), "acknowledged");
    dispatcher.ack(vec![acknowledged.receipt]).await?;
    receive_one(&dispatcher).await?;
    server.kill().expect("it runs");
    server.start_again().expect("it starts again");
    let mut rest = Vec::new();
    for _ in 0..3 {
        let delivery = receive_one(&dispatcher).await?;
        rest.push(text(&delivery));
        dispatcher.ack(vec![delivery.receipt]).await?;
    }
    rest.sort();
    assert_eq!(rest, ["delayed", "held", "waiting"]);
    nothing_comes(&dispatcher, VISIBILITY * 2).await
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn receiver_that_waits_lives_through_a_restart() -> belts::Result<()> {
    let server = servers::Redis::options()
        .setting("appendonly", "yes")
        .start()
        .expect("the server starts");
    let (dispatcher, sender) = (open(&server).await?, open(&server).await?);
    let waiting = receive_one(&dispatcher);
    let restarting = async {
        super::pause(Duration::from_millis(300)).await;
        server.stop().expect("it runs");
        server.start_again().expect("it starts again");
        send(&sender, "one").await
    };
    let (came, ()) = tokio::try_join!(waiting, restarting)?;
    assert_eq!(text(&came), "one");
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn server_that_is_emptied_or_forgets_is_used_on() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let dispatcher = open(&server).await?;
    let run = |command: &str, arg: &str| {
        let mut forget = cmd(command);
        if !arg.is_empty() {
            forget.arg(arg);
        }
        let _done: redis::Value = server.command(&forget).expect("the server answers");
    };
    for (command, arg) in [("FLUSHALL", ""), ("SCRIPT", "FLUSH"), ("FLUSHDB", "")] {
        send(&dispatcher, "lost").await?;
        let held = receive_one(&dispatcher).await?.receipt;
        run(command, arg);
        dispatcher.extend(std::slice::from_ref(&held)).await?;
        let nack = Nack::new(held.clone(), Verdict::PutAside, "late");
        dispatcher.nack(vec![nack]).await?;
        dispatcher.ack(vec![held]).await?;
        assert_eq!(length(&server, &key("belts", "stream")), 0);
        send(&dispatcher, command).await?;
        let came = receive_one(&dispatcher).await?;
        assert_eq!(text(&came), command);
        dispatcher.ack(vec![came.receipt]).await?;
        // While it waits, too.
        let forgetting = async {
            super::pause(Duration::from_millis(100)).await;
            run(command, arg);
            send(&dispatcher, "next").await
        };
        let (came, ()) = tokio::try_join!(receive_one(&dispatcher), forgetting)?;
        assert_eq!(text(&came), "next");
        dispatcher.ack(vec![came.receipt]).await?;
    }
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn group_that_was_removed_is_made_again() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let dispatcher = open(&server).await?;
    send(&dispatcher, "one").await?;
    receive_one(&dispatcher).await?;
    let mut remove = cmd("XGROUP");
    remove
        .arg("DESTROY")
        .arg(key("belts", "stream"))
        .arg("belts");
    let _done: i64 = server.command(&remove).expect("the server answers");
    assert_eq!(text(&receive_one(&dispatcher).await?), "one");
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn broken_connections_are_made_anew() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let dispatcher = open(&server).await?;
    for n in 0..5 {
        let breaking = async {
            super::pause(Duration::from_millis(50)).await;
            server.disconnect_all().expect("the server answers");
            send(&dispatcher, &n.to_string()).await
        };
        let (came, ()) = tokio::try_join!(receive_one(&dispatcher), breaking)?;
        server.disconnect_all().expect("the server answers");
        dispatcher.ack(vec![came.receipt]).await?;
    }
    Ok(())
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn full_server_refuses_what_is_sent_and_gives_what_it_has() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let dispatcher = open(&server).await?;
    send(&dispatcher, "first").await?;
    let first = receive_one(&dispatcher).await?;
    send(&dispatcher, "there").await?;
    send_later(&dispatcher, "due", Duration::from_millis(1)).await?;
    let limit = |bytes: &str| {
        let set = cmd("CONFIG")
            .arg("SET")
            .arg("maxmemory")
            .arg(bytes)
            .to_owned();
        let _done: String = server.command(&set).expect("the setting is known");
    };
    limit("1");
    let error = send(&dispatcher, "refused").await.expect_err("it is full");
    assert!(error.to_string().contains("raise `maxmemory`"), "{error}");
    assert!(error.is_retryable());
    let there = receive_one(&dispatcher).await?;
    assert_eq!(text(&there), "there");
    dispatcher.ack(vec![first.receipt, there.receipt]).await?;
    assert_eq!(length(&server, &key("belts", "stream")), 0);
    limit("0");
    assert_eq!(text(&receive_one(&dispatcher).await?), "due");
    Ok(())
}
