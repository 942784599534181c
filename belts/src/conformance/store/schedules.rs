//! Schedules: who may change one, when they are due, and the runs that their ticks start.

use std::{sync::Arc, time::Duration};

use super::bench::{Bench, Client, at, targeted};
use crate::{
    error::Result,
    store::{ScheduleChange, ScheduleRow, Timestamp},
};

/// Far more than a wake-up takes, and less than a test may take.
const SOON: Duration = Duration::from_secs(10);

/// How many ticks several clients take at once.
const TICKS: i64 = 20;

/// Whether the store has nothing to be tested here.
fn keeps_none(bench: &Bench) -> bool {
    !bench.store.capabilities().schedules
}

fn row(name: &str, function: &str, due_at: Option<Timestamp>) -> ScheduleRow {
    ScheduleRow::new(name, function, *b"{\"a\":\"\\u0000 \xc3\xbc\"}").with_due_at(due_at)
}

impl Client {
    async fn change(&self, change: ScheduleChange) -> Result<bool> {
        let written = self.change_schedules(vec![change], at(0)).await?;
        assert_eq!(written.len(), 1, "one change has one answer");
        Ok(written[0])
    }

    async fn insert(
        &self,
        name: &str,
        function: &str,
        due_at: Option<Timestamp>,
    ) -> Result<ScheduleRow> {
        let row = row(name, function, due_at);
        assert!(self.change(ScheduleChange::insert(row.clone())).await?);
        Ok(row)
    }

    /// The names of what is due, and when the next one is.
    async fn due(
        &self,
        functions: &[&str],
        now: i64,
        most: usize,
    ) -> Result<(Vec<Arc<str>>, Option<Timestamp>)> {
        let functions: Vec<Arc<str>> = functions.iter().copied().map(Arc::from).collect();
        let due = self.due_schedules(&functions, at(now), most).await?;
        Ok((due.due.into_iter().map(|row| row.name).collect(), due.next))
    }
}

pub(super) async fn schedule_is_written_as_it_was_read(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let other = bench.another().await?;
    let first = store.insert("s", "f", Some(at(5))).await?;
    assert_eq!(other.schedule("s").await?, Some(first.clone()));
    assert_eq!(other.schedule("S").await?, None);
    let again = ScheduleChange::insert(row("s", "g", None));
    assert!(!other.change(again).await?, "there is one of its name");
    let second = row("s", "g", None);
    assert!(
        other
            .change(ScheduleChange::update(&first, second.clone()))
            .await?
    );
    let stale = ScheduleChange::update(&first, row("s", "h", None));
    assert!(!store.change(stale).await?, "it has changed since");
    assert!(
        !store.change(ScheduleChange::remove(&first)).await?,
        "as well"
    );
    assert_eq!(store.schedule("s").await?, Some(second.clone()));
    let both = vec![
        ScheduleChange::remove(&second),
        ScheduleChange::update(&second, row("s", "h", None)),
        ScheduleChange::insert(row("t", "f", None)),
    ];
    assert_eq!(
        store.change_schedules(both, at(0)).await?,
        [true, false, true]
    );
    assert_eq!(other.schedule("s").await?, None);
    Ok(())
}

pub(super) async fn ticks_start_with_the_change(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let read = store.insert("s", "f", Some(at(0))).await?;
    let starts = vec![
        targeted("e-1", "f", Some("r-1")),
        targeted("e-2", "f", Some("r-2")),
    ];
    let change = ScheduleChange::update(&read, row("s", "f", Some(at(9)))).with_starts(starts);
    assert!(store.change(change).await?);
    let stale = ScheduleChange::update(&read, row("s", "f", Some(at(9))))
        .with_starts(vec![targeted("e-3", "f", Some("r-3"))]);
    assert!(!store.change(stale).await?);
    let mut runs: Vec<_> = store.take(worker, &["f"], at(0)).await?.runs;
    runs.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    let ids: Vec<_> = runs
        .iter()
        .map(|run| (&*run.run_id, &*run.event_id))
        .collect();
    assert_eq!(ids, [("r-1", "e-1"), ("r-2", "e-2")]);
    assert_eq!(runs[0].payload, targeted("", "f", None).payload);
    Ok(())
}

pub(super) async fn tick_of_a_known_run_starts_nothing(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut read = store.insert("s", "f", Some(at(0))).await?;
    let mut other = targeted("e", "f", Some("r"));
    other.digest = crate::store::EventDigest::of("another", b"payload");
    // The first one, the same again, another one under its id, and another event for its run.
    for start in [
        targeted("e", "f", Some("r")),
        targeted("e", "f", Some("r")),
        other,
        targeted("e-2", "f", Some("r")),
    ] {
        let next = row("s", "f", Some(at(9)));
        let change = ScheduleChange::update(&read, next.clone()).with_starts(vec![start]);
        assert!(store.change(change).await?);
        read = next;
    }
    assert_eq!(store.take(worker, &["f"], at(0)).await?.runs.len(), 1);
    Ok(())
}

pub(super) async fn schedule_written_again_counts(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let first = row("s", "f", Some(at(0)));
    let change = ScheduleChange::insert(first.clone());
    assert!(store.change(change.clone()).await? && store.change(change).await?);
    let next = row("s", "f", Some(at(9)));
    let change = ScheduleChange::update(&first, next.clone()).with_starts(vec![targeted(
        "e",
        "f",
        Some("r"),
    )]);
    assert!(store.change(change.clone()).await?);
    assert_eq!(store.take(worker, &["f"], at(0)).await?.runs.len(), 1);
    assert!(store.change(change).await?, "it is as it was to become");
    assert!(store.take(worker, &["f"], at(0)).await?.runs.is_empty());
    let change = ScheduleChange::remove(&next);
    assert!(store.change(change.clone()).await? && store.change(change).await?);
    Ok(())
}

