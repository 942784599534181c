//! What runs are about: how tags are added, and how runs are found by them.

use super::{
    bench::{Bench, Client, at, entry, ok},
    undoing::{fail, undo},
};
use crate::{
    error::Result,
    store::{
        Commit, CommitBatch, CommitOutcome, Lease, Rerun, RunFilter, RunStatus, Tag, Transition,
    },
};

fn keeps_none(bench: &Bench) -> bool {
    !bench.store.capabilities().tags
}

impl Client {
    async fn add_tags(&self, lease: Lease, tags: &[(&str, &str)]) -> Result<CommitOutcome> {
        self.commit_one(Commit::new(lease).with_tags(these(tags)), at(1))
            .await
    }

    async fn tags_of(&self, run: &str) -> Result<Vec<String>> {
        let record = self.record(run).await?;
        Ok(record.tags.iter().map(Tag::to_string).collect())
    }

    /// The ids of the runs that have all of these tags, newest first.
    async fn tagged(&self, tags: &[(&str, &str)]) -> Result<Vec<String>> {
        let page = self.list(filter(tags)).await?;
        Ok(page.runs.iter().map(|run| run.run_id.to_string()).collect())
    }
}

fn these(tags: &[(&str, &str)]) -> Vec<Tag> {
    let tags = tags.iter().map(|(name, value)| Tag::new(*name, *value));
    tags.collect()
}

fn filter(tags: &[(&str, &str)]) -> RunFilter {
    tags.iter().fold(RunFilter::new(), |filter, (name, value)| {
        filter.with_tag(*name, *value)
    })
}

pub(super) async fn commit_adds_tags(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let worker = store.worker(&["f"]).await?;
    store.start("e-1", "f").await?;
    let run = store.take_one(worker, &["f"], at(1)).await?;
    assert!(store.tags_of(&run.run_id).await?.is_empty());
    let commit = Commit::new(run.lease)
        .with_entries(vec![entry(0, "one", "1")])
        .with_tags(these(&[("order", "o-1"), ("customer", "c-2")]));
    assert_eq!(
        store.commit_one(commit, at(1)).await?,
        CommitOutcome::Applied
    );
    let added = store
        .add_tags(
            run.lease,
            &[("customer", "c-1"), ("order", "o-1"), ("customer", "c-1")],
        )
        .await?;
    assert_eq!(added, CommitOutcome::Applied);
    let all = ["customer=c-1", "customer=c-2", "order=o-1"];
    assert_eq!(other.tags_of(&run.run_id).await?, all);
    assert_eq!(store.journal(&run.run_id).await?.len(), 1);
    // With what ends the run, and what it starts or closes, as well.
    let commit = Commit::new(run.lease)
        .with_tags(these(&[("done", "")]))
        .with_transition(Transition::complete(ok("1")));
    store.commit_one(commit, at(2)).await?;
    assert_eq!(other.tags_of(&run.run_id).await?[2], "done=");
    Ok(())
}

pub(super) async fn refused_commit_adds_no_tags(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.start("e-1", "f").await?;
    let first = store.take_one(worker, &["f"], at(1)).await?;
    store.start("e-2", "f").await?;
    let second = store.take_one(worker, &["f"], at(1)).await?;
    assert!(store.cancel(&first.run_id, at(1)).await?);
    let late = store.add_tags(first.lease, &[("a", "1")]).await?;
    assert_eq!(late, CommitOutcome::LeaseLost);
    assert!(store.tags_of(&first.run_id).await?.is_empty());
    // Beside one of the same batch that is written.
    let commits =
        [first.lease, second.lease].map(|lease| Commit::new(lease).with_tags(these(&[("a", "1")])));
    let outcomes = store
        .commit(CommitBatch::new(commits.to_vec(), at(2)))
        .await?;
    assert_eq!(outcomes, [CommitOutcome::LeaseLost, CommitOutcome::Applied]);
    assert_eq!(store.tagged(&[("a", "1")]).await?, [&*second.run_id]);
    // A run that is removed has none, and nobody else's number finds it.
    let skip = Commit::new(second.lease)
        .with_tags(these(&[("a", "2")]))
        .with_transition(Transition::Skip);
    store.commit_one(skip, at(2)).await?;
    for value in ["1", "2"] {
        assert!(store.tagged(&[("a", value)]).await?.is_empty());
    }
    store.start("e-3", "f").await?;
    let third = store.take_one(worker, &["f"], at(2)).await?;
    assert!(store.tags_of(&third.run_id).await?.is_empty());
    Ok(())
}

