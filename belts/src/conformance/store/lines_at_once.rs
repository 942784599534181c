//! Limits of runs at once, with many workers at the same moment.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    bench::{Bench, at, ok},
    flowing::flowing,
    lines::{has_none, of},
};
use crate::{
    error::Result,
    store::{ClaimedRun, Flow, Lane, Release, Route, Routed, Routing, Transition},
};

const CLIENTS: usize = 4;
const RUNS: usize = 60;
const KEYS: usize = 3;
const OF_A_KEY: u32 = 2;
const OF_ALL: u32 = 4;

/// The leases that are held, by key, as those who hold them see it.
#[derive(Default)]
struct Held {
    now: HashMap<String, HashSet<i64>>,
    over: Vec<String>,
    done: usize,
}

fn flow_of(event_id: &str) -> Flow {
    let key = event_id.split('-').next().unwrap_or_default();
    Flow::new()
        .with_lane(Lane::new("f:k", key, OF_A_KEY))
        .with_lane(Lane::new("shared:all", "", OF_ALL))
}

/// Four workers claim, suspend, release, route and end runs of three keys at once: no more are ever driven than the limits say, and
/// all come to their end.
pub(super) async fn limits_of_runs_hold_at_once(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let held = Arc::new(Mutex::new(Held::default()));
    let mut events = Vec::new();
    for n in 0..RUNS {
        let id = format!("k{}-{n}", n % KEYS);
        let mut event = flowing(&id, &flow_of(&id), at(0));
        if n % 5 == 0 {
            // Of a publisher that does not know the function.
            event.flows.clear();
        }
        events.push(event);
    }
    bench.store.worker(&["f"]).await?;
    bench.store.publish_all(events, at(0)).await?;
    let mut tasks = Vec::new();
    for client in 0..CLIENTS {
        let (store, held) = (bench.another().await?, Arc::clone(&held));
        tasks.push(tokio::spawn(async move {
            let worker = store.worker(&["f"]).await?;
            let limits = [of("f", &[("f:k", OF_A_KEY), ("shared:all", OF_ALL)])];
            let lock = || held.lock().unwrap_or_else(PoisonError::into_inner);
            let key = |run: &ClaimedRun| run.event_id[..2].to_owned();
            let mut turn = client;
            for _ in 0..4_000 {
                if lock().done == RUNS {
                    break;
                }
                let claimed = store.claim_of(worker, 2, &limits, at(100)).await?;
                for run in &claimed.runs {
                    if run.routing == Routing::Not {
                        let route = Route::new(run.lease, "f", flow_of(&run.event_id), at(100));
                        assert!(matches!(store.route(route).await?, Routed::Waits { .. }));
                        continue;
                    }
                    {
                        let mut held = lock();
                        let of_key = held.now.entry(key(run)).or_default();
                        of_key.insert(run.lease.run);
                        let of_key = of_key.len();
                        let all: usize = held.now.values().map(HashSet::len).sum();
                        if of_key > OF_A_KEY as usize || all > OF_ALL as usize {
                            held.over.push(format!("{}: {of_key}, {all}", run.event_id));
                        }
                    }
                    tokio::task::yield_now().await;
                }
                let driven = claimed
                    .runs
                    .iter()
                    .filter(|run| run.routing != Routing::Not);
                for run in driven {
                    turn += 1;
                    {
                        // Before its place is free.
                        let mut held = lock();
                        held.now.entry(key(run)).or_default().remove(&run.lease.run);
                        held.done += usize::from(turn % 3 == 0);
                    }
                    match turn % 3 {
                        0 => {
                            let end = Some(Transition::complete(ok("1")));
                            store
                                .must_write(run.lease, Vec::new(), end, at(100))
                                .await?;
                        }
                        1 => {
                            let rest = Some(Transition::suspend(at(100)));
                            store
                                .must_write(run.lease, Vec::new(), rest, at(100))
                                .await?;
                        }
                        _ => {
                            let others = claimed.runs.iter().map(|other| other.lease);
                            let others = others.filter(|lease| *lease != run.lease).collect();
                            store
                                .release(Release::new(worker, at(100)).with_keep(others))
                                .await?;
                        }
                    }
                }
                if claimed.runs.is_empty() {
                    tokio::task::yield_now().await;
                }
            }
            Ok::<_, crate::Error>(())
        }));
    }
    for task in tasks {
        task.await.expect("a client does not panic")?;
    }
    let held = held.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(held.over.is_empty(), "over the limits: {:?}", held.over);
    assert_eq!(held.done, RUNS, "nobody is left behind");
    Ok(())
}
