//! Cancelling all runs that pass a filter, and asking for it over HTTP.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use belts::{
    Clock as _, ErrorKind, Runs, SystemClock,
    store::{Memory, NewEvent, Publish, RunFilter, RunStatus, SharedStore, Target, Timestamp},
};
use belts_suite::{Hooked, log};
use serde_json::{Value, json};

use crate::shop::*;

/// Puts runs of a function, which nobody drives, into a store.
pub(crate) async fn fill(store: &SharedStore, function: &str, runs: Range<usize>) {
    let now = SystemClock.now();
    let events = runs.map(|number| {
        let run_id = format!("{function}-{number}").into();
        NewEvent::new(format!("e-{function}-{number}"), function, &b"{}"[..], now)
            .with_target(Target::function(function, Some(run_id)))
    });
    let publish = Publish::new(events.collect(), now);
    store.publish(publish).await.unwrap();
}

async fn unfinished(runs: &Runs) -> usize {
    let filter = RunFilter::new().with_statuses(RunStatus::UNFINISHED);
    runs.count(filter).await.unwrap().runs
}

#[tokio::test]
async fn a_filter_that_cannot_be_meant_cancels_nothing() {
    let store: SharedStore = Arc::new(Memory::new());
    fill(&store, "some", 0..3).await;
    let runs = Runs::of(store);
    let filter = RunFilter::new;
    for (filter, part) in [
        (filter(), "every run of the store would be cancelled"),
        (
            filter().with_limit(7),
            "every run of the store would be cancelled",
        ),
        (
            filter().with_until(SystemClock.now().after(Duration::from_secs(60))),
            "a time that leaves runs out",
        ),
        (
            filter().with_since(Timestamp::from_millis(0)),
            "a time that leaves runs out",
        ),
        (
            filter().with_function(""),
            "the function of the filter is empty",
        ),
        (filter().with_event(""), "the event of the filter is empty"),
        (
            filter().with_parent(""),
            "the parent of the filter is empty",
        ),
        (
            filter().with_statuses([RunStatus::Pending, RunStatus::Failed]),
            "those that are `failed` have",
        ),
    ] {
        for error in [
            runs.cancel_all(filter.clone()).await.unwrap_err(),
            runs.cancel_part(filter.clone().with_after("7"))
                .await
                .unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    let error = runs.cancel_all(filter().with_function("some").with_after("7"));
    let error = error.await.unwrap_err();
    assert!(error.to_string().contains("use `cancel_part`"), "{error}");
    assert_eq!(unfinished(&runs).await, 3);
    for page in runs.list().await.unwrap().runs {
        assert!(page.notes.is_empty());
    }
    let all = runs.cancel_all(filter().with_statuses(RunStatus::UNFINISHED));
    assert_eq!(all.await.unwrap().cancelled, 3, "so it can be meant");
}

#[tokio::test]
async fn counts_are_by_function_and_status_and_have_an_end() {
    let store: SharedStore = Arc::new(Memory::new());
    fill(&store, "b", 0..1_300).await;
    fill(&store, "a", 0..2).await;
    let runs = Runs::of(store);
    assert!(runs.cancel("b-7").await.unwrap());
    let all = runs.count(RunFilter::new()).await.unwrap();
    assert_eq!(
        (all.runs, all.more, &*all.to_string()),
        (1_302, false, "1,302")
    );
    let groups: Vec<_> = all
        .groups
        .iter()
        .map(|group| (&*group.function_id, group.status, group.runs))
        .collect();
    assert_eq!(
        groups,
        [
            ("a", RunStatus::Pending, 2),
            ("b", RunStatus::Pending, 1_299),
            ("b", RunStatus::Cancelled, 1)
        ]
    );
    let some = runs.count(RunFilter::new().with_limit(900)).await.unwrap();
    assert_eq!(
        (some.runs, some.more, &*some.to_string()),
        (900, true, "900+")
    );
    let exact = runs
        .count(RunFilter::new().with_limit(1_302))
        .await
        .unwrap();
    assert_eq!(exact.to_string(), "1,302");
}

#[tokio::test]
async fn all_is_one_line_of_the_log_and_a_note_on_each_run() {
    log::keep();
    let store: SharedStore = Arc::new(Memory::new());
    fill(&store, "bulk-audited", 0..250).await;
    let runs = Runs::of(store).by("grace");
    let until = Timestamp::from_millis(4_000_000_000_000);
    let filter = RunFilter::new()
        .with_function("bulk-audited")
        .with_statuses([RunStatus::Pending, RunStatus::Running])
        .with_until(until);
    assert_eq!(runs.cancel_all(filter).await.unwrap().cancelled, 250);
    let action =
        "cancel all with function bulk-audited, status pending,running, until 2096-10-02T07:06:40Z";
    let lines = log::lines_with(&["bulk-audited"]);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].starts_with("INFO "), "{}", lines[0]);
    assert!(
        lines[0].contains(action) && lines[0].contains("by=grace"),
        "{}",
        lines[0]
    );
    for number in [0, 249] {
        let run = runs.get(&format!("bulk-audited-{number}")).await.unwrap();
        assert_eq!(
            (&*run.notes[0].by, &*run.notes[0].action),
            ("grace", action)
        );
    }
}