pub(super) async fn list_finds_runs_by_their_tags(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let mut ids = Vec::new();
    for number in 0..5_i64 {
        store.start(&format!("e-{number}"), "f").await?;
        let run = store.take_one(worker, &["f"], at(1)).await?;
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        let number = number.to_string();
        store
            .add_tags(
                run.lease,
                &[
                    ("parity", parity),
                    ("number", &number),
                    ("all", "x=y \u{e4}%"),
                ],
            )
            .await?;
        ids.insert(0, run.run_id.to_string());
    }
    assert_eq!(store.tagged(&[("all", "x=y \u{e4}%")]).await?, ids);
    let even: Vec<_> = ids.iter().step_by(2).cloned().collect();
    assert_eq!(store.tagged(&[("parity", "even")]).await?, even);
    let both = store.tagged(&[("parity", "even"), ("number", "2")]).await?;
    assert_eq!(both, [ids[2].clone()]);
    let none: [&[(&str, &str)]; 5] = [
        &[("parity", "even"), ("number", "1")],
        &[("parity", "Even")],
        &[("parity", "even ")],
        &[("number", "even")],
        &[("all", "x")],
    ];
    for tags in none {
        assert!(store.tagged(tags).await?.is_empty(), "{tags:?}");
    }
    // Beside other conditions, and page by page.
    let of_event = filter(&[("parity", "odd")]).with_event("e-1");
    assert_eq!(store.list(of_event).await?.runs.len(), 1);
    let of_other = filter(&[("parity", "odd")]).with_event("e-2");
    assert!(store.list(of_other).await?.runs.is_empty());
    assert!(
        store
            .list(filter(&[("parity", "odd")]).with_function("g"))
            .await?
            .runs
            .is_empty()
    );
    if bench.store.capabilities().waits {
        let of_parent = filter(&[("parity", "odd")]).with_parent("p");
        assert!(store.list(of_parent).await?.runs.is_empty());
    }
    let mut seen = Vec::new();
    let mut next = filter(&[("parity", "even")]).with_limit(2);
    loop {
        let page = store.list(next.clone()).await?;
        seen.extend(page.runs.iter().map(|run| run.run_id.to_string()));
        match page.next {
            Some(mark) => next = next.with_after(mark),
            None => break,
        }
    }
    assert_eq!(seen, even);
    Ok(())
}

pub(super) async fn list_finds_undone_runs_by_their_tags(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let both = &["failed", "fails"];
    for id in both {
        let run = store.armed(worker, id).await?;
        store.add_tags(run.lease, &[("a", "1")]).await?;
        store
            .must_write(run.lease, Vec::new(), Some(fail()), at(2))
            .await?;
        if *id == "failed" {
            let (run, undoing) = store.claim_undoing(worker, &run.run_id).await?;
            let undone = Some(Transition::undone(&undoing));
            let entries = vec![undo(1, 0)];
            store.must_write(run.lease, entries, undone, at(6)).await?;
        }
    }
    let with = async |status| {
        let tagged = filter(&[("a", "1")]).with_statuses([status]);
        let page = store.list(tagged).await?;
        let statuses: Vec<_> = page.runs.iter().map(|run| run.status).collect();
        Result::Ok(statuses)
    };
    for status in [RunStatus::Undoing, RunStatus::Failed] {
        assert_eq!(with(status).await?, [status]);
    }
    for status in [
        RunStatus::Pending,
        RunStatus::Running,
        RunStatus::Suspended,
        RunStatus::Cancelled,
    ] {
        assert!(with(status).await?.is_empty(), "{status:?}");
    }
    Ok(())
}

pub(super) async fn tags_stay_until_a_run_is_purged(bench: Bench) -> Result<()> {
    if keeps_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    store.start("e-1", "f").await?;
    let run = store.take_one(worker, &["f"], at(1)).await?;
    store.add_tags(run.lease, &[("a", "1")]).await?;
    let failed = Transition::fail(1, *b"{\"v\":1,\"err\":{}} ");
    store
        .must_write(run.lease, vec![entry(0, "one", "1")], Some(failed), at(2))
        .await?;
    let rerun = Rerun::new(&*run.run_id, at(3)).with_from(0);
    assert!(store.rerun(rerun).await?);
    assert_eq!(store.tags_of(&run.run_id).await?, ["a=1"]);
    let again = store.take_one(worker, &["f"], at(3)).await?;
    store
        .must_write(
            again.lease,
            Vec::new(),
            Some(Transition::complete(ok("1"))),
            at(4),
        )
        .await?;
    assert_eq!(store.tagged(&[("a", "1")]).await?, [&*run.run_id]);
    store.purge(at(9), 10).await?;
    assert!(store.tagged(&[("a", "1")]).await?.is_empty());
    Ok(())
}