pub(super) async fn due_schedules_come_in_order(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    assert_eq!(store.due(&["f", "g"], 100, 10).await?, (vec![], None));
    for (name, function, due_at) in [
        ("later", "f", Some(30)),
        ("never", "f", None),
        ("b", "g", Some(10)),
        ("a", "f", Some(20)),
        ("other", "h", Some(5)),
    ] {
        store.insert(name, function, due_at.map(at)).await?;
    }
    let names = |names: &[&str]| {
        names
            .iter()
            .copied()
            .map(Arc::from)
            .collect::<Vec<Arc<str>>>()
    };
    let functions = ["f", "g", "unknown"];
    assert_eq!(store.due(&functions, 9, 10).await?, (vec![], Some(at(10))));
    assert_eq!(
        store.due(&functions, 10, 10).await?,
        (names(&["b"]), Some(at(20)))
    );
    assert_eq!(
        store.due(&functions, 25, 10).await?,
        (names(&["b", "a"]), Some(at(30)))
    );
    assert_eq!(
        store.due(&functions, 25, 1).await?,
        (names(&["b"]), Some(at(20)))
    );
    assert_eq!(
        store.due(&functions, 30, 10).await?,
        (names(&["b", "a", "later"]), None)
    );
    assert_eq!(store.due(&["h"], 30, 10).await?, (names(&["other"]), None));
    let read = store.schedule("b").await?.expect("it is there");
    assert!(
        store
            .change(ScheduleChange::update(&read, row("b", "g", Some(at(40)))))
            .await?
    );
    let read = store.schedule("a").await?.expect("it is there");
    assert!(store.change(ScheduleChange::remove(&read)).await?);
    assert_eq!(
        store.due(&functions, 30, 10).await?,
        (names(&["later"]), Some(at(40)))
    );
    Ok(())
}

pub(super) async fn schedules_of_a_paused_function_wait(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    store.insert("s", "f", Some(at(5))).await?;
    store.insert("t", "g", Some(at(7))).await?;
    store.pause("f", at(0)).await?;
    let (due, next) = store.due(&["f", "g"], 6, 10).await?;
    assert_eq!((due.len(), next), (0, Some(at(7))));
    assert_eq!(store.due(&["f"], 3, 10).await?, (vec![], None));
    store.resume("f", at(6)).await?;
    assert_eq!(store.due(&["f"], 6, 10).await?.0, [Arc::from("s")]);
    Ok(())
}

pub(super) async fn schedules_are_listed_by_name(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let names = [
        "a",
        "\u{e4}",
        "B",
        "b",
        "a b",
        "a/b",
        "tenant-10",
        "tenant-9",
    ];
    for name in names {
        store.insert(name, "f", Some(at(1))).await?;
    }
    let mut sorted = names;
    sorted.sort_unstable();
    let mut found: Vec<Arc<str>> = Vec::new();
    loop {
        let page = store.schedules(found.last().map(|name| &**name), 3).await?;
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        found.extend(page.into_iter().map(|row| row.name));
    }
    assert_eq!(found.iter().map(|name| &**name).collect::<Vec<_>>(), sorted);
    Ok(())
}

pub(super) async fn one_of_many_changes_a_schedule(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let worker = bench.store.worker(&["f"]).await?;
    bench.store.insert("s", "f", Some(at(0))).await?;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let client = bench.another().await?;
        clients.push(tokio::spawn(async move {
            let mut written = 0;
            loop {
                let Some(read) = client.schedule("s").await? else {
                    return Result::Ok(written);
                };
                let tick = read
                    .due_at
                    .map_or(0, |due_at| due_at.since(at(0)).as_millis());
                let next = i64::try_from(tick).unwrap_or(0) + 1;
                if next > TICKS {
                    return Ok(written);
                }
                let start = targeted(&format!("e-{tick}"), "f", Some(&format!("r-{tick}")));
                let change = ScheduleChange::update(&read, row("s", "f", Some(at(next))))
                    .with_starts(vec![start]);
                written += i64::from(client.change(change).await?);
                tokio::task::yield_now().await;
            }
        }));
    }
    let mut written = 0;
    for client in clients {
        written += client.await.expect("nobody panics")?;
    }
    assert_eq!(written, TICKS, "each tick was taken once");
    let runs = bench.store.take(worker, &["f"], at(0)).await?.runs;
    assert_eq!(i64::try_from(runs.len()), Ok(TICKS));
    Ok(())
}

pub(super) async fn tick_wakes_another_client(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let other = bench.another().await?;
    let store = &bench.store;
    store.worker(&["f"]).await?;
    let mut read = store.insert("s", "f", Some(at(0))).await?;
    for number in 0..3 {
        let waiting = {
            let other = other.clone();
            tokio::spawn(async move { other.woken().await })
        };
        tokio::time::timeout(SOON, async {
            let mut attempt = 0;
            while !waiting.is_finished() {
                attempt += 1;
                let id = format!("{number}-{attempt}");
                let next = row("s", "f", Some(at(0)));
                let start = targeted(&id, "f", Some(&id));
                let change = ScheduleChange::update(&read, next.clone()).with_starts(vec![start]);
                assert!(store.change(change).await?);
                read = next;
                tokio::task::yield_now().await;
            }
            Result::Ok(())
        })
        .await
        .expect("the other client is woken")?;
    }
    Ok(())
}

pub(super) async fn forget_leaves_schedules(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let kept = bench.store.insert("s", "f", Some(at(0))).await?;
    bench.store.forget("f", at(0), 100).await?;
    assert_eq!(bench.store.schedule("s").await?, Some(kept));
    Ok(())
}
