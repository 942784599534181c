//! What answers may be no worker, or one that means harm; and what users wrote may be meant for the terminal.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::{Router, http::Uri, response::Json};
use serde_json::json;

use super::*;

const STEERING: &str = "\u{1b}]0;owned\u{7}\nforged: line\u{9b}2J\u{2028}\u{202e}";

/// Something on a free port that answers each question in this way.
async fn answering(answer: impl Fn(&Uri) -> Value + Clone + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |uri: Uri| {
        let answer = answer(&uri);
        async move { Json(answer) }
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

pub(super) fn run_with(words: &str) -> Value {
    json!({
        "runId": words, "functionId": words, "status": "failed", "eventId": words, "eventType": words, "failedAttempts": 1,
        "createdAt": "2026-11-22T18:40:08Z", "startedAt": null, "finishedAt": null, "dueAt": null,
        "error": {"kind": "failed", "message": words, "sources": [words]},
        "payload": {"words": words}, "output": words,
        "notes": [{"at": "2026-11-22T18:40:08Z", "by": words, "action": words}],
        "steps": [{
            "path": words, "kind": "step", "state": "failed", "attempts": 1, "startedAt": "2026-11-22T18:40:08Z",
            "finishedAt": null, "dueAt": null, "durationMs": 1,
            "error": {"kind": "failed", "message": words}, "output": words,
        }],
    })
}

#[track_caller]
fn steers_nothing(said: &Said) {
    for text in [&said.out, &said.err] {
        let steers = |c: char| c != '\n' && c.is_control() || "\u{2028}\u{202e}".contains(c);
        assert!(!text.contains(steers), "{text:?}");
        assert!(
            !text.lines().any(|line| line.starts_with("forged")),
            "{text}"
        );
    }
}

// A worker that somebody else ran set the title of the terminal by what it answered.
#[tokio::test]
async fn what_a_worker_answers_steers_no_terminal() {
    let url = answering(|uri| match uri.path() {
        "/runs" => json!({"runs": [run_with(STEERING)], "next": STEERING}),
        "/functions" => json!({"functions": [{"id": STEERING, "events": [STEERING], "living": false, "unfinished": 1}]}),
        "/runs/cancel" => json!({"cancelled": 1, "ended": 0, "next": null}),
        path if path.ends_with("cancel") => json!({"runId": STEERING, "changed": true, "status": "cancelled"}),
        path if path.ends_with("rerun") => json!({"runId": STEERING, "changed": false, "status": "completed"}),
        _ => run_with(STEERING),
    })
    .await;
    for command in [
        &["runs", "--limit", "1"][..],
        &["run", "r-1", "--values"],
        &["functions"],
        &["cancel", "r-1"],
        &["rerun", "r-1"],
        &["cancel", "--function", STEERING],
        &["forget", STEERING],
    ] {
        for json in [&[][..], &["--json"]] {
            let said = belts_with(&[command, json, &["--worker", &url]].concat(), &[]).await;
            steers_nothing(&said);
            assert!(!said.out.is_empty() || !said.err.is_empty(), "{command:?}");
        }
    }
    let line = &belts_with(&["run", "r-1", "--json", "--worker", &url], &[])
        .await
        .lines()[0];
    assert_eq!(
        line["output"], STEERING,
        "for a program it stays what it is"
    );
}

#[tokio::test]
async fn what_a_worker_refuses_with_steers_no_terminal() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let refusal = json!({"error": true, "message": STEERING, "code": STEERING}).to_string();
    let answer = move || {
        let refusal = refusal.clone();
        async move { (axum::http::StatusCode::CONFLICT, refusal) }
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let said = belts_with(&["run", "r-1", "--worker", &url], &[]).await;
    steers_nothing(&said);
    assert!(said.failed().contains("\\u{1b}]0;owned"), "{}", said.err);
}

// A list whose next page was the page itself was read for ever.
#[tokio::test]
async fn pages_that_never_end_are_given_up() {
    let same = answering(|_| json!({"runs": [], "next": "again"})).await;
    let counted = std::sync::Arc::new(AtomicU32::new(0));
    let endless = answering(move |_| {
        let next = counted.fetch_add(1, Ordering::SeqCst);
        json!({"runs": [], "next": next.to_string()})
    })
    .await;
    let flood = answering(|_| json!({"runs": vec![run_with("r"); 7], "next": null})).await;
    let list = &["runs", "--limit", "5"][..];
    let choose = &["rerun", "--status", "failed", "--yes"][..];
    for (url, command) in [
        (&same, list),
        (&same, choose),
        (&endless, list),
        (&endless, choose),
        (&flood, list),
    ] {
        let said = belts_with(&[command, &["--worker", url]].concat(), &[]).await;
        assert!(said.failed().contains("does not end"), "{}", said.err);
    }
}

/// A worker whose parts never end is not asked for ever, and one that fails half-way does not hide what was done before.
#[tokio::test]
async fn parts_that_never_end_are_given_up() {
    let page = json!({"runs": [run_with("r")], "next": null});
    let (listed, counted) = (page.clone(), std::sync::Arc::new(AtomicU32::new(0)));
    let same = answering(move |uri| match uri.path() {
        "/runs" => listed.clone(),
        _ => json!({"cancelled": 1, "ended": 0, "next": "again"}),
    })
    .await;
    let endless = answering(move |uri| {
        if uri.path() == "/runs" {
            return page.clone();
        }
        let next = counted.fetch_add(1, Ordering::SeqCst);
        json!({"cancelled": 0, "ended": 0, "next": next.to_string()})
    })
    .await;
    for (url, part) in [(same, "cancelled 2 runs, but"), (endless, "do not end")] {
        let command = ["cancel", "--function", "f", "--yes", "--worker", &url];
        let said = belts_with(&command, &[]).await;
        assert!(said.failed().contains(part), "{}", said.err);
    }
}

#[tokio::test]
async fn what_was_cancelled_before_a_failure_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cancel = |uri: Uri| async move {
        let next = uri.query().unwrap_or_default().contains("page=m-1");
        let (status, body) = if next {
            let refusal =
                json!({"error": true, "message": "no store", "code": "store", "cancelled": 7});
            (axum::http::StatusCode::SERVICE_UNAVAILABLE, refusal)
        } else {
            let part = json!({"cancelled": 1_000, "ended": 2, "next": "m-1"});
            (axum::http::StatusCode::OK, part)
        };
        (status, Json(body))
    };
    let list = || async { Json(json!({"runs": [run_with("r")], "next": null})) };
    let router = Router::new()
        .route("/runs", axum::routing::get(list))
        .route("/runs/cancel", axum::routing::post(cancel));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let command = ["cancel", "--function", "f", "--yes", "--worker", &url];
    let told = belts_with(&command, &[]).await.failed();
    assert!(
        told.contains("cancelled 1,007 runs before it stopped\n"),
        "{told}"
    );
    assert!(told.ends_with("responded: no store\n"), "{told}");
}

// `belts run --json --values` printed the line breaks of a payload that had been sent with them.
#[tokio::test]
async fn one_object_is_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", directory.path().join("belts.db").display());
    let worker = Worker::builder().store_url(&store).build().await.unwrap();
    let at = At(&["--store", &store], &[]);
    let event = "{\n  \"shop\": \"lines\",\r\n  \"cents\": 20\n}";
    at.belts(&["publish", "order-created", event]).await.good();
    let run = worker.runs().list().await.unwrap().runs[0]
        .run_id
        .to_string();
    let told = at.belts(&["run", &run, "--json", "--values"]).await;
    assert_eq!(told.good().lines().count(), 1, "{}", told.out);
    assert_eq!(
        told.lines()[0]["payload"],
        json!({"shop": "lines", "cents": 20})
    );
}

