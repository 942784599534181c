//! Several groups on one stream, and consumers that are gone.

use std::time::Duration;

use belts::dispatch::{Dispatcher, Nack, Verdict};
use belts_suite::servers;
use redis::cmd;

use super::{Stream, VISIBILITY, nothing_comes, receive_one, send, text, until};

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn each_group_gets_each_message_and_the_last_one_deletes_it() -> belts::Result<()> {
    let stream = Stream::new();
    let (sender, billing) = (
        stream.open().await?,
        stream.builder().group("billing").open().await?,
    );
    let shipping = stream.builder().group("shipping").open().await?;
    for group in [&billing, &shipping] {
        send(&sender, "warm-up").await?;
        let delivery = receive_one(group).await?;
        group.ack(vec![delivery.receipt]).await?;
    }
    // The second warm-up is left for the first group.
    let left = receive_one(&billing).await?;
    billing.ack(vec![left.receipt]).await?;
    assert_eq!(stream.length(), 0);
    send(&sender, "one").await?;
    let (first, second) = (receive_one(&billing).await?, receive_one(&shipping).await?);
    assert_eq!(first.message_id, second.message_id);
    billing.ack(vec![first.receipt]).await?;
    assert_eq!(stream.length(), 1);
    shipping.ack(vec![second.receipt]).await?;
    assert_eq!(stream.length(), 0);
    // One that the other group was not yet given stays for it.
    send(&sender, "two").await?;
    let first = receive_one(&billing).await?;
    billing.ack(vec![first.receipt]).await?;
    assert_eq!(text(&receive_one(&shipping).await?), "two");
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn what_one_group_puts_off_comes_to_that_group_alone() -> belts::Result<()> {
    let stream = Stream::new();
    let (billing, shipping) = (
        stream.builder().group("billing").open().await?,
        stream.builder().group("shipping").open().await?,
    );
    nothing_comes(&billing, Duration::from_millis(200)).await?;
    nothing_comes(&shipping, Duration::from_millis(200)).await?;
    send(&billing, "one").await?;
    let (first, second) = (receive_one(&billing).await?, receive_one(&shipping).await?);
    shipping.ack(vec![second.receipt]).await?;
    let nack = Nack::new(first.receipt, Verdict::Later(Duration::ZERO), "not now");
    billing.nack(vec![nack]).await?;
    let again = receive_one(&billing).await?;
    assert_eq!((again.message_id, again.arrivals), (first.message_id, 2));
    nothing_comes(&shipping, VISIBILITY * 2).await?;
    billing.ack(vec![again.receipt]).await?;
    assert_eq!(stream.length(), 0);
    Ok(())
}

/// Both wake up in the millisecond in which a message is due, and the server always served the same one first: an event that
/// this one could not read was a dead letter although the other one could.
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn what_one_receiver_hands_on_soon_comes_to_the_other() -> belts::Result<()> {
    for who in 0..2 {
        let stream = Stream::new();
        let receivers = [stream.open().await?, stream.open().await?];
        let (cannot, can) = (&receivers[who], &receivers[1 - who]);
        for text in ["one", "two", "three"] {
            send(cannot, text).await?;
            let hands_on = async {
                loop {
                    let receipt = receive_one(cannot).await?.receipt;
                    let later = Verdict::Later(Duration::from_millis(100));
                    cannot
                        .nack(vec![Nack::new(receipt, later, "not mine")])
                        .await?;
                }
            };
            let delivery = tokio::select! {
                delivery = receive_one(can) => delivery?,
                failed = hands_on => return failed,
            };
            assert!(
                delivery.arrivals < 10,
                "{text}: {} arrivals",
                delivery.arrivals
            );
            can.ack(vec![delivery.receipt]).await?;
        }
    }
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn what_was_sent_before_there_was_a_group_is_received() -> belts::Result<()> {
    let stream = Stream::new();
    let sender = stream.open().await?;
    send(&sender, "early").await?;
    drop(sender);
    assert_eq!(text(&receive_one(&stream.open().await?).await?), "early");
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn consumers_that_are_gone_are_forgotten_once_their_messages_are_taken() -> belts::Result<()>
{
    let stream = Stream::new();
    let open = || stream.builder().visibility(VISIBILITY / 4).open();
    let (idle, dead) = (open().await?, open().await?);
    send(&idle, "acknowledged").await?;
    let acknowledged = receive_one(&idle).await?;
    idle.ack(vec![acknowledged.receipt]).await?;
    send(&dead, "one").await?;
    let _never_acknowledged = receive_one(&dead).await?;
    drop((idle, dead));
    assert_eq!(consumers(&stream), 2);
    let living = open().await?;
    let taken = receive_one(&living).await?;
    living.ack(vec![taken.receipt]).await?;
    let receiving = async {
        loop {
            drop(living.receive(1).await);
        }
    };
    tokio::select! {
        () = until("only the living one is left", || consumers(&stream) == 1) => Ok(()),
        () = receiving => unreachable!("it goes on for ever"),
    }
}

fn consumers(stream: &Stream) -> usize {
    let mut ask = cmd("XINFO");
    ask.arg("CONSUMERS").arg(stream.key("stream")).arg("belts");
    let consumers: Vec<redis::Value> = servers::Redis::shared()
        .command(&ask)
        .expect("the server answers");
    consumers.len()
}
