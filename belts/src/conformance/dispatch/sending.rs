//! Messages arrive: unchanged, in time, and each by itself.

use std::{collections::HashSet, time::Duration};

use super::bench::{Bench, SLACK, numbered, send};
use crate::{
    clock::{Clock as _, SystemClock},
    dispatch::Message,
    error::Result,
};

pub(super) async fn what_was_sent_arrives(bench: Bench) -> Result<()> {
    let mut inbox = bench.inbox().await?;
    let sender = bench.transport.connect(&inbox.front.url).await?;
    let message = numbered(1);
    let body = message.body.to_vec();
    send(&sender, message).await?;
    drop(sender);
    assert_eq!(inbox.next().await?.body, body);
    Ok(())
}

pub(super) async fn body_arrives_as_sent(bench: Bench) -> Result<()> {
    let mut inbox = bench.inbox().await?;
    let sender = bench.transport.connect(&inbox.front.url).await?;
    let big = format!("{{\"big\":\"{}\"}}", "0123456789abcdef".repeat(2048));
    let bodies = [
        "{}",
        "{ \"spaces\" :\t[ 1 , 2 ] }\n",
        r#"{"text":"é — 日本 🦀 \u0000 \" ' \\ & < > %2F + ="}"#,
        r#"{"number":12345678901234567890.10,"null":null}"#,
        &big,
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let message = Message::new(format!("body-{number}"), body.as_bytes());
        send(&sender, message).await?;
        let arrived = inbox.next().await?.body;
        assert_eq!(String::from_utf8_lossy(&arrived), body);
    }
    Ok(())
}

pub(super) async fn delay_is_kept(bench: Bench) -> Result<()> {
    let delay = Duration::from_secs(2);
    let mut inbox = bench.inbox().await?;
    let sender = bench.transport.connect(&inbox.front.url).await?;
    if sender.capabilities().max_delay < delay {
        return Ok(());
    }
    let sent_at = SystemClock.now();
    send(&sender, numbered(1).with_delay(delay)).await?;
    // A message without a delay does not wait for it.
    send(&sender, numbered(2)).await?;
    assert_eq!(inbox.next().await?.body, &*numbered(2).body);
    let late = inbox.next().await?;
    assert_eq!(late.body, &*numbered(1).body);
    let waited = late.at.since(sent_at) + SLACK;
    assert!(waited >= delay, "it came after {waited:?}");
    Ok(())
}

pub(super) async fn batch_is_answered_in_order(bench: Bench) -> Result<()> {
    let mut inbox = bench.inbox().await?;
    let sender = bench.transport.connect(&inbox.front.url).await?;
    let mut batch: Vec<_> = (0..25).map(numbered).collect();
    // A message that is rejected, if the limits are known.
    let limit = sender
        .capabilities()
        .max_bytes
        .filter(|limit| *limit <= 16 << 20);
    if let Some(limit) = limit {
        batch[7].body = format!("\"{}\"", "x".repeat(limit)).into_bytes().into();
    }
    let answers = sender.send(batch).await?;
    assert_eq!(answers.len(), 25);
    let mut expected = HashSet::new();
    for (number, answer) in answers.into_iter().enumerate() {
        if limit.is_some() && number == 7 {
            assert!(answer.is_err(), "the message over the limit is refused");
        } else {
            answer?;
            expected.insert(numbered(number).body.to_vec());
        }
    }
    while !expected.is_empty() {
        let body = inbox.next().await?.body;
        assert!(
            expected.remove(&body),
            "it comes once, and was sent: {}",
            String::from_utf8_lossy(&body)
        );
    }
    Ok(())
}
