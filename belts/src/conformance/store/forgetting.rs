//! The functions of a store: which there are, and how one is forgotten.

use super::bench::{Bench, LEASE, at, event, subscription};
use crate::{
    error::Result,
    store::{Purged, Register, RunStatus},
};

pub(super) async fn functions_are_listed(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let old = store
        .subscribe(vec![
            subscription("kept", &["t"]),
            subscription("removed", &["t", "u"]),
        ])
        .await?;
    store
        .publish_all(
            vec![event("1", "t"), event("2", "t"), event("3", "u")],
            at(0),
        )
        .await?;
    store.subscribe(vec![subscription("kept", &["t"])]).await?;
    let told = async |most| -> Result<Vec<(String, usize, bool, usize)>> {
        let functions = store.functions(at(1), most).await?;
        Ok(functions
            .into_iter()
            .map(|one| {
                (
                    one.function_id.to_string(),
                    one.event_types.len(),
                    one.living,
                    one.unfinished,
                )
            })
            .collect())
    };
    let of = |id: &str, types, living, unfinished| (id.to_owned(), types, living, unfinished);
    assert_eq!(
        told(10).await?,
        [of("kept", 1, true, 2), of("removed", 2, true, 3)]
    );
    store.deregister(old, at(1)).await?;
    assert_eq!(
        told(10).await?,
        [of("kept", 1, true, 2), of("removed", 0, false, 3)]
    );
    assert_eq!(told(2).await?[1].3, 2, "counted up to a limit");
    Ok(())
}

pub(super) async fn forget_cancels_runs_and_removes_subscriptions(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.subscribe(vec![subscription("gone", &["t"])]).await?;
    let events = (0..5)
        .map(|number| event(&format!("e-{number}"), "t"))
        .collect();
    let published = store.publish_all(events, at(0)).await?;
    let living = store
        .forget("gone", at(1), 10)
        .await
        .expect_err("somebody has it");
    assert_eq!(living.kind(), crate::ErrorKind::Conflict);
    store.deregister(worker, at(1)).await?;
    let first = store.forget("gone", at(2), 3).await?;
    assert_eq!((first.runs, first.more), (3, true));
    let rest = store.forget("gone", at(2), 3).await?;
    assert_eq!((rest.runs, rest.more), (2, false));
    for event in &published {
        let run = store.record(&event.runs[0].run_id).await?;
        assert_eq!(run.status, RunStatus::Cancelled);
    }
    assert!(store.functions(at(3), 10).await?.is_empty());
    let later = store.publish_all(vec![event("later", "t")], at(3)).await?;
    assert!(later[0].runs.is_empty());
    assert_eq!(
        store.forget("never was", at(3), 3).await?,
        Purged::default()
    );
    Ok(())
}

pub(super) async fn session_of_a_forgotten_function_must_register_again(
    bench: Bench,
) -> Result<()> {
    let (store, other) = (&bench.store, bench.another().await?);
    let both = || vec![subscription("beside", &["t"]), subscription("gone", &["t"])];
    let silent = store.subscribe(both()).await?;
    let runs = async |id: &str, now| -> Result<usize> {
        let published = other.publish_all(vec![event(id, "t")], now).await?;
        Ok(published[0].runs.len())
    };
    assert_eq!(runs("1", at(0)).await?, 2);
    let forgotten = other.forget("gone", at(30_001), 10).await?;
    assert_eq!((forgotten.runs, forgotten.more), (1, false));
    assert_eq!(
        runs("2", at(30_001)).await?,
        1,
        "what it wanted besides stands"
    );
    // It was only cut off. If its session stayed alive, nobody would know which functions it has.
    let renewed = store.renew(silent, at(30_002), LEASE).await;
    let error = renewed.expect_err("it has ended");
    assert_eq!(error.kind(), crate::ErrorKind::Busy);
    let request = Register::new(at(30_002), LEASE).with_subscriptions(both());
    let back = store.register(request).await?;
    assert_eq!(runs("3", at(30_002)).await?, 2);
    let functions = ["beside", "gone"];
    let claimed = store.take(back, &functions, at(30_002)).await?;
    assert_eq!(claimed.runs.len(), 4);
    Ok(())
}
