//! Metrics, as Prometheus scrapes them.

use std::{future::IntoFuture as _, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use belts::{
    Worker,
    dispatch::{Channel, Dispatcher as _, Message},
    store::Memory,
    testing::{Faults, ManualClock},
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tower::ServiceExt as _;

use crate::measured::*;

const PAGE: &str = include_str!("../../belts/docs/operations.md");

fn recorder() -> (PrometheusRecorder, PrometheusHandle) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    (recorder, handle)
}

async fn worker_of<M>(function: impl belts::Function<M>) -> Worker {
    let builder = Worker::builder()
        .insecure(true)
        .store(Memory::new())
        .function(function);
    builder.build().await.unwrap()
}

/// The value of one line of a scrape.
fn value(scrape: &str, series: &str) -> Option<f64> {
    let line = scrape.lines().find_map(|line| line.strip_prefix(series));
    line.and_then(|value| value.trim().parse().ok())
}

fn assert_value(scrape: &str, series: &str, expected: f64) {
    let found = value(scrape, series);
    assert!(
        found.is_some_and(|found| (found - expected).abs() < 0.01),
        "{series} is {found:?}, not {expected}, in:\n{scrape}"
    );
}

async fn deliver(worker: &Worker, body: &'static str) -> StatusCode {
    let request = Request::post("/")
        .header("content-type", "application/json")
        .header("webhook-id", "the-same")
        .body(Body::from(body))
        .unwrap();
    worker.router().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn each_metric_of_the_table_is_seen_by_a_scrape_with_its_description() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let worker = worker_of(measured).await;
    worker.execute(Measured { end: End::Well }).await.unwrap();
    let scrape = handle.render();
    let names: Vec<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `belts_")?.split('`').next())
        // They come with the first tick of a schedule.
        .filter(|name| !name.starts_with("tick"))
        .collect();
    assert!(names.len() > 10, "the page lists {names:?}");
    for name in names {
        assert!(
            scrape.contains(&format!("# HELP belts_{name} ")),
            "no description of {name} in:\n{scrape}"
        );
        assert!(
            scrape
                .lines()
                .any(|line| line.starts_with(&format!("belts_{name}"))),
            "no value of {name} in:\n{scrape}"
        );
    }
}

#[tokio::test]
async fn runs_steps_and_writes_are_counted_by_what_came_of_them() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let worker = worker_of(measured).await;
    for end in [End::Well, End::Badly, End::AtTheSecondTry] {
        within("the runs end", worker.execute(Measured { end }))
            .await
            .unwrap();
    }
    let scrape = handle.render();
    for (name, expected) in [
        ("runs_started_total", 3.0),
        ("runs_resumed_total", 1.0),
        ("runs_completed_total", 2.0),
        ("runs_failed_total", 1.0),
        ("runs_running", 0.0),
        ("steps_executed_total", 6.0),
        ("steps_failed_total", 1.0),
        ("steps_replayed_total", 1.0),
        ("step_duration_seconds_count", 6.0),
    ] {
        let series = format!("belts_{name}{{function=\"measured\"}}");
        assert_value(&scrape, &series, expected);
    }
    // Six steps, three ends and one retry.
    assert_value(&scrape, "belts_commit_seconds_count", 10.0);
    assert_value(&scrape, "belts_commit_batch_size_sum", 10.0);
}

#[tokio::test]
async fn deliveries_are_counted_by_their_outcome_and_published_events_without_duplicates() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let worker = worker_of(measured).await;
    let event = r#"{"event":{"type":"measured","end":"Well"}}"#;
    assert_eq!(deliver(&worker, event).await, StatusCode::OK);
    assert_eq!(deliver(&worker, event).await, StatusCode::OK);
    assert_eq!(deliver(&worker, "{}").await, StatusCode::BAD_REQUEST);
    assert_eq!(deliver(&worker, "{").await, StatusCode::BAD_REQUEST);
    for _ in 0..2 {
        let publish = publish_measured(Measured { end: End::Well }).idempotency_key("once");
        publish.via(&worker).await.unwrap();
    }
    let scrape = handle.render();
    for (outcome, expected) in [("accepted", 1.0), ("duplicate", 1.0), ("refused", 2.0)] {
        let series = format!("belts_deliveries_total{{via=\"http\",outcome=\"{outcome}\"}}");
        assert_value(&scrape, &series, expected);
    }
    assert_value(&scrape, "belts_published_total", 1.0);
}

#[tokio::test]
async fn the_oldest_due_run_ages_while_there_is_no_room_for_it() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let clock = ManualClock::default();
    let worker = Worker::builder()
        .insecure(true)
        .store(Memory::new())
        .function(held)
        .clock(clock.clone())
        .lease(Duration::from_secs(3600))
        .concurrency(1)
        .build()
        .await
        .unwrap();
    let looping = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    for _ in 0..2 {
        let gate = "oldest-due".to_owned();
        publish_held(Held { gate }).via(&worker).await.unwrap();
    }
    let running = "belts_runs_running{function=\"held\"}";
    eventually("one run is driven", || {
        value(&handle.render(), running) == Some(1.0)
    })
    .await;
    clock.advance(Duration::from_secs(90));
    let oldest = "belts_oldest_due_seconds";
    eventually("the other ages", || {
        value(&handle.render(), oldest).is_some_and(|age| age >= 90.0)
    })
    .await;
    gate("oldest-due").send_replace(true);
    eventually("nothing is left", || {
        let scrape = handle.render();
        value(&scrape, oldest) == Some(0.0) && value(&scrape, running) == Some(0.0)
    })
    .await;
    worker.shutdown();
    within("the worker ends", looping).await.unwrap().unwrap();
}

