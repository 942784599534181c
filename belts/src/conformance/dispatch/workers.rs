//! A worker under disturbed deliveries: each event starts each function once, and none is lost.

use std::time::Duration;

use super::{
    bench::{Bench, SLACK, pause},
    front::Fault,
    site::{self, Site},
};
use crate::{
    clock::{Clock as _, SystemClock},
    error::Result,
};

async fn all_count(bench: Bench, fault: Fault, events: usize) -> Result<()> {
    let mut site = Site::open(bench.transport, fault).await?;
    site.publisher.publish_many(events).await?;
    site.exactly(events, site.quiet()).await?;
    site.shut_down().await
}

pub(super) async fn second_delivery_starts_nothing(bench: Bench) -> Result<()> {
    all_count(bench, Fault::Twice, 5).await
}

pub(super) async fn two_deliveries_at_once_start_one_run(bench: Bench) -> Result<()> {
    all_count(bench, Fault::TwiceAtOnce, 5).await
}

pub(super) async fn lost_acknowledgement_starts_nothing(bench: Bench) -> Result<()> {
    all_count(bench, Fault::LostAcknowledgement, 5).await
}

pub(super) async fn reordered_messages_all_count(bench: Bench) -> Result<()> {
    all_count(bench, Fault::Reordered { others: 2 }, 5).await
}

pub(super) async fn poison_spares_the_others(bench: Bench) -> Result<()> {
    let mut site = Site::open(bench.transport, Fault::None).await?;
    let poison = [
        "not JSON",
        "[]",
        "{}",
        r#"{"event":{"type":"conformance-sent"}}"#,
        r#"{"v":2,"event":{"type":"conformance-sent","number":1}}"#,
        r#"{"event":{"type":"nobody-listens"}}"#,
    ];
    for (number, body) in poison.into_iter().enumerate() {
        site.publisher.publish_now(number).await?;
        site.send_poison(number, body).await?;
    }
    site.exactly(poison.len(), site.quiet()).await?;
    site.shut_down().await
}

pub(super) async fn misfit_comes_again(bench: Bench) -> Result<()> {
    let mut site = Site::open(bench.transport, Fault::None).await?;
    let misfit = site::misfit();
    site.publisher.publish_many(2).await?;
    site.publisher.publish_now(misfit).await?;
    site.exactly(3, site.quiet()).await?;
    site.shut_down().await
}

pub(super) async fn delayed_event_runs_at_its_time(bench: Bench) -> Result<()> {
    let mut site = Site::open(bench.transport, Fault::None).await?;
    let due_at = SystemClock.now().after(Duration::from_secs(2));
    site.publisher.publish(0, due_at).await?;
    site.publisher.publish_now(1).await?;
    let runs = site.exactly(2, Duration::ZERO).await?;
    for run in runs {
        let early = due_at.since(run.finished_at.expect("it has ended"));
        assert!(
            &*run.event_id == "event-1" || early <= SLACK,
            "the delayed event ran {early:?} before its time"
        );
    }
    site.shut_down().await
}

pub(super) async fn shutdown_in_mid_delivery_loses_nothing(bench: Bench) -> Result<()> {
    const EVENTS: usize = 40;
    let mut site = Site::open(bench.transport, Fault::None).await?;
    let publisher = site.publisher.clone();
    let publishing = tokio::spawn(async move { publisher.publish_many(EVENTS).await });
    pause(Duration::from_millis(5)).await;
    site.shut_down().await?;
    site.start().await?;
    publishing.await.expect("publishing does not panic")?;
    site.exactly(EVENTS, site.quiet()).await?;
    site.shut_down().await
}