async fn with_runs(runs: usize) -> (belts::Worker, SharedStore) {
    let store: SharedStore = Arc::new(Memory::new());
    fill(&store, "mine", 0..runs).await;
    fill(&store, "theirs", 0..2).await;
    let worker = builder().shared_store(Arc::clone(&store));
    (worker.build().await.unwrap(), store)
}

#[tokio::test]
async fn runs_are_cancelled_part_by_part_over_http() {
    let (worker, _) = with_runs(2_300).await;
    let mut path = "/runs/cancel?function=mine&status=pending,running".to_owned();
    let mut parts = Vec::new();
    loop {
        let (status, part) = locally(&worker, post(&path)).await;
        assert_eq!((status, &part["ended"]), (200, &json!(0)), "{part}");
        parts.push(part["cancelled"].as_u64().unwrap());
        let Some(mark) = part["next"].as_str() else {
            assert_eq!(part["next"], Value::Null);
            break;
        };
        path = format!("/runs/cancel?function=mine&page={mark}");
    }
    assert_eq!(parts, [1_000, 1_000, 300]);
    assert_eq!(unfinished(&worker.runs()).await, 2);
    let run = worker.runs().get("mine-0").await.unwrap();
    assert!(
        run.notes[0].by.starts_with("this machine"),
        "{:?}",
        run.notes
    );
    let (_, some) = locally(&worker, post("/runs/cancel?function=theirs&limit=1")).await;
    assert_eq!((&some["cancelled"], &some["ended"]), (&json!(1), &json!(0)));
    assert!(some["next"].is_string(), "{some}");
    assert_eq!(
        worker.runs().get("theirs-1").await.unwrap().status,
        RunStatus::Cancelled,
        "the newest"
    );
}

#[tokio::test]
async fn no_request_cancels_everything_by_mistake() {
    let (worker, _) = with_runs(3).await;
    for (query, part) in [
        ("", "every run of the store would be cancelled"),
        ("?", "every run of the store would be cancelled"),
        ("?limit=10", "every run of the store would be cancelled"),
        ("?page=7", "every run of the store would be cancelled"),
        ("?until=3000-01-01", "a time that leaves runs out"),
        ("?since=1970-01-01", "a time that leaves runs out"),
        (
            "?since=1970-01-01&until=3000-01-01",
            "a time that leaves runs out",
        ),
        ("?function=", "the function of the filter is empty"),
        ("?event=&function=mine", "the event of the filter is empty"),
        ("?parent=", "the parent of the filter is empty"),
        ("?status=", "`status` must be one or more of"),
        ("?status=done", "`status` must be one or more of"),
        ("?status=completed", "those that are `completed` have"),
        ("?since=", "`since`: "),
        ("?until=later", "`until`: "),
        ("?functions=mine", "unknown query parameter `functions`"),
        ("?function=mine&limit=0", "`limit` must be a whole number"),
        (
            "?function=mine&limit=1001",
            "`limit` must be a whole number",
        ),
        (
            "?function=mine&page=%FF",
            "`page` is not a mark that an earlier page gave",
        ),
        ("?function=a%00b", "contains a NUL character"),
    ] {
        let (status, refused) = locally(&worker, post(&format!("/runs/cancel{query}"))).await;
        assert_eq!(
            (status, &refused["code"]),
            (400, &json!("bad-request")),
            "{query}"
        );
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains(part), "{query}: {message}");
    }
    let stranger = send(
        &worker,
        post("/runs/cancel?function=mine"),
        "203.0.113.77:4712",
    );
    assert_eq!(stranger.await.0, 404);
    let form = axum::http::Request::post("/runs/cancel?function=mine");
    assert_eq!(
        locally(&worker, form).await.0,
        415,
        "a web page could send it"
    );
    assert_eq!(unfinished(&worker.runs()).await, 5);
    let put = axum::http::Request::put("/runs/cancel?function=mine");
    assert_eq!(locally(&worker, put).await.0, 405);
}