// One run that was put off for ever made the whole list unreadable.
#[tokio::test]
async fn a_page_with_a_far_time_is_read() {
    let worker = builder().inspection_token(TOKEN).build().await.unwrap();
    let far = publish_order_created(order("far")).delay(Duration::MAX);
    far.via(&worker).await.unwrap();
    let (url, _serving) = served(&worker).await;
    let at = At(&["--worker", &url], &[("BELTS_INSPECTION_TOKEN", TOKEN)]);
    let run = &at.belts(&["runs", "--json"]).await.lines()[0];
    assert_eq!(run["dueAt"], "9999-12-30T22:00:00Z");
    let shown = at
        .belts(&["run", run["runId"].as_str().unwrap()])
        .await
        .good();
    assert!(
        shown.contains("goes on          9999-12-30T22:00:00Z"),
        "{shown}"
    );
}

// The token went over a plain connection to another machine, and nobody was told.
#[tokio::test]
async fn a_token_over_plain_http_is_warned_of() {
    let url = answering(|_| json!({"runs": [], "next": null})).await;
    let token = [("BELTS_INSPECTION_TOKEN", TOKEN)];
    let local = belts_with(&["runs", "--worker", &url], &token).await;
    local.good();
    assert_eq!(local.err, "there is no such run\n");
    // It leads here too, but is no address of this machine alone.
    let elsewhere = url.replace("127.0.0.1", "0.0.0.0");
    let warned = belts_with(&["runs", "--worker", &elsewhere], &token).await;
    assert!(
        warned.err.contains("is sent to 0.0.0.0 over plain http"),
        "{}",
        warned.err
    );
    assert!(!warned.err.contains(TOKEN));
    let without = belts_with(&["runs", "--worker", &elsewhere], &[]).await;
    assert_eq!(without.err, "there is no such run\n");
}

#[tokio::test]
async fn a_password_in_the_url_of_a_worker_is_not_repeated() {
    for url in [
        "https://ada:hunter2@app.example/belts",
        "https://app.example/belts?token=hunter2",
    ] {
        let by_flag = belts_with(&["runs", "--worker", url], &[]).await.usage();
        let by_name = belts_with(&["runs"], &[("BELTS_WORKER", url)])
            .await
            .usage();
        let help = belts_with(&["--help"], &[("BELTS_WORKER", url)])
            .await
            .good();
        for told in [by_flag, by_name, help] {
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
