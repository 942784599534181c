//! Delivering: when, how often, and what an answer means.

use std::{sync::Arc, time::Duration};

use belts_qstash_mock::{Mock, State};
use tokio::sync::Semaphore;

use super::destination::*;

#[tokio::test]
async fn a_message_keeps_its_id_over_its_retries_which_are_counted() {
    let mock = fast().start().unwrap();
    let url = destination(|seen| {
        if seen.retried() < 2 {
            with_headers(500, [])
        } else {
            with_headers(204, [])
        }
    })
    .await;
    let deliveries = delivered(&mock, &url, &[]).await;
    let retried: Vec<_> = deliveries
        .iter()
        .map(|delivery| delivery.header("upstash-retried"))
        .collect();
    assert_eq!(retried, ["0", "1", "2"]);
    assert_eq!(mock.counts().delivered, 1);
    // 12 s and 148 s, a thousand times faster.
    let pauses = [pause(&deliveries, 1), pause(&deliveries, 2)];
    assert!(
        pauses[0] >= Duration::from_millis(12) && pauses[1] >= Duration::from_millis(148),
        "{pauses:?}"
    );
}

#[tokio::test]
async fn there_are_three_retries_unless_the_message_wants_other() {
    let mock = Mock::settings().backoff(Duration::ZERO).start().unwrap();
    let url = always(500).await;
    assert_eq!(delivered(&mock, &url, &[]).await.len(), 4);
    assert_eq!(
        delivered(&mock, &url, &[("upstash-retries", "0")])
            .await
            .len(),
        1
    );
    assert_eq!(
        delivered(&mock, &url, &[("upstash-retries", "7")])
            .await
            .len(),
        8
    );
    assert_eq!(mock.counts().failed, 3);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let mock = fast().start().unwrap();
    let url = destination(|_| with_headers(302, [("location", "/elsewhere")])).await;
    let deliveries = delivered(&mock, &url, &[("upstash-retries", "0")]).await;
    assert_eq!(deliveries[0].status(), 302);
    assert_eq!(mock.counts().failed, 1);
}

#[tokio::test]
async fn a_489_with_its_header_is_not_retried() {
    let mock = fast().start().unwrap();
    let url = destination(|_| with_headers(489, [("upstash-nonretryable-error", "true")])).await;
    assert_eq!(delivered(&mock, &url, &[]).await.len(), 1);
    assert_eq!(mock.dead_letters().len(), 1);
}

#[tokio::test]
async fn a_destination_that_is_not_there_is_tried_again() {
    let mock = fast().start().unwrap();
    let deliveries = delivered(&mock, "http://127.0.0.1:1", &[("upstash-retries", "1")]).await;
    assert_eq!(deliveries.len(), 2);
    assert!(
        deliveries[0]
            .answer
            .as_ref()
            .unwrap_err()
            .contains("refused")
    );
}

#[tokio::test]
async fn a_destination_that_takes_too_long_has_failed() {
    let mock = fast().timeout_speed(50.0).start().unwrap();
    let url = gated(Arc::new(Semaphore::new(0))).await;
    let deliveries = delivered(
        &mock,
        &url,
        &[("upstash-timeout", "1s"), ("upstash-retries", "0")],
    )
    .await;
    assert!(deliveries[0].answer.is_err());
    assert!(deliveries[0].took >= Duration::from_millis(20));
}

#[tokio::test]
async fn delays_and_times_not_before_hold_a_message_back() {
    let mock = fast().clock(|| 1_700_000_000_000).start().unwrap();
    let url = always(200).await;
    let waits = [
        (vec![("upstash-delay", "50s")], 50),
        (vec![("upstash-not-before", "1700000060")], 60),
        (
            vec![
                ("upstash-not-before", "1600000000"),
                ("upstash-delay", "10h"),
            ],
            0,
        ),
    ];
    for (headers, millis) in waits {
        let before = sent_now(&mock, &url).await;
        let deliveries = delivered(&mock, &url, &headers).await;
        let waited = deliveries[0].sent_at.saturating_sub(before);
        assert!(
            waited >= Duration::from_millis(millis),
            "{headers:?}: {waited:?}"
        );
        assert!(waited < Duration::from_secs(30), "{headers:?}: {waited:?}");
    }
}

/// The mock's own time, which begins with it.
async fn sent_now(mock: &Mock, url: &str) -> Duration {
    delivered(mock, url, &[]).await[0].sent_at
}

