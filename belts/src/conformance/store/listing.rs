//! Finding runs: pages of them, and how many are waiting.

use std::sync::Arc;

use super::{
    bench::{Bench, at, event, ok, subscription},
    inspection::{complete, fail},
};
use crate::{
    error::{ErrorKind, Result},
    store::{RunFilter, RunStatus, Transition},
};

pub(super) async fn list_filters_and_pages(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store
        .subscribe(vec![
            subscription("f", &["x", "y"]),
            subscription("g", &["x"]),
        ])
        .await?;
    let mut newest_first = Vec::new();
    for number in 0..5 {
        let id = format!("e-{number}");
        let published = store
            .publish_all(
                vec![event(&id, if number == 0 { "y" } else { "x" })],
                at(number),
            )
            .await?;
        newest_first.extend(published[0].runs.iter().map(|run| Arc::clone(&run.run_id)));
    }
    newest_first.reverse();
    let mut seen = Vec::new();
    let mut filter = RunFilter::new().with_limit(4);
    loop {
        let page = store.list(filter.clone()).await?;
        assert!(page.runs.len() <= 4);
        seen.extend(page.runs.iter().map(|run| Arc::clone(&run.run_id)));
        // Runs published meanwhile are newer and appear on no later page.
        store
            .publish_all(
                vec![event(&format!("meanwhile-{}", seen.len()), "y")],
                at(9),
            )
            .await?;
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 9);
    let order = |runs: &[Arc<str>]| {
        runs.iter()
            .map(|run| newest_first.iter().position(|id| id == run))
            .collect::<Vec<_>>()
    };
    // The two runs of one event have no defined order.
    let events: Vec<usize> = order(&seen)
        .into_iter()
        .map(|place| place.expect("a run of the suite") / 2)
        .collect();
    assert!(events.is_sorted(), "newest first: {events:?}");

    let count = async |filter: RunFilter| Result::Ok(store.list(filter).await?.runs.len());
    let all = RunFilter::default;
    assert_eq!(count(all().with_function("g")).await?, 4);
    assert_eq!(count(all().with_function("nobody")).await?, 0);
    assert_eq!(count(all().with_event("e-1")).await?, 2);
    assert_eq!(count(all().with_event("e-9")).await?, 0);
    let of_g = all().with_event("e-1").with_function("g");
    assert_eq!(count(of_g).await?, 1);
    for run in store.take(worker, &["g"], at(9)).await?.runs.iter().skip(1) {
        store
            .must_write(run.lease, Vec::new(), Some(complete()), at(9))
            .await?;
    }
    let statuses = |statuses: &[RunStatus]| RunFilter {
        statuses: statuses.to_vec(),
        ..RunFilter::default()
    };
    assert_eq!(count(statuses(&[RunStatus::Completed])).await?, 3);
    assert_eq!(
        count(statuses(&[RunStatus::Running, RunStatus::Completed])).await?,
        4
    );
    assert_eq!(count(statuses(&[RunStatus::Failed])).await?, 0);
    assert_eq!(count(statuses(&RunStatus::ALL)).await?, count(all()).await?);
    Ok(())
}

pub(super) async fn list_finds_what_is_due(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store
        .subscribe(vec![
            subscription("f", &["x", "y"]),
            subscription("g", &["y"]),
        ])
        .await?;
    let mut runs = Vec::new();
    for (id, event_type, due_at) in [("a", "x", 4), ("b", "x", 9), ("c", "y", 6), ("d", "x", 4)] {
        let mut event = event(id, event_type);
        event.due_at = at(due_at);
        runs.push(store.publish_all(vec![event], at(1)).await?);
    }
    let due = async |time: i64, filter: RunFilter| {
        let page = store.list(filter.with_due_by(at(time))).await?;
        let events = page.runs.iter().map(|run| run.event_id.to_string());
        Result::Ok((events.collect::<Vec<_>>().join(" "), page.next))
    };
    let all = RunFilter::new;
    assert_eq!(
        due(4, all().with_function("f")).await?,
        ("d a".into(), None)
    );
    assert_eq!(
        due(3, all().with_function("f")).await?,
        (String::new(), None)
    );
    assert_eq!(due(6, all()).await?, ("d c c a".into(), None));
    assert_eq!(due(6, all().with_function("g")).await?.0, "c");
    assert_eq!(due(9, all().with_event("b")).await?.0, "b");
    let pending = all()
        .with_function("f")
        .with_statuses([RunStatus::Suspended]);
    assert_eq!(due(9, pending).await?.0, "");
    let (first, mark) = due(9, all().with_function("f").with_limit(3)).await?;
    assert_eq!(first, "d c b");
    let rest = all()
        .with_function("f")
        .with_limit(3)
        .with_after(mark.expect("there is one more"));
    assert_eq!(due(9, rest).await?, ("a".into(), None));
    // What is driven, or has ended, is due no more.
    let driven = store.take(worker, &["f"], at(4)).await?.runs;
    assert_eq!(driven.len(), 2);
    store
        .must_write(driven[0].lease, Vec::new(), Some(complete()), at(4))
        .await?;
    assert_eq!(due(9, all().with_function("f")).await?.0, "c b");
    Ok(())
}

