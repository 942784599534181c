//! Lists bring no values, and no more than a page of bytes.

use std::sync::atomic::Ordering;

use belts::Event;
use serde::{Deserialize, Serialize};

use crate::shop::*;

/// More than a page holds of failures, of which 16 KiB are listed.
const MANY: usize = 300;

#[derive(Debug, Serialize, Deserialize, Event)]
struct Wordy {
    n: usize,
}

#[belts::function(id = "wordy", on = Wordy, retries = 0)]
async fn wordy(_: Wordy) -> belts::Result<()> {
    Err(belts::terminal("wordy ".repeat(2_700)))
}

// Failures may be long: a page of a thousand of them was as large as they were.
#[tokio::test]
async fn a_page_is_bounded_in_bytes_and_the_next_goes_on() {
    let worker = builder().build().await.unwrap();
    for n in 0..MANY {
        let execute = worker.execute(Wordy { n }).function("wordy");
        execute.run_id(format!("wordy-{n}")).await.unwrap();
    }
    let list = worker.runs().list().limit(1_000);
    let mut page = list.clone().await.unwrap();
    let mut seen = Vec::new();
    loop {
        let bytes = page
            .runs
            .iter()
            .map(|run| run.result.as_ref().unwrap().len());
        assert!(bytes.sum::<usize>() <= 4 * 1024 * 1024);
        seen.extend(page.runs.into_iter().map(|run| run.run_id.to_string()));
        let Some(mark) = page.next else {
            break;
        };
        page = list.clone().after(mark).await.unwrap();
    }
    let expected: Vec<_> = (0..MANY).rev().map(|n| format!("wordy-{n}")).collect();
    assert_eq!(seen, expected);
}

// A page of a thousand runs brought a gigabyte of payloads and outputs with it.
#[tokio::test]
async fn a_list_has_no_values() {
    let worker = builder().build().await.unwrap();
    shop("listed").mended.store(true, Ordering::SeqCst);
    worker.execute(order("listed")).await.unwrap();
    let run = &worker.runs().list().await.unwrap().runs[0];
    assert!(run.payload.is_empty() && run.output().is_none());
    let whole = worker.runs().get(&run.run_id).await.unwrap();
    assert!(!whole.payload.is_empty() && whole.output().is_some());
}