#[tokio::test]
async fn the_message_or_the_answer_says_when_the_next_attempt_is() {
    let mock = fast().start().unwrap();
    let own = [
        ("upstash-retry-delay", "1000 * 60 * (1 + retried)"),
        ("upstash-retries", "2"),
    ];
    let deliveries = delivered(&mock, &always(500).await, &own).await;
    assert!(pause(&deliveries, 1) >= Duration::from_millis(60));
    assert!(pause(&deliveries, 2) >= Duration::from_millis(120));
    let asks = destination(|_| with_headers(503, [("retry-after", "90")])).await;
    let deliveries = delivered(
        &mock,
        &asks,
        &[("upstash-retry-delay", "0"), ("upstash-retries", "1")],
    )
    .await;
    assert!(pause(&deliveries, 1) >= Duration::from_millis(90));
}

#[tokio::test]
async fn what_is_being_delivered_is_cancelled_by_taking_its_retries() {
    let mock = fast().start().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let url = gated(Arc::clone(&gate)).await;
    let ids = [
        publish(&mock, &url, &[("upstash-timeout", "1s")]).await,
        publish(&mock, &url, &[]).await,
    ];
    mock.until(SOON, |mock| {
        ids.iter()
            .all(|id| mock.message(id).unwrap().state == State::Active)
            .then_some(())
    })
    .await
    .unwrap();
    for id in &ids {
        assert_eq!(
            ask(&mock, "DELETE", &format!("/v2/messages/{id}"), &[], "")
                .await
                .status,
            202
        );
    }
    // The first one's time runs out, and the second is answered.
    mock.until(SOON, |mock| {
        mock.message(&ids[0]).unwrap().state.is_end().then_some(())
    })
    .await
    .unwrap();
    gate.add_permits(2);
    mock.idle(SOON).await.unwrap();
    let states = ids.map(|id| mock.message(&id).unwrap().state);
    assert_eq!(states, [State::Cancelled, State::Delivered]);
    assert!(mock.dead_letters().is_empty());
}

#[tokio::test]
async fn no_more_deliveries_are_under_way_than_the_mock_allows() {
    let mock = fast().parallelism(2).start().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let url = gated(Arc::clone(&gate)).await;
    for _ in 0..5 {
        publish(&mock, &url, &[]).await;
    }
    let active = |mock: &Mock| {
        mock.messages()
            .iter()
            .filter(|message| message.state == State::Active)
            .count()
    };
    mock.until(SOON, |mock| (active(mock) == 2).then_some(()))
        .await
        .unwrap();
    assert_eq!(
        get(&mock, "/v2/globalParallelism").await.body["parallelismCount"],
        2
    );
    gate.add_permits(5);
    mock.idle(SOON).await.unwrap();
}

#[tokio::test]
async fn a_mock_that_never_rests_says_what_it_waits_for() {
    let mock = fast().start().unwrap();
    let id = publish(&mock, "http://a.example", &[("upstash-delay", "30d")]).await;
    let error = mock.idle(Duration::from_millis(5)).await.unwrap_err();
    assert!(error.to_string().contains(&id), "{error}");
}

#[tokio::test]
async fn the_log_tells_a_messages_life() {
    let mock = fast().start().unwrap();
    let url = destination(|seen| {
        if seen.retried() == 0 {
            with_headers(500, [])
        } else {
            with_headers(200, [])
        }
    })
    .await;
    let id = delivered(&mock, &url, &[]).await[0].message_id.clone();
    let states = |said: Said, name: &str| -> Vec<String> {
        let entries = said.body[name].as_array().unwrap().iter().rev();
        entries
            .map(|entry| entry["state"].as_str().unwrap().to_owned())
            .collect()
    };
    let life = ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"];
    assert_eq!(
        states(
            get(&mock, &format!("/v2/events?messageId={id}")).await,
            "events"
        ),
        life
    );
    assert_eq!(
        states(get(&mock, "/v2/logs?state=ERROR,DELIVERED").await, "logs"),
        ["ERROR", "DELIVERED"]
    );
    let page = get(&mock, "/v2/events?count=4").await;
    let rest = get(
        &mock,
        &format!(
            "/v2/events?count=4&cursor={}",
            page.body["cursor"].as_str().unwrap()
        ),
    )
    .await;
    assert_eq!(states(rest, "events"), life[..2]);
}
