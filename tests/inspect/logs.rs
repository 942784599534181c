//! What the log says of changes and refusals, and that nobody else writes lines of it.

use axum::http::Request;
use belts::{Event, Worker, step, testing::ManualClock};
use belts_suite::log;
use serde::{Deserialize, Serialize};

use crate::shop::*;

const TOKEN: &str = "correct-horse-battery-staple";

/// Whether a character ends a line, steers a terminal or turns the direction of writing.
fn steers(c: char) -> bool {
    c.is_control() || "\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}\u{200f}\u{61c}".contains(c)
}

async fn with_failed(run_id: &str) -> Worker {
    log::keep();
    let worker = builder().inspection_token(TOKEN).build().await.unwrap();
    let execute = worker.execute(order(run_id)).function("process-order");
    execute.run_id(run_id).await.unwrap();
    worker
}

// Somebody had cancelled a hundred runs, and nothing told who: neither the log nor the runs.
#[tokio::test]
async fn each_change_is_one_line_and_a_note_on_its_run() {
    let worker = with_failed("audited").await;
    worker.runs().rerun("audited").await.unwrap();
    let ada = worker.runs().by("ada\n2026 INFO forged");
    ada.cancel("audited").await.unwrap();
    let request = post("/runs/audited/rerun?from=check-inventory")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("x-belts-actor", "grace@desk");
    assert_eq!(send(&worker, request, "10.0.0.7:5000").await.0, 200);
    let notes = worker.runs().get("audited").await.unwrap().notes;
    let notes: Vec<_> = notes
        .iter()
        .map(|note| (&*note.action, &*note.by))
        .collect();
    assert_eq!(
        notes,
        [
            ("rerun", "worker API"),
            ("cancel", "ada\n2026 INFO forged"),
            (
                "rerun from check-inventory",
                "token from 10.0.0.7:5000, grace@desk"
            ),
        ]
    );
    let lines = log::lines_with(&["run=audited action"]);
    let expected = [
        "action=rerun by=worker API",
        "action=cancel by=ada\\n2026 INFO forged",
        "action=rerun from check-inventory by=token from 10.0.0.7:5000, grace@desk",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, part) in lines.iter().zip(expected) {
        assert!(line.starts_with("INFO ") && line.contains(part), "{line}");
    }
    let shown = send(
        &worker,
        get("/runs/audited").header("authorization", format!("Bearer {TOKEN}")),
        "10.0.0.7:5000",
    );
    assert_eq!(
        shown.await.1["notes"][2]["by"],
        "token from 10.0.0.7:5000, grace@desk"
    );
}

// What was asked for and could not be done left a note as if it had been.
#[tokio::test]
async fn what_changes_nothing_leaves_no_note() {
    let worker = with_failed("unchanged").await;
    assert!(!worker.runs().cancel("unchanged").await.unwrap());
    worker.runs().cancel("unchanged-too").await.unwrap_err();
    assert!(
        worker
            .runs()
            .get("unchanged")
            .await
            .unwrap()
            .notes
            .is_empty()
    );
    assert!(
        log::lines_with(&["run=unchanged"])
            .iter()
            .all(|line| !line.contains("action="))
    );
}

// Whoever guessed tokens was not seen, or would have filled the disk.
#[tokio::test]
async fn refusals_are_told_now_and_then_and_say_how_many() {
    log::keep();
    let clock = ManualClock::default();
    let guarded = builder().inspection_token(TOKEN).clock(clock.clone());
    let worker = guarded.build().await.unwrap();
    let peer = "203.0.113.9:4711";
    let guess = async |times| {
        for _ in 0..times {
            let request =
                Request::get("/runs/r-1%0Aforged").header("authorization", "Bearer nothing");
            assert_eq!(send(&worker, request, peer).await.0, 401);
        }
        log::lines_with(&[peer])
    };
    let lines = guess(30).await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    for part in [
        "WARN ",
        "door=inspection",
        "status=401",
        "unsaid=0",
        "path=/runs/r-1%0Aforged",
    ] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    assert!(
        !lines[0].contains("nothing"),
        "what was guessed may be nearly right"
    );
    clock.advance(std::time::Duration::from_secs(11));
    let lines = guess(1).await;
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[1].contains("unsaid=29"), "{}", lines[1]);
}

/// A step whose key and error are the words of a stranger.
#[derive(Debug, Serialize, Deserialize, Event)]
struct Quoted {
    words: String,
}

#[belts::function(id = "quote", on = Quoted, retries = 0)]
async fn quote(event: Quoted) -> belts::Result<()> {
    let words = event.words;
    let fail = || Err::<(), _>(std::io::Error::other(words.clone()));
    step!("quote-{words}", fail(), retries = 0).await
}

// The error of a step had a line break, and what followed stood in the log as a line of its own.
#[tokio::test]
async fn what_strangers_wrote_forges_no_line() {
    log::keep();
    let words = "marked\n2026-01-01 ERROR all is lost\x1b]0;owned\x07\u{9b}2J\u{2028}\u{202e}";
    let worker = builder().build().await.unwrap();
    let event = Quoted {
        words: words.to_owned(),
    };
    worker.execute(event).function("quote").await.unwrap();
    let lines = log::lines_with(&["quote-marked"]);
    assert!(lines.len() >= 2, "a step and a run failed: {lines:#?}");
    for line in lines {
        assert!(!line.contains(steers), "{line:?}");
        assert!(
            line.contains("\\n2026-01-01 ERROR all is lost\\u{1b}]0;owned\\u{7}"),
            "{line:?}"
        );
    }
}
