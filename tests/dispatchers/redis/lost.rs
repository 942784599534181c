//! Calls whose answer is lost: they are made again, and do nothing twice that counts.

use std::time::Duration;

use belts::dispatch::{Dispatcher, Nack, Redis, Verdict};
use belts_suite::servers;
use redis::cmd;

use super::{Stream, nothing_comes, proxy::Proxy, receive_one, send, send_later, text};

/// A stream with a dispatcher behind a proxy.
async fn lossy() -> belts::Result<(Stream, Proxy, Redis)> {
    let stream = Stream::new();
    let url = stream.prefix.url().trim_end_matches('/');
    let server = url.rsplit(['/', '@']).next().unwrap_or_default();
    let (host, port) = server.split_once(':').expect("the URL has a port");
    let proxy = Proxy::start(host, port.parse().expect("it is a number"))
        .await
        .expect("there is a free port");
    let url = url.replace(server, &proxy.address().to_string());
    let dispatcher = Redis::builder(url)
        .key_prefix(stream.prefix.name())
        .visibility(super::VISIBILITY)
        .open()
        .await?;
    Ok((stream, proxy, dispatcher))
}

fn held_back(stream: &Stream) -> i64 {
    let count = cmd("ZCARD").arg(stream.key("delayed")).to_owned();
    servers::Redis::shared()
        .command(&count)
        .expect("the server answers")
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn lost_answer_holds_nothing_back_twice() -> belts::Result<()> {
    let (stream, proxy, dispatcher) = lossy().await?;
    proxy.lose_next_answer();
    send_later(&dispatcher, "one", Duration::from_millis(50)).await?;
    assert!(proxy.has_lost());
    assert_eq!(held_back(&stream), 1);
    let delivery = receive_one(&dispatcher).await?;
    proxy.lose_next_answer();
    let nack = Nack::new(delivery.receipt, Verdict::Later(Duration::ZERO), "not now");
    dispatcher.nack(vec![nack]).await?;
    assert!(proxy.has_lost());
    assert_eq!((held_back(&stream), stream.length()), (1, 0));
    let again = receive_one(&dispatcher).await?;
    assert_eq!((text(&again), again.arrivals), ("one".to_owned(), 2));
    proxy.lose_next_answer();
    dispatcher.ack(vec![again.receipt]).await?;
    assert!(proxy.has_lost());
    assert_eq!(stream.length(), 0);
    nothing_comes(&dispatcher, super::VISIBILITY * 2).await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn what_was_given_to_nobody_comes_after_its_visibility() -> belts::Result<()> {
    let (_stream, proxy, dispatcher) = lossy().await?;
    send(&dispatcher, "one").await?;
    // The group is made first: its answer, or that of the look that brings the message, is lost.
    for _ in 0..2 {
        proxy.lose_next_answer();
        let delivery = receive_one(&dispatcher).await?;
        assert!(proxy.has_lost());
        assert_eq!(text(&delivery), "one");
        // It is left to come again.
    }
    proxy.lose_next_answer();
    let delivery = receive_one(&dispatcher).await?;
    assert!(delivery.arrivals >= 3, "{delivery:?}");
    dispatcher.ack(vec![delivery.receipt]).await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn all_that_was_left_behind_is_taken_before_what_is_new() -> belts::Result<()> {
    // A receiver looked for it four times in a visibility, and took one batch each time: 20,000 messages of consumers that
    // had died drained at 64 to 110 a second.
    const LEFT: usize = 120;
    let stream = Stream::new();
    let dead = stream.open().await?;
    for number in 0..LEFT {
        send(&dead, &format!("left {number}")).await?;
    }
    drop(super::receive(&dead, LEFT).await?);
    let idle = || {
        let mut pending = cmd("XPENDING");
        pending.arg(stream.key("stream")).arg("belts").arg("IDLE");
        pending.arg(super::VISIBILITY.as_millis().to_string());
        pending.arg("-").arg("+").arg(LEFT);
        let idle: redis::Value = servers::Redis::shared()
            .command(&pending)
            .expect("the server answers");
        matches!(idle, redis::Value::Array(all) if all.len() == LEFT)
    };
    super::until("nobody holds them", idle).await;
    for number in 0..LEFT {
        send(&dead, &format!("new {number}")).await?;
    }
    let living = stream.open().await?;
    for _ in 0..3 {
        let taken = living.receive(LEFT / 3).await?;
        assert_eq!(taken.len(), LEFT / 3);
        assert!(
            taken.iter().all(|it| text(it).starts_with("left")),
            "{taken:?}"
        );
        assert!(
            taken
                .iter()
                .all(|it| (it.arrivals, it.unanswered) == (2, Some(1)))
        );
    }
    Ok(())
}
