//! Examples that need nothing and end by themselves.

use std::{collections::BTreeSet, time::Duration};

use crate::program::{command, directory, run, run_within};

/// The lines that an example prints.
async fn lines(example: &str) -> Vec<String> {
    let printed = run(command(example, &directory())).await;
    printed.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn hello_mails_once_however_often_it_is_started() {
    let directory = directory();
    let account = "account of ada@example.com\n";
    let first = run(command("hello", &directory)).await;
    assert_eq!(first, format!("mail about the {account}{account}"));
    assert_eq!(run(command("hello", &directory)).await, account);
}

#[tokio::test]
async fn approval_decides_each_expense_once_although_its_worker_is_killed() {
    let lines = lines("approval").await;
    let last = lines.last().map(String::as_str);
    let expected =
        "20 expenses · 12 approved · 5 rejected · 3 expired · 2 crashes · 0 decided twice";
    assert_eq!(last, Some(expected), "{lines:?}");
}

#[tokio::test]
async fn agent_pays_for_nothing_twice_although_its_worker_is_killed_in_three_turns() {
    let lines = lines("agent").await;
    let last = lines.last().map(String::as_str);
    let expected = "5 turns · 4 tool calls · 1 approval · 3 crashes · 0 calls paid twice";
    assert_eq!(last, Some(expected), "{lines:?}");
}

#[tokio::test]
async fn trip_releases_each_reservation_once_although_its_worker_is_killed() {
    let lines = lines("trip").await;
    let last = lines.last().map(String::as_str);
    let expected =
        "20 trips · 10 booked · 10 undone · 1 crash · 0 reservations left · 0 released twice";
    assert_eq!(last, Some(expected), "{lines:?}");
}

#[tokio::test]
async fn reports_come_once_each_although_the_worker_is_killed_away_and_replaced() {
    let lines = lines("reports").await;
    let last = lines.last().map(String::as_str);
    let expected = "9 ticks · 9 runs · 1 caught up · 4 missed told · 0 twice";
    assert_eq!(last, Some(expected), "{lines:?}");
}

#[tokio::test]
async fn tenants_take_turns_within_their_limits_although_both_workers_are_killed() {
    let printed = run_within(Duration::from_secs(240), command("tenants", &directory())).await;
    let lines: Vec<&str> = printed.lines().collect();
    let last = lines.last().copied().unwrap_or_default();
    // How many there were at once at most is measured.
    let kept = "20 tenants · 5190 runs · at most 1 per tenant · at most ";
    let rest = last.strip_prefix(kept);
    let (most, rest) = rest
        .and_then(|rest| rest.split_once(' '))
        .unwrap_or_default();
    assert!((1..=8).contains(&most.parse().unwrap_or(0)), "{lines:?}");
    assert!(
        rest.starts_with("at once · quiet tenants waited "),
        "{lines:?}"
    );
    assert!(rest.ends_with(" s · 0 places left"), "{lines:?}");
}

#[tokio::test]
async fn search_index_loses_no_update_and_keeps_no_old_version_although_its_worker_is_killed() {
    let lines = lines("search_index").await;
    let last = lines.last().map(String::as_str).unwrap_or_default();
    let kept = "10000 updates · 0 lost · 0 stale · ";
    let writes = last.strip_prefix(kept);
    let writes = writes.and_then(|rest| rest.strip_suffix(" writes"));
    // A hundred batches at least, and the documents.
    let writes = writes.and_then(|writes| writes.parse().ok()).unwrap_or(0);
    assert!((300..1_000).contains(&writes), "{lines:?}");
}

#[tokio::test]
async fn subscription_mails_nobody_after_the_event_that_cancels() {
    let lines = lines("subscription").await;
    let last = lines.last().map(String::as_str);
    let expected =
        "50 subscriptions · 30 converted · 20 cancelled · 0 mails after cancel · 0 mails twice";
    assert_eq!(last, Some(expected), "{lines:?}");
}

#[tokio::test]
async fn fan_out_calls_each_child_once_although_its_worker_is_killed() {
    let lines = lines("fan_out").await;
    let last = lines.last().map(String::as_str);
    let expected = "200 children · 190 completed · 10 failed · 1 crash · 0 started twice";
    assert_eq!(last, Some(expected), "{lines:?}");
}

#[tokio::test]
async fn a_store_of_ones_own_keeps_a_run_in_its_file() {
    let lines = lines("custom_store").await;
    assert_eq!(
        lines,
        [
            "made tea for 2",
            "the file has a run of make-tea, completed"
        ]
    );
}

#[tokio::test]
async fn parallel_records_each_step_under_a_name_of_its_own() {
    let lines = lines("parallel").await;
    let recorded: BTreeSet<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("recorded "))
        .collect();
    assert_eq!(recorded.len(), 11, "{lines:?}");
    for path in ["invoice", "insure", "weigh-lamp", "parcel-chair/post"] {
        assert!(recorded.contains(path), "{path} of {lines:?}");
    }
}

#[tokio::test]
async fn retries_end_with_what_could_be_paid_and_what_could_not() {
    let lines = lines("retries").await;
    assert!(
        lines.contains(&"thank you, 1200 from your account at 1.25".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line.starts_with("  on_error: ")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn push_mode_completes_its_run_within_deliveries() {
    let lines = lines("push_mode").await;
    assert!(
        lines.contains(&"trial is completed".to_owned()),
        "{lines:?}"
    );
    let deliveries = lines.iter().filter(|line| line.starts_with("delivery of "));
    assert!(deliveries.count() > 1, "a sleep is handed on: {lines:?}");
}

#[tokio::test]
async fn opentelemetry_exports_one_trace_of_the_publisher_and_the_worker() {
    let lines = lines("opentelemetry").await;
    let after = |words| {
        let found = lines
            .iter()
            .filter_map(move |line| Some(line.split_once(words)?.1.trim()));
        found.collect::<Vec<_>>()
    };
    let mut traces = after("TraceId      : ");
    // Two drives, two steps of which one is replayed, and the request.
    assert!(traces.len() >= 5, "{lines:?}");
    traces.dedup();
    assert_eq!(traces.len(), 1, "{lines:?}");
    assert!(
        after("Name         : ").contains(&"POST /signup"),
        "{lines:?}"
    );
}

#[tokio::test]
#[cfg_attr(not(own_postgres), ignore = "no PostgreSQL server found: install it")]
async fn shop_loses_no_order_and_takes_no_stock_twice_although_it_is_killed() {
    let lines = lines("shop").await;
    let last = lines.last().map(String::as_str);
    let expected = "500 orders · 500 stock rows · 500 charges · 20 crashes · 0 lost · 0 twice";
    assert_eq!(last, Some(expected), "{lines:?}");
}