#[tokio::test]
async fn a_run_may_have_the_name_of_a_path() {
    let (worker, store) = with_runs(1).await;
    let now = SystemClock.now();
    let event = NewEvent::new("e", "named", &b"{}"[..], now)
        .with_target(Target::function("named", Some("cancel".into())));
    store.publish(Publish::new(vec![event], now)).await.unwrap();
    let (status, run) = locally(&worker, get("/runs/cancel")).await;
    assert_eq!((status, &run["runId"]), (200, &json!("cancel")));
    let (status, changed) = locally(&worker, post("/runs/cancel/cancel")).await;
    assert_eq!((status, &changed["changed"]), (200, &json!(true)));
}

#[tokio::test]
async fn a_failure_half_way_says_what_was_done() {
    let store: SharedStore = Arc::new(Memory::new());
    fill(&store, "mine", 0..30).await;
    let calls = AtomicUsize::new(0);
    let failing = Hooked::new(store, move |method| {
        let fails = method == "cancel" && calls.fetch_add(1, Ordering::SeqCst) == 20;
        Box::pin(async move {
            let error = belts::Error::store("cannot write", "the disk is full");
            if fails { Err(error) } else { Ok(()) }
        })
    });
    let worker = builder().shared_store(failing).build().await.unwrap();
    let (status, refused) = locally(&worker, post("/runs/cancel?function=mine")).await;
    assert_eq!((status, &refused["code"]), (503, &json!("store")));
    assert_eq!(
        refused["cancelled"],
        json!(29),
        "the others were not hindered"
    );
    let message = refused["message"].as_str().unwrap();
    let told = "; runs that could not be cancelled: 1; cancelled all the same: 29";
    assert!(message.ends_with(told), "{message}");
    assert!(refused.get("next").is_none(), "nothing follows");
    let (status, rest) = locally(&worker, post("/runs/cancel?function=mine")).await;
    assert_eq!((status, &rest["cancelled"]), (200, &json!(1)));
}

/// The same run always comes first: without a mark, it would hold up all that are older.
#[tokio::test]
async fn a_run_that_fails_can_be_stepped_over() {
    let store: SharedStore = Arc::new(Memory::new());
    fill(&store, "mine", 0..1_010).await;
    let calls = AtomicUsize::new(0);
    let failing = Hooked::new(store, move |method| {
        let fails = method == "cancel" && calls.fetch_add(1, Ordering::SeqCst) == 0;
        Box::pin(async move {
            let error = belts::Error::store("cannot write", "a lock is held");
            if fails { Err(error) } else { Ok(()) }
        })
    });
    let worker = builder().shared_store(failing).build().await.unwrap();
    let (status, refused) = locally(&worker, post("/runs/cancel?function=mine")).await;
    assert_eq!((status, &refused["cancelled"]), (503, &json!(999)));
    let mark = refused["next"].as_str().unwrap();
    let path = format!("/runs/cancel?function=mine&page={mark}");
    let (status, rest) = locally(&worker, post(&path)).await;
    assert_eq!((status, &rest["cancelled"]), (200, &json!(10)), "{rest}");
    assert_eq!(unfinished(&worker.runs()).await, 1);
}