pub(super) async fn list_goes_by_the_time(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut runs = Vec::new();
    for (number, (published, ended)) in [(10, Some(30)), (20, Some(25)), (30, None)]
        .iter()
        .enumerate()
    {
        let id = format!("e-{number}");
        let told = store
            .publish_all(vec![event(&id, "f")], at(*published))
            .await?;
        runs.push(Arc::clone(&told[0].runs[0].run_id));
        let lease = store.take_one(worker, &["f"], at(*published)).await?.lease;
        if let Some(ended) = ended {
            store
                .must_write(lease, Vec::new(), Some(fail()), at(*ended))
                .await?;
        }
    }
    let listed = async |since: Option<i64>, until: Option<i64>, event_id: Option<&str>| {
        let filter = RunFilter {
            since: since.map(at),
            until: until.map(at),
            event_id: event_id.map(Into::into),
            ..RunFilter::default()
        };
        let found = store.list(filter).await?.runs;
        let place = |id: &Arc<str>| runs.iter().position(|run| run == id);
        Result::Ok(
            found
                .iter()
                .filter_map(|run| place(&run.run_id))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(listed(None, None, None).await?, [2, 1, 0]);
    assert_eq!(
        listed(Some(26), None, None).await?,
        [2, 0],
        "the end of a run counts, not its beginning"
    );
    assert_eq!(
        listed(Some(30), None, None).await?,
        [2, 0],
        "from that very time on"
    );
    assert_eq!(listed(Some(31), None, None).await?, [0; 0]);
    assert_eq!(
        listed(None, Some(30), None).await?,
        [1],
        "up to that time and not at it"
    );
    assert_eq!(listed(None, Some(31), None).await?, [2, 1, 0]);
    assert_eq!(listed(Some(25), Some(30), None).await?, [1]);
    assert_eq!(listed(Some(26), None, Some("e-0")).await?, [0]);
    assert_eq!(listed(Some(26), None, Some("e-1")).await?, [0; 0]);
    assert_eq!(listed(None, Some(26), Some("e-1")).await?, [1]);
    Ok(())
}

pub(super) async fn invalid_page_mark_is_an_error(bench: Bench) -> Result<()> {
    let filter = RunFilter::new().with_after("no mark of a page");
    let error = bench
        .store
        .list(filter)
        .await
        .expect_err("no page gave that mark");
    assert_eq!(error.kind(), ErrorKind::Config);
    Ok(())
}

pub(super) async fn backlog_counts_what_is_due(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f", "g", "h"]).await?;
    for (number, function) in ["f", "f", "f", "g"].into_iter().enumerate() {
        store.start(&format!("e-{number}"), function).await?;
    }
    let mut later = event("later", "f");
    later.due_at = at(50);
    store.publish_all(vec![later], at(0)).await?;
    let asked: Vec<Arc<str>> = ["g", "f", "nobody", "h", "f"].map(Arc::from).into();
    let backlog = async |now, most| store.backlog(&asked, at(now), most).await;
    assert_eq!(backlog(0, 100).await?, [1, 3, 0, 0, 3]);
    assert_eq!(backlog(49, 100).await?, [1, 3, 0, 0, 3]);
    assert_eq!(backlog(50, 100).await?, [1, 4, 0, 0, 4]);
    assert_eq!(backlog(50, 2).await?, [1, 2, 0, 0, 2]);
    let lease = store.take(worker, &["f"], at(0)).await?.runs[0].lease;
    assert_eq!(backlog(0, 100).await?[0], 1, "the run of g still waits");
    assert_eq!(backlog(0, 100).await?[1], 0, "what is driven does not wait");
    let suspend = Some(Transition::suspend(at(20)));
    store.must_write(lease, Vec::new(), suspend, at(1)).await?;
    assert_eq!(backlog(19, 100).await?[1], 0);
    assert_eq!(backlog(20, 100).await?[1], 1);
    assert_eq!(store.backlog(&[], at(50), 100).await?, [0; 0]);
    Ok(())
}

pub(super) async fn list_omits_values(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let failure = |size: usize| -> Arc<[u8]> {
        let text = "x".repeat(size);
        format!("{{\"v\":1,\"err\":{{\"message\":\"{text}\"}}}}")
            .into_bytes()
            .into()
    };
    let mut ended = Vec::new();
    for (id, transition) in [
        ("output", Transition::complete(ok("\"secret\""))),
        ("short", Transition::fail(1, failure(100))),
        ("long", Transition::fail(1, failure(20_000))),
        ("retry", Transition::retry(at(9), 1, failure(100))),
    ] {
        store.start(id, "f").await?;
        let run = store.take_one(worker, &["f"], at(0)).await?;
        store
            .must_write(run.lease, Vec::new(), Some(transition), at(1))
            .await?;
        ended.push(run.run_id);
    }
    let page = store.list(RunFilter::default()).await?;
    assert_eq!(page.runs.len(), 4);
    for run in &page.runs {
        assert!(run.payload.is_empty(), "no event comes with a list");
        let expected = match &*run.event_id {
            "short" | "retry" => Some(failure(100)),
            _ => None,
        };
        assert_eq!(run.result, expected, "{}", run.event_id);
    }
    let one = store.record(&ended[0]).await?;
    assert_eq!(one.result, Some(ok("\"secret\"")), "one run is told whole");
    assert!(!one.payload.is_empty());
    Ok(())
}