#[tokio::test]
async fn messages_of_a_dispatcher_are_deliveries_too() {
    let (recorder, handle) = recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let channel = Channel::new(Duration::from_secs(30));
    let worker = Worker::builder()
        .insecure(true)
        .store(Memory::new())
        .function(measured)
        .dispatcher(channel.clone())
        .build()
        .await
        .unwrap();
    let unread = Message::new("unread", *b"{");
    channel.send(vec![unread]).await.unwrap();
    for _ in 0..2 {
        let publish = publish_measured(Measured { end: End::Well });
        publish.via(&worker).await.unwrap();
    }
    let looping = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    let series =
        |outcome| format!("belts_deliveries_total{{via=\"message\",outcome=\"{outcome}\"}}");
    eventually("all are taken or refused", || {
        let scrape = handle.render();
        value(&scrape, &series("accepted")) == Some(2.0)
            && value(&scrape, &series("refused")) == Some(1.0)
    })
    .await;
    assert_value(&handle.render(), "belts_published_total", 2.0);
    worker.shutdown();
    within("the worker ends", looping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drive_that_is_given_up_for_another_worker_is_a_lost_lease() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let faults = Faults::new(Arc::new(store.clone()));
    let (recorder, handle) = recorder();
    let build = |faults: Faults| {
        let builder = Worker::builder()
            .insecure(true)
            .store(faults)
            .clock(clock.clone());
        builder.function(held).build()
    };
    let late = {
        let _recorder = metrics::set_default_local_recorder(&recorder);
        build(faults.clone()).await.unwrap()
    };
    let other = build(Faults::new(Arc::new(store))).await.unwrap();
    let event = Held {
        gate: "lost-lease".to_owned(),
    };
    let first = tokio::spawn(late.execute(event.clone()).run_id("lost").into_future());
    let running = "belts_runs_running{function=\"held\"}";
    eventually("the run is driven", || {
        value(&handle.render(), running) == Some(1.0)
    })
    .await;

    // The renewal does not get through, and the other worker takes over.
    let writes = faults.writes();
    faults.fail(1);
    clock.advance(Duration::from_secs(31));
    eventually("the renewal fails", || faults.writes() > writes).await;
    let second = tokio::spawn(other.execute(event).run_id("lost").into_future());
    eventually("both wait at the gate", || {
        gate("lost-lease").receiver_count() == 2
    })
    .await;
    assert_value(&handle.render(), "belts_leases_lost_total", 0.0);
    gate("lost-lease").send_replace(true);
    within("the other worker ends it", second)
        .await
        .unwrap()
        .unwrap();
    eventually("the late one hears of it", || {
        clock.advance(Duration::from_millis(100));
        first.is_finished()
    })
    .await;
    let scrape = handle.render();
    assert_value(&scrape, "belts_leases_lost_total", 1.0);
    assert_value(
        &scrape,
        "belts_runs_completed_total{function=\"held\"}",
        0.0,
    );
    assert_value(&scrape, running, 0.0);
}

#[tokio::test]
async fn what_waits_for_a_worker_is_counted_from_time_to_time() {
    let (recorder, handle) = recorder();
    let clock = ManualClock::default();
    let worker = {
        let _recorder = metrics::set_default_local_recorder(&recorder);
        let builder = Worker::builder()
            .insecure(true)
            .store(Memory::new())
            .clock(clock.clone());
        let builder = builder.function(held).function(measured).concurrency(1);
        builder.build().await.unwrap()
    };
    let event = Held {
        gate: "backlog".to_owned(),
    };
    for _ in 0..3 {
        let publish = publish_held(event.clone()).via(&worker);
        publish.await.unwrap();
    }
    let looping = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    let (due, running) = (
        "belts_runs_due{function=\"held\"}",
        "belts_runs_running{function=\"held\"}",
    );
    eventually("one is driven", || {
        value(&handle.render(), running) == Some(1.0)
    })
    .await;
    clock.advance(Duration::from_secs(10));
    eventually("two wait for its place", || {
        value(&handle.render(), due) == Some(2.0)
    })
    .await;
    assert_value(
        &handle.render(),
        "belts_runs_due{function=\"measured\"}",
        0.0,
    );
    gate("backlog").send_replace(true);
    eventually("all have ended", || {
        let completed = "belts_runs_completed_total{function=\"held\"}";
        value(&handle.render(), completed) == Some(3.0)
    })
    .await;
    clock.advance(Duration::from_secs(10));
    eventually("none waits", || value(&handle.render(), due) == Some(0.0)).await;
    worker.shutdown();
    within("the worker ends", looping).await.unwrap().unwrap();
}
