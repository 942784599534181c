//! Recorded entries come back unchanged.

use std::sync::Arc;

use super::bench::{Bench, at, entry, ok};
use crate::{
    error::Result,
    store::{Entry, Lease, StepKind, StepState, Transition, WorkerId},
};

/// A claimed run.
async fn begin(bench: &Bench) -> Result<(WorkerId, Arc<str>, Lease)> {
    let worker = bench.store.worker(&["f"]).await?;
    let run = bench.store.start("e", "f").await?;
    let lease = bench.store.take_one(worker, &["f"], at(0)).await?.lease;
    Ok((worker, run, lease))
}

/// Writes entries and reads them back, through inspection and through another claim.
async fn come_back(bench: &Bench, entries: Vec<Entry>) -> Result<()> {
    let (worker, run, lease) = begin(bench).await?;
    let release = Some(Transition::suspend(at(1)));
    bench
        .store
        .must_write(lease, entries.clone(), release, at(1))
        .await?;
    assert_eq!(bench.store.journal(&run).await?, entries);
    assert_eq!(bench.another().await?.journal(&run).await?, entries);
    assert_eq!(
        bench.store.take_one(worker, &["f"], at(1)).await?.journal,
        entries
    );
    Ok(())
}

pub(super) async fn entry_is_replaced_by_seq(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let (_, run, lease) = begin(&bench).await?;
    let waiting = Entry {
        state: StepState::Waiting,
        attempts: 2,
        due_at: Some(at(70)),
        finished_at: None,
        ..entry(1, "b", "null")
    };
    store
        .must_write(
            lease,
            vec![entry(0, "a", "1"), waiting.clone()],
            None,
            at(1),
        )
        .await?;
    assert_eq!(store.journal(&run).await?, [entry(0, "a", "1"), waiting]);
    let done = Entry {
        attempts: 3,
        type_name: "String".into(),
        ..entry(1, "b", "\"x\"")
    };
    store
        .must_write(lease, vec![done.clone(), entry(5, "far", "5")], None, at(2))
        .await?;
    let expected = [entry(0, "a", "1"), done, entry(5, "far", "5")];
    assert_eq!(
        store.journal(&run).await?,
        expected,
        "replaced, and a gap is no matter"
    );
    // Twice in one batch: the last one wins.
    store
        .must_write(
            lease,
            vec![entry(6, "x", "1"), entry(6, "y", "2")],
            None,
            at(3),
        )
        .await?;
    assert_eq!(store.journal(&run).await?[3], entry(6, "y", "2"));
    Ok(())
}

pub(super) async fn entry_is_not_replaced_by_an_earlier_state(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let (_, run, lease) = begin(&bench).await?;
    let waiting = |attempts| Entry {
        state: StepState::Waiting,
        attempts,
        due_at: Some(at(70)),
        finished_at: None,
        ..entry(0, "a", "null")
    };
    let completed = entry(0, "a", "1").with_attempts(3);
    let failed = Entry {
        state: StepState::Failed,
        attempts: 2,
        ..entry(1, "b", "null")
    };
    let late = Entry {
        seq: 1,
        ..waiting(2)
    };
    // Each as an abandoned connection may deliver it: after what was sent later.
    for (written, late, kept) in [
        (waiting(2), waiting(1), waiting(2)),
        (completed.clone(), waiting(3), completed.clone()),
        (completed.clone(), waiting(4), completed.clone()),
        (failed.clone(), late, failed),
    ] {
        let seq = written.seq;
        store.must_write(lease, vec![written], None, at(1)).await?;
        store.must_write(lease, vec![late], None, at(2)).await?;
        let journal = store.journal(&run).await?;
        let found = journal.iter().find(|entry| entry.seq == seq);
        assert_eq!(found, Some(&kept));
    }
    Ok(())
}

