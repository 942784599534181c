//! Messages that other programs have put into the stream.

use std::time::Duration;

use belts::dispatch::{Dispatcher, Nack, Verdict};
use belts_suite::servers;
use redis::{Cmd, cmd};

use super::{Stream, VISIBILITY, nothing_comes, receive, receive_one, send, text};

fn add(stream: &Stream, fields: &[(&str, &[u8])]) -> String {
    let mut add: Cmd = cmd("XADD");
    add.arg(stream.key("stream")).arg("*");
    for (name, value) in fields {
        add.arg(*name).arg(*value);
    }
    servers::Redis::shared()
        .command(&add)
        .expect("the server answers")
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn foreign_message_has_the_id_of_its_entry() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    let id = add(&stream, &[("source", b"shop"), ("body", b"{}")]);
    let delivery = receive_one(&dispatcher).await?;
    assert_eq!(text(&delivery), "{}");
    assert_eq!(
        *delivery.message_id,
        format!("{}/{id}", stream.key("stream"))
    );
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn odd_messages_are_delivered_put_off_and_put_aside() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    add(&stream, &[("payload", b"no body")]);
    add(
        &stream,
        &[("belts:id", b"has a space"), ("belts:arrivals", b"many")],
    );
    add(
        &stream,
        &[
            ("belts:id", b""),
            ("belts:arrivals", b"99999999999999999999"),
        ],
    );
    add(&stream, &[("belts:id", b"\xff\xfe"), ("belts:group", b"")]);
    let many: Vec<_> = (0..5_000).map(|n: u32| format!("field-{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| (&**name, &b"x"[..])).collect();
    add(&stream, &many);
    let first = receive(&dispatcher, 5).await?;
    assert!(first.iter().all(|delivery| delivery.body.is_empty()));
    let nack =
        |verdict| move |one: belts::dispatch::Delivery| Nack::new(one.receipt, verdict, "odd");
    let later = first.into_iter().map(nack(Verdict::Later(Duration::ZERO)));
    dispatcher.nack(later.collect()).await?;
    let second = receive(&dispatcher, 5).await?;
    let aside = second.into_iter().map(nack(Verdict::PutAside));
    dispatcher.nack(aside.collect()).await?;
    assert_eq!(stream.length(), 0);
    send(&dispatcher, "ours").await?;
    let ours = receive_one(&dispatcher).await?;
    assert_eq!(text(&ours), "ours");
    dispatcher.ack(vec![ours.receipt]).await?;
    nothing_comes(&dispatcher, VISIBILITY * 2).await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn message_that_somebody_deleted_is_forgotten() -> belts::Result<()> {
    let stream = Stream::new();
    let dispatcher = stream.open().await?;
    let id = add(&stream, &[("body", b"one")]);
    let held = receive_one(&dispatcher).await?;
    let delete = cmd("XDEL").arg(stream.key("stream")).arg(id).to_owned();
    let _deleted: i64 = servers::Redis::shared()
        .command(&delete)
        .expect("the server answers");
    nothing_comes(&dispatcher, VISIBILITY * 2).await?;
    let nack = Nack::new(held.receipt, Verdict::Later(Duration::ZERO), "late");
    dispatcher.nack(vec![nack]).await?;
    nothing_comes(&dispatcher, VISIBILITY).await
}
