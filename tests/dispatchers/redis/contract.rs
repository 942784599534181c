//! What the trait promises: sending, receiving, putting off and aside.

use std::{collections::HashSet, time::Duration};

use belts::dispatch::{Dispatcher, Message, Nack, Verdict};
use belts_suite::servers;
use redis::cmd;
use tokio::time::{Instant, timeout};

use super::{
    Stream, VISIBILITY, nothing_comes, receive, receive_one, send, send_later, text, texts,
};

const LATER: Duration = Duration::from_millis(700);

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn body_arrives_byte_for_byte() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    dispatcher
        .send(vec![Message::new("all", body.clone())])
        .await?
        .remove(0)?;
    let empty = Message::new("none", *b"").with_delay(Duration::from_millis(1));
    dispatcher.send(vec![empty]).await?.remove(0)?;
    let mut bodies: Vec<_> = receive(&dispatcher, 2)
        .await?
        .into_iter()
        .map(|one| one.body)
        .collect();
    bodies.sort();
    assert_eq!(bodies, [Vec::new(), body]);
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn answers_stand_in_order_and_the_ids_are_those_of_the_deliveries() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    let delay = |n| {
        if n % 3 == 0 {
            Duration::from_millis(1)
        } else {
            Duration::ZERO
        }
    };
    let message =
        |n: u64| Message::new(n.to_string(), n.to_string().into_bytes()).with_delay(delay(n));
    // More than one script is given.
    let sent = dispatcher.send((0..250).map(message).collect()).await?;
    let mut ids = Vec::new();
    for sent in sent {
        let sent = sent?;
        assert!(!sent.duplicate);
        ids.push(sent.message_id.expect("each has an id").to_string());
    }
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 250);
    assert!(
        ids.iter().all(|id| id.starts_with(&stream.key("stream"))),
        "{ids:?}"
    );
    let came = receive(&dispatcher, 250).await?;
    for delivery in came {
        let n: usize = text(&delivery).parse().expect("a number was sent");
        assert_eq!(*delivery.message_id, *ids[n]);
        assert_eq!(delivery.arrivals, 1);
    }
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn delay_is_kept_and_not_by_much() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    let began = Instant::now();
    send_later(&dispatcher, "late", LATER).await?;
    send_later(&dispatcher, "never", Duration::MAX).await?;
    send(&dispatcher, "now").await?;
    let now = receive_one(&dispatcher).await?;
    assert_eq!(text(&now), "now");
    dispatcher.ack(vec![now.receipt]).await?;
    let late = receive_one(&dispatcher).await?;
    assert_eq!(text(&late), "late");
    assert!(began.elapsed() >= LATER, "{:?}", began.elapsed());
    assert!(
        began.elapsed() < LATER + Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn two_receivers_share_the_messages() -> belts::Result<()> {
    let stream = Stream::new();
    let (one, other) = (
        stream
            .builder()
            .visibility(Duration::from_secs(60))
            .open()
            .await?,
        stream.open().await?,
    );
    let message = |n: u32| Message::new(n.to_string(), n.to_string().into_bytes());
    one.send((0..20).map(message).collect()).await?;
    let first = receive(&one, 10).await?;
    let second = receive(&other, 10).await?;
    let all: HashSet<_> = texts(&first).into_iter().chain(texts(&second)).collect();
    assert_eq!(all.len(), 20);
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn unacknowledged_comes_again_to_others_after_its_visibility() -> belts::Result<()> {
    let stream = Stream::new();
    let (dead, other) = (stream.open().await?, stream.open().await?);
    send(&dead, "one").await?;
    let began = Instant::now();
    let first = receive_one(&dead).await?;
    let again = receive_one(&other).await?;
    assert!(began.elapsed() >= VISIBILITY, "{:?}", began.elapsed());
    assert_eq!((text(&again), again.arrivals), ("one".to_owned(), 2));
    assert_eq!(first.message_id, again.message_id);
    assert_ne!(first.receipt, again.receipt);
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn acknowledged_is_gone_from_the_server_too() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    send(&dispatcher, "one").await?;
    send(&dispatcher, "two").await?;
    let came = receive(&dispatcher, 2).await?;
    assert_eq!(stream.length(), 2);
    dispatcher
        .ack(came.into_iter().map(|one| one.receipt).collect())
        .await?;
    assert_eq!(stream.length(), 0);
    nothing_comes(&dispatcher, VISIBILITY * 2).await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn extended_stays_with_its_receiver() -> belts::Result<()> {
    let stream = Stream::new();
    let (one, other) = (stream.open().await?, stream.open().await?);
    send(&one, "one").await?;
    let delivery = receive_one(&one).await?;
    for _ in 0..8 {
        nothing_comes(&other, VISIBILITY / 3).await?;
        one.extend(std::slice::from_ref(&delivery.receipt)).await?;
    }
    let again = receive_one(&other).await?;
    // To prolong is not to arrive.
    assert_eq!(again.arrivals, 2);
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn put_off_comes_later_as_the_same_message() -> belts::Result<()> {
    let stream = Stream::new();
    let (one, other) = (stream.open().await?, stream.open().await?);
    send(&one, "one").await?;
    let first = receive_one(&one).await?;
    let mut receipt = first.receipt;
    for (from, to, arrivals) in [(&one, &other, 2), (&other, &one, 3)] {
        let began = Instant::now();
        let nack = Nack::new(receipt, Verdict::Later(LATER), "not now");
        from.nack(vec![nack]).await?;
        // It leaves no trace in the stream.
        assert_eq!(stream.length(), 0);
        let again = receive_one(to).await?;
        assert!(began.elapsed() >= LATER, "{:?}", began.elapsed());
        assert_eq!((text(&again), again.arrivals), ("one".to_owned(), arrivals));
        assert_eq!(again.message_id, first.message_id);
        receipt = again.receipt;
    }
    one.ack(vec![receipt]).await?;
    nothing_comes(&one, VISIBILITY * 2).await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn put_aside_is_gone_and_kept_with_the_reason() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.builder().dead_letters(2).open().await?;
    for n in ["one", "two", "three"] {
        send(&dispatcher, n).await?;
    }
    let mut ids = Vec::new();
    for delivery in receive(&dispatcher, 3).await? {
        ids.push(delivery.message_id);
        let nack = Nack::new(delivery.receipt, Verdict::PutAside, "no event is in it");
        dispatcher.nack(vec![nack]).await?;
    }
    assert_eq!(stream.length(), 0);
    let letters: Vec<(String, Vec<(String, String)>)> = servers::Redis::shared()
        .command(cmd("XRANGE").arg(stream.key("dead")).arg("-").arg("+"))
        .expect("the server answers");
    // The first one had to go.
    assert_eq!(letters.len(), 2);
    for ((_, fields), (id, body)) in letters.iter().zip(ids[1..].iter().zip(["two", "three"])) {
        let field = |name: &str| {
            fields
                .iter()
                .find(|field| field.0 == name)
                .map(|field| &*field.1)
        };
        assert_eq!(field("body"), Some(body));
        assert_eq!(field("belts:reason"), Some("no event is in it"));
        assert_eq!(field("belts:arrivals"), Some("1"));
        assert_eq!(field("belts:group"), Some("belts"));
        assert!(field("belts:id").is_some_and(|origin| id.ends_with(origin)));
    }
    nothing_comes(&dispatcher, VISIBILITY * 2).await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn dropped_receive_loses_nothing() -> belts::Result<()> {
    let stream = Stream::new();
    let (dispatcher, sender) = (stream.open().await?, stream.open().await?);
    let mut seen = HashSet::new();
    let mut sent = 0;
    while seen.len() < 60 {
        if sent < 60 {
            send(&sender, &sent.to_string()).await?;
            sent += 1;
        }
        // Now and then it is dropped before, while and after the server answers.
        let patience = Duration::from_micros(fastrand::u64(0..3_000));
        if let Ok(came) = timeout(patience, dispatcher.receive(3)).await {
            let came = came?;
            seen.extend(texts(&came));
            dispatcher
                .ack(came.into_iter().map(|one| one.receipt).collect())
                .await?;
        }
        if sent == 60 && seen.len() < 60 {
            let came = timeout(super::DEADLINE, dispatcher.receive(60))
                .await
                .expect("the rest comes")?;
            seen.extend(texts(&came));
            dispatcher
                .ack(came.into_iter().map(|one| one.receipt).collect())
                .await?;
        }
    }
    assert_eq!(stream.length(), 0);
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn two_calls_of_one_dispatcher_wait_side_by_side() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    let (one, other) = (dispatcher.clone(), dispatcher.clone());
    let both = async { tokio::try_join!(receive_one(&one), receive_one(&other)) };
    let sending = async {
        send(&dispatcher, "one").await?;
        send(&dispatcher, "two").await
    };
    let ((first, second), ()) = tokio::try_join!(both, sending)?;
    assert_eq!(texts(&[first, second]), ["one", "two"]);
    Ok(())
}