pub(super) async fn values_come_back_as_written(bench: Bench) -> Result<()> {
    let values = [
        "null",
        "false",
        "true",
        "0",
        "-0.0",
        "1e300",
        "18446744073709551615",
        "\"\"",
        "\"\\u0000\"",
        "\"'; --\"",
        "[]",
        "{}",
        "[[],{}]",
        "{\"a\":{\"b\":[1,null]}}",
        " { } ",
        "\"🦀\"",
    ];
    let mut entries: Vec<Entry> = (0..)
        .zip(values)
        .map(|(seq, json)| entry(seq, &format!("step-{seq}"), json))
        .collect();
    // The store never parses a value: bytes that are not JSON, or not text, come back too.
    for value in [&b""[..], &[0][..], &[0xff, 0xfe, 0x00, 0x80][..]] {
        let seq = u32::try_from(entries.len()).expect("a few entries");
        entries.push(Entry {
            value: value.into(),
            ..entry(seq, &format!("step-{seq}"), "0")
        });
    }
    for (kind, state) in [
        (StepKind::Sleep, StepState::Waiting),
        (StepKind::Sleep, StepState::Completed),
        (StepKind::Step, StepState::Waiting),
        (StepKind::Step, StepState::Failed),
    ] {
        let seq = u32::try_from(entries.len()).expect("a few entries");
        let attempts = if kind == StepKind::Sleep { 0 } else { u32::MAX };
        let due_at = (state == StepState::Waiting).then_some(at(i64::from(seq)));
        entries.push(Entry {
            kind,
            state,
            attempts,
            due_at,
            finished_at: None,
            ..entry(seq, "kind", "0")
        });
    }
    come_back(&bench, entries).await
}

pub(super) async fn names_are_compared_byte_for_byte(bench: Bench) -> Result<()> {
    let names = [
        "",
        "/",
        "a//b",
        "/a/",
        ".",
        "..",
        "a b",
        "'",
        "\"",
        "\\",
        "`",
        "%",
        "_",
        "a\u{0}b",
        "\u{0}",
        "\n",
        "é",
        "e\u{301}",
        "🦀/💤",
        "\u{202e}x",
        "NULL",
        "A",
        "a",
        "0",
        "00",
        "$1",
        "?1",
        "{}",
        ":",
        "*",
    ];
    let entries = (0..).zip(names).map(|(seq, name)| Entry {
        type_name: name.into(),
        ..entry(seq, name, "0")
    });
    come_back(&bench, entries.collect()).await?;
    // The same for the ids of runs and events, and for event types: equal only if identical.
    let store = &bench.store;
    for name in names.iter().filter(|name| !name.is_empty()) {
        let mut event = super::bench::targeted(
            &format!("event {name}"),
            &format!("function {name}"),
            Some(name),
        );
        event.event_type = Arc::from(*name);
        event.correlation_key = Some(Arc::from(*name));
        assert!(
            !store.publish_all(vec![event.clone()], at(0)).await?[0].duplicate,
            "{name:?} is new"
        );
        assert!(
            store.publish_all(vec![event], at(0)).await?[0].duplicate,
            "{name:?} is known"
        );
        let record = store.record(name).await?;
        assert_eq!((&*record.run_id, &*record.event_type), (*name, *name));
        assert_eq!(*record.function_id, *format!("function {name}"));
    }
    Ok(())
}

pub(super) async fn long_journal_comes_back_in_order(bench: Bench) -> Result<()> {
    const STEPS: u32 = 10_000;
    let store = &bench.store;
    let (worker, _, lease) = begin(&bench).await?;
    let entries: Vec<Entry> = (0..STEPS)
        .map(|seq| entry(seq, &format!("step-{seq}"), &seq.to_string()))
        .collect();
    for part in entries.chunks(1_000) {
        store.must_write(lease, part.to_vec(), None, at(1)).await?;
    }
    let release = Some(Transition::suspend(at(2)));
    store.must_write(lease, Vec::new(), release, at(2)).await?;
    let run = store.take_one(worker, &["f"], at(2)).await?;
    assert!(
        run.journal == entries,
        "{} entries came back",
        run.journal.len()
    );
    Ok(())
}

pub(super) async fn big_values_come_back(bench: Bench) -> Result<()> {
    let text = "x".repeat(1 << 20);
    let entries = vec![
        Entry {
            value: ok(&format!("\"{text}\"")),
            ..entry(0, "big", "0")
        },
        entry(1, &text[..10_000], "1"),
        entry(2, "small", "2"),
    ];
    come_back(&bench, entries).await
}

pub(super) async fn journals_are_isolated(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    for event in ["e-1", "e-2", "e-3"] {
        store.start(event, "f").await?;
    }
    let runs = store.take(worker, &["f"], at(0)).await?.runs;
    for seq in 0..3 {
        for run in &runs {
            store
                .must_write(
                    run.lease,
                    vec![entry(seq, &run.run_id, &seq.to_string())],
                    None,
                    at(1),
                )
                .await?;
        }
    }
    for run in &runs {
        let expected: Vec<Entry> = (0..3)
            .map(|seq| entry(seq, &run.run_id, &seq.to_string()))
            .collect();
        assert_eq!(store.journal(&run.run_id).await?, expected);
    }
    Ok(())
}
