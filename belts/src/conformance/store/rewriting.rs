//! Going through what a store keeps, and putting other values in the place of those that are there.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    bench::{Bench, Client, at, entry, event, ok},
    inspection::complete,
    undoing::fail,
};
use crate::{
    error::{ErrorKind, Result},
    store::{Entry, RunStatus, StoredEvent, Substitute, Transition, ValueOf},
};

/// Whether the store has values only as they were written.
async fn cannot(store: &Client) -> Result<bool> {
    match store.events(None, 1).await {
        Err(error) if error.kind() == ErrorKind::Config => Ok(true),
        other => other.map(|_| false),
    }
}

/// Every event, by its id.
async fn everything(store: &Client, limit: usize) -> Result<BTreeMap<Arc<str>, StoredEvent>> {
    let (mut all, mut mark) = (BTreeMap::new(), None);
    loop {
        let page = store.events(mark.as_deref(), limit).await?;
        all.extend(
            page.events
                .into_iter()
                .map(|event| (Arc::clone(&event.id), event)),
        );
        mark = page.next;
        if mark.is_none() {
            return Ok(all);
        }
    }
}

pub(super) async fn events_come_in_parts(bench: Bench) -> Result<()> {
    let store = &bench.store;
    if cannot(store).await? {
        return Ok(());
    }
    store.worker(&["f"]).await?;
    assert!(everything(store, 3).await?.is_empty());
    for number in 0..7 {
        // One of them starts nothing.
        let of = if number == 3 { "nobody" } else { "f" };
        let mut new = event(&format!("e-{number}"), of).with_correlation_key(format!("k-{number}"));
        new.payload = format!("{{\"n\":{number}}}\n").into_bytes().into();
        store.publish_all(vec![new], at(number)).await?;
    }
    for limit in [1, 3, 7, 100] {
        let all = everything(store, limit).await?;
        assert_eq!(all.len(), 7, "{limit} at a time");
        for (number, event) in all.values().enumerate() {
            assert_eq!(
                *event.payload,
                *format!("{{\"n\":{number}}}\n").into_bytes()
            );
            assert_eq!(event.correlation_key, Some(format!("k-{number}").into()));
            assert_eq!(&*event.event_type, if number == 3 { "nobody" } else { "f" });
        }
    }
    let error = store
        .events(Some("no mark"), 1)
        .await
        .expect_err("no part ended so");
    assert_eq!(error.kind(), ErrorKind::Config);
    Ok(())
}

async fn put(store: &Client, of: ValueOf, from: &[u8], to: &[u8]) -> Result<bool> {
    let substituted = store
        .substitute(vec![Substitute::new(of, from, to)])
        .await?;
    Ok(substituted == 1)
}

pub(super) async fn value_is_substituted_where_it_is_expected(bench: Bench) -> Result<()> {
    let store = &bench.store;
    if cannot(store).await? {
        return Ok(());
    }
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    let claimed = store.take_one(worker, &["f"], at(1)).await?;
    let entries = vec![entry(0, "a", "1"), entry(1, "b", "1")];
    store
        .must_write(claimed.lease, entries, None, at(1))
        .await?;
    // It is driven meanwhile, and goes on.
    let step = ValueOf::entry(Arc::clone(&run), 1);
    assert!(
        !put(store, step.clone(), &ok("2"), b"new\nvalue").await?,
        "another is there"
    );
    assert!(put(store, step.clone(), &ok("1"), b"new\nvalue").await?);
    assert!(!put(store, step, &ok("1"), b"again").await?);
    let values = |journal: Vec<Entry>| -> Vec<Arc<[u8]>> {
        journal.into_iter().map(|entry| entry.value).collect()
    };
    let journal = store.journal(&run).await?;
    assert_eq!(
        (
            &*journal[1].path,
            journal[1].attempts,
            journal[1].finished_at
        ),
        ("b", 1, journal[0].finished_at)
    );
    assert_eq!(values(journal), [ok("1"), Arc::from(&b"new\nvalue"[..])]);
    let result = ValueOf::Result(Arc::clone(&run));
    assert!(
        !put(store, result.clone(), &ok("1"), b"result").await?,
        "it has none yet"
    );
    store
        .must_write(claimed.lease, Vec::new(), Some(complete()), at(2))
        .await?;
    assert!(put(store, result, &ok("1"), b"result").await?);
    let said = everything(store, 10)
        .await?
        .remove("e")
        .expect("it was published");
    let event = ValueOf::Event("e".into());
    assert!(!put(store, event.clone(), b"else", b"{}\n\n{}").await?);
    assert!(put(store, event, &said.payload, b"{}\n\n{}").await?);
    let record = store.record(&run).await?;
    assert_eq!(
        (
            &*record.payload,
            record.result.as_deref(),
            record.finished_at
        ),
        (&b"{}\n\n{}"[..], Some(&b"result"[..]), Some(at(2)))
    );
    // Nor is anything made.
    for of in [
        ValueOf::Event("none".into()),
        ValueOf::Result("none".into()),
        ValueOf::entry("none", 0),
        ValueOf::entry(run, 7),
    ] {
        assert!(!put(store, of, b"", b"new").await?);
    }
    Ok(())
}

pub(super) async fn end_of_an_undoing_run_is_substituted(bench: Bench) -> Result<()> {
    let store = &bench.store;
    if cannot(store).await? {
        return Ok(());
    }
    let worker = store.worker(&["f"]).await?;
    let armed = store.armed(worker, "e").await?;
    store
        .must_write(armed.lease, Vec::new(), Some(fail()), at(2))
        .await?;
    let decided = store.record(&armed.run_id).await?;
    assert_eq!(decided.status, RunStatus::Undoing);
    let before = decided.result.expect("it is decided");
    let result = ValueOf::Result(Arc::clone(&armed.run_id));
    assert!(put(store, result, &before, b"sealed").await?);
    let (claimed, undoing) = store.claim_undoing(worker, &armed.run_id).await?;
    assert_eq!(undoing.error.as_deref(), Some(&b"sealed"[..]));
    let undone = Transition::undone(&undoing);
    store
        .must_write(claimed.lease, Vec::new(), Some(undone), at(6))
        .await?;
    let record = store.record(&armed.run_id).await?;
    assert_eq!(
        (record.status, record.result.as_deref()),
        (RunStatus::Failed, Some(&b"sealed"[..]))
    );
    Ok(())
}

pub(super) async fn commit_and_substitute_meet(bench: Bench) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    if cannot(store).await? {
        return Ok(());
    }
    let worker = store.worker(&["f"]).await?;
    let run = store.start("e", "f").await?;
    let lease = store.take_one(worker, &["f"], at(1)).await?.lease;
    for round in 0..20_u32 {
        let waiting = |value: &str| {
            let mut entry = entry(round, &format!("s-{round}"), value);
            entry.state = crate::store::StepState::Waiting;
            entry.due_at = Some(at(9));
            entry
        };
        store
            .must_write(lease, vec![waiting("1")], None, at(2))
            .await?;
        let step = ValueOf::entry(Arc::clone(&run), round);
        let from = ok("1");
        let (substituted, written) = tokio::join!(
            put(&other, step, &from, b"sealed"),
            store.must_write(
                lease,
                vec![entry(round, &format!("s-{round}"), "2")],
                None,
                at(3)
            )
        );
        // It may have come before, but not after.
        substituted?;
        written?;
        let journal = store.journal(&run).await?;
        assert_eq!(journal[round as usize].value, ok("2"));
    }
    Ok(())
}
