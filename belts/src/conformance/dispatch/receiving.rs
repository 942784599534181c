//! Deliveries are acknowledged, returned, and redelivered. If the dispatcher pushes, the response's status does all that.

use std::{collections::HashSet, time::Duration};

use super::arrived::PATIENCE;
use super::bench::{Bench, SLACK, numbered, pause, receive, send};
use crate::{
    clock::{Clock as _, SystemClock},
    dispatch::{Delivery, Nack, SharedDispatcher, Verdict},
    error::Result,
};

/// Two receivers, and how long a delivery is hidden from the other.
async fn two(bench: &Bench) -> Result<Option<(SharedDispatcher, SharedDispatcher, Duration)>> {
    let (Some(one), Some(other)) = (bench.receiver().await?, bench.receiver().await?) else {
        return Ok(None);
    };
    let visibility = one.capabilities().visibility;
    let visibility = visibility.expect("who pulls says for how long a delivery is its receiver's");
    Ok(Some((one, other, visibility)))
}

async fn only(client: &SharedDispatcher) -> Result<Delivery> {
    let mut deliveries = receive(client, PATIENCE).await?;
    assert_eq!(deliveries.len(), 1, "one message was sent");
    Ok(deliveries.remove(0))
}

pub(super) async fn unacknowledged_comes_again(bench: Bench) -> Result<()> {
    let Some((one, other, _)) = two(&bench).await? else {
        return Ok(());
    };
    send(&one, numbered(1)).await?;
    let first = only(&one).await?;
    assert_eq!(first.arrivals, 1);
    drop(one);
    let again = only(&other).await?;
    assert_eq!(
        (&again.message_id, &again.body),
        (&first.message_id, &first.body)
    );
    assert!(again.arrivals >= 2, "it says that it came before");
    other.ack(vec![again.receipt]).await
}

pub(super) async fn acknowledged_is_gone(bench: Bench) -> Result<()> {
    let Some((one, other, visibility)) = two(&bench).await? else {
        return Ok(());
    };
    send(&one, numbered(1)).await?;
    let first = only(&one).await?;
    one.ack(vec![first.receipt.clone()]).await?;
    // Acknowledging again does no harm.
    one.ack(vec![first.receipt]).await?;
    let again = receive(&other, visibility * 2 + SLACK).await?;
    assert!(again.is_empty(), "it came again: {again:?}");
    Ok(())
}

pub(super) async fn visible_to_one_receiver(bench: Bench) -> Result<()> {
    let Some((one, other, visibility)) = two(&bench).await? else {
        return Ok(());
    };
    send(&one, numbered(1)).await?;
    let first = only(&one).await?;
    let extending = async {
        for _ in 0..9 {
            pause(visibility / 3).await;
            one.extend(std::slice::from_ref(&first.receipt)).await?;
        }
        Result::Ok(())
    };
    let looking = receive(&other, visibility * 3);
    let (extended, seen) = tokio::join!(extending, looking);
    extended?;
    assert!(seen?.is_empty(), "another receiver was given it");
    let again = only(&other).await?;
    assert_eq!(again.message_id, first.message_id);
    other.ack(vec![again.receipt]).await
}

pub(super) async fn put_off_comes_later(bench: Bench) -> Result<()> {
    let Some((one, other, visibility)) = two(&bench).await? else {
        return Ok(());
    };
    let later = visibility * 2 + Duration::from_secs(1);
    send(&one, numbered(1)).await?;
    let first = only(&one).await?;
    let put_off_at = SystemClock.now();
    one.nack(vec![Nack::new(
        first.receipt,
        Verdict::Later(later),
        "the store is away",
    )])
    .await?;
    let again = only(&other).await?;
    let waited = SystemClock.now().since(put_off_at) + SLACK;
    assert!(waited >= later, "it came after {waited:?}");
    assert_eq!(
        (&again.message_id, &again.body),
        (&first.message_id, &first.body)
    );
    assert!(again.arrivals >= 2, "it says that it came before");
    other.ack(vec![again.receipt]).await
}

pub(super) async fn put_aside_is_gone(bench: Bench) -> Result<()> {
    let Some((one, other, visibility)) = two(&bench).await? else {
        return Ok(());
    };
    send(&one, numbered(1)).await?;
    let poison = only(&one).await?;
    one.nack(vec![Nack::new(
        poison.receipt,
        Verdict::PutAside,
        "not JSON",
    )])
    .await?;
    send(&one, numbered(2)).await?;
    let good = only(&other).await?;
    assert_eq!(good.body, &*numbered(2).body);
    other.ack(vec![good.receipt]).await?;
    let again = receive(&other, visibility * 2 + SLACK).await?;
    assert!(again.is_empty(), "it came again: {again:?}");
    Ok(())
}

pub(super) async fn dropped_receive_loses_nothing(bench: Bench) -> Result<()> {
    const MESSAGES: usize = 20;
    let Some((one, other, _)) = two(&bench).await? else {
        return Ok(());
    };
    let mut missing: HashSet<Vec<u8>> = HashSet::new();
    for number in 0..MESSAGES {
        missing.insert(numbered(number).body.to_vec());
        // Drops a call while a message is on its way, at varying moments.
        let patience = Duration::from_micros(200 * number as u64);
        let sending = async {
            send(&one, numbered(number)).await?;
            pause(patience).await;
            Result::Ok(())
        };
        let receiving = async {
            loop {
                // Messages that it gets before that are not acknowledged either.
                if let Err(error) = one.receive(10).await {
                    return error;
                }
            }
        };
        tokio::select! {
            sent = sending => sent?,
            error = receiving => return Err(error),
        }
    }
    while !missing.is_empty() {
        let deliveries = receive(&other, PATIENCE).await?;
        assert!(
            !deliveries.is_empty(),
            "{} messages are lost",
            missing.len()
        );
        for delivery in deliveries {
            missing.remove(&delivery.body);
            other.ack(vec![delivery.receipt]).await?;
        }
    }
    Ok(())
}
