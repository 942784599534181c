//! A receipt holds for one arrival: what others have been given since is theirs.

use std::time::Duration;

use belts::dispatch::{Dispatcher, Nack, Receipt, Verdict};

use super::{Stream, VISIBILITY, nothing_comes, receive_one, send, text};

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn late_receiver_gives_back_and_prolongs_nothing() -> belts::Result<()> {
    let stream = Stream::new();
    let (late, other) = (stream.open().await?, stream.open().await?);
    send(&late, "one").await?;
    let stale = receive_one(&late).await?.receipt;
    let held = receive_one(&other).await?;
    for verdict in [Verdict::PutAside, Verdict::Later(Duration::ZERO)] {
        late.nack(vec![Nack::new(stale.clone(), verdict, "late")])
            .await?;
    }
    assert_eq!(stream.length(), 1);
    other.extend(std::slice::from_ref(&held.receipt)).await?;
    nothing_comes(&late, VISIBILITY / 3).await?;
    // What is durable elsewhere is so, whoever holds the message.
    late.ack(vec![stale]).await?;
    assert_eq!(stream.length(), 0);
    nothing_comes(&other, VISIBILITY * 2).await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn receipt_of_an_earlier_arrival_at_the_same_receiver_is_stale_too() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    send(&dispatcher, "one").await?;
    let first = receive_one(&dispatcher).await?;
    let second = receive_one(&dispatcher).await?;
    let nack = |receipt| vec![Nack::new(receipt, Verdict::PutAside, "late")];
    dispatcher.nack(nack(first.receipt)).await?;
    assert_eq!(stream.length(), 1);
    dispatcher.nack(nack(second.receipt)).await?;
    assert_eq!(stream.length(), 0);
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn receipt_of_something_else_holds_nothing() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    send(&dispatcher, "one").await?;
    let held = receive_one(&dispatcher).await?;
    for odd in ["", "1-1", "x-y 1 me", "1-1 x me", "- 1 me", "5-5 1 me"] {
        let odd = Receipt::new(odd);
        dispatcher.extend(std::slice::from_ref(&odd)).await?;
        dispatcher.ack(vec![odd.clone()]).await?;
        let nack = Nack::new(odd, Verdict::PutAside, "odd");
        dispatcher.nack(vec![nack]).await?;
    }
    assert_eq!(stream.length(), 1);
    assert_eq!(text(&held), "one");
    Ok(())
}
