//! Lines that are parked behind one place, and what tells lanes and limits apart.

use super::{
    bench::{Bench, at, event, subscription},
    flowing::flowing,
    lines::{POOL, SHARED, events, has_none, keyed, of, one_at_a_time},
};
use crate::{
    error::Result,
    store::{Flow, Lane, NewEvent, Rate, Rerun},
};

/// Two versions read different events of one function: a place that becomes free is of use to either.
pub(super) async fn place_is_for_whoever_can_read(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store
        .subscribe(vec![subscription("f", &["f", "g"])])
        .await?;
    for (n, (id, event_type)) in [("held", "f"), ("old", "f"), ("new", "g")]
        .into_iter()
        .enumerate()
    {
        let now = at(i64::try_from(n).unwrap_or(0));
        let event = NewEvent::new(id, event_type, *b"{}", now);
        let event = event.with_flows(vec![("f".into(), keyed("k"))]);
        store.publish_all(vec![event], now).await?;
    }
    let both = [one_at_a_time()];
    let held = store.brought(worker, 100, &both, at(10)).await?;
    assert_eq!(events(&held), ["held"]);
    // Both lines are seen to be full.
    assert!(store.brought(worker, 100, &both, at(11)).await?.is_empty());
    store.done(&held[0], at(12)).await?;
    let reads_new = [one_at_a_time().with_event_types(["g"])];
    let mut brought = Vec::new();
    for now in 13..16 {
        brought.extend(store.brought(worker, 100, &reads_new, at(now)).await?);
    }
    assert_eq!(events(&brought), ["new"], "whatever stands before it");
    store.done(&brought[0], at(20)).await?;
    let rest = store.brought(worker, 100, &both, at(21)).await?;
    assert_eq!(events(&rest), ["old"]);
    Ok(())
}

/// Somebody wants what was skipped to be done, and not all of it at once.
pub(super) async fn rerun_of_a_skipped_run_takes_a_place(bench: Bench) -> Result<()> {
    if has_none(&bench) || super::flowing::has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let rate = Rate::new("r", 1, std::time::Duration::from_secs(3_600));
    let flow = keyed("k").with_rate_limit(rate);
    let mut skipped = Vec::new();
    for n in 0..4 {
        let event = flowing(&format!("e{n}"), &flow, at(n));
        let published = store.publish_all(vec![event], at(n)).await?;
        let run = &published[0].runs[0];
        skipped.extend(run.skipped().map(|_| run.run_id.clone()));
    }
    assert_eq!(skipped.len(), 3);
    for run in &skipped {
        assert!(store.rerun(Rerun::new(run.clone(), at(10))).await?);
    }
    let mut order = Vec::new();
    for now in 11..20 {
        let brought = store
            .brought(worker, 100, &[one_at_a_time()], at(now))
            .await?;
        assert!(brought.len() <= 1, "one at a time: {:?}", events(&brought));
        for run in brought {
            order.push(run.event_id.to_string());
            store.done(&run, at(now)).await?;
        }
    }
    order.sort_unstable();
    assert_eq!(order, ["e0", "e1", "e2", "e3"]);
    Ok(())
}

pub(super) async fn places_of_two_limits_are_taken_together(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let limits = [of("f", &[(POOL, 1), (SHARED, 2)])];
    let both = |key: &str| keyed(key).with_lane(Lane::new(SHARED, "", 2));
    for (n, id) in ["a1", "a2", "b1", "b2", "c1"].into_iter().enumerate() {
        let now = at(i64::try_from(n).unwrap_or(0));
        store.line_up(id, &both(&id[..1]), now).await?;
    }
    let first = store.brought(worker, 100, &limits, at(10)).await?;
    assert_eq!(events(&first), ["a1", "b1"]);
    assert!(
        store
            .brought(worker, 100, &limits, at(11))
            .await?
            .is_empty()
    );
    store.done(&first[1], at(12)).await?;
    // `a2` is first in line and has no place by its key: it keeps none of the pool from others.
    let next = store.brought(worker, 100, &limits, at(13)).await?;
    assert_eq!(next.len(), 1);
    assert_ne!(&*next[0].event_id, "a2");
    store.done(&first[0], at(14)).await?;
    store.done(&next[0], at(14)).await?;
    let rest = store.brought(worker, 100, &limits, at(15)).await?;
    assert_eq!(rest.len(), 2);
    for run in &rest {
        store.done(run, at(16)).await?;
    }
    let last = store.brought(worker, 100, &limits, at(17)).await?;
    assert!(last.is_empty(), "all five have had their turn");
    Ok(())
}

pub(super) async fn shared_pool_counts_over_functions(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let (store, other) = (&bench.store, bench.another().await?);
    let one = store.worker(&["f"]).await?;
    let two = other.worker(&["g"]).await?;
    let flow = Flow::new().with_lane(Lane::new(SHARED, "k", 3));
    let elsewhere = Flow::new().with_lane(Lane::new(SHARED, "l", 3));
    let publish = async |function: &str, id: String, flow: &Flow| {
        let mut event = event(&id, function);
        event.flows = vec![(function.into(), flow.clone())];
        store.publish_all(vec![event], at(0)).await
    };
    for n in 0..4 {
        publish("f", format!("f{n}"), &flow).await?;
        publish("g", format!("g{n}"), &flow).await?;
    }
    publish("g", "other".to_owned(), &elsewhere).await?;
    let (of_f, of_g) = ([of("f", &[(SHARED, 3)])], [of("g", &[(SHARED, 3)])]);
    let first = store.brought(one, 2, &of_f, at(1)).await?;
    assert_eq!(first.len(), 2);
    let second = other.brought(two, 100, &of_g, at(2)).await?;
    assert_eq!(
        events(&second),
        ["g0", "other"],
        "one place is left of this key"
    );
    assert!(store.brought(one, 100, &of_f, at(3)).await?.is_empty());
    other.done(&second[0], at(4)).await?;
    store.done(&first[0], at(4)).await?;
    let mut next = store.brought(one, 100, &of_f, at(5)).await?;
    next.extend(other.brought(two, 100, &of_g, at(5)).await?);
    assert_eq!(next.len(), 2, "places of one function go to another");
    // One claim of both, of which the one has another limit in front of it.
    let both = keyed("a").with_lane(Lane::new(SHARED, "m", 3));
    let single = Flow::new().with_lane(Lane::new(SHARED, "m", 3));
    for n in 0..4 {
        publish("f", format!("both{n}"), &both).await?;
        publish("g", format!("single{n}"), &single).await?;
    }
    let of_f = of("f", &[(POOL, 4), (SHARED, 3)]);
    let three = store
        .brought(one, 100, &[of_f, of("g", &[(SHARED, 3)])], at(6))
        .await?;
    let of_m = three
        .iter()
        .filter(|run| !run.event_id.starts_with(['f', 'g']));
    assert_eq!(of_m.count(), 3, "{:?}", events(&three));
    Ok(())
}

/// Each function has a limit of its own for a pool that it shares, and all of their runs count for it.
pub(super) async fn pool_has_the_limit_of_each_function(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let wants = vec![subscription("f", &["f"]), subscription("g", &["g"])];
    let worker = store.subscribe(wants).await?;
    let shared = || Flow::new().with_lane(Lane::new(SHARED, "", 1));
    for n in 0..6 {
        for function in ["f", "g"] {
            let event = NewEvent::new(format!("{function}{n}"), function, *b"{}", at(0));
            let event = event.with_flows(vec![(function.into(), shared())]);
            store.publish_all(vec![event], at(0)).await?;
        }
    }
    for (wide, narrow) in [("f", "g"), ("g", "f")] {
        let functions = [of(wide, &[(SHARED, 5)]), of(narrow, &[(SHARED, 2)])];
        let brought = store.brought(worker, 100, &functions, at(1)).await?;
        let narrow = events(&brought);
        let narrow = narrow
            .iter()
            .filter(|id| id.starts_with(functions[1].function_id.as_ref()));
        let narrow = narrow.count();
        assert!(brought.len() <= 5 && narrow <= 2, "{:?}", events(&brought));
        assert!(brought.len() >= 2, "{:?}", events(&brought));
        for run in &brought {
            store.done(run, at(2)).await?;
        }
    }
    Ok(())
}

/// Keys are users' texts, with whatever in them.
pub(super) async fn lanes_are_told_apart_whatever_their_keys(bench: Bench) -> Result<()> {
    if has_none(&bench) {
        return Ok(());
    }
    let store = &bench.store;
    let worker = store.worker(&["f"]).await?;
    let keys = [
        "a",
        "a\u{1e}",
        "a\u{1e}b",
        "\u{1f}a",
        "a\u{1e}\u{1e}",
        "%1E",
        "a%1E",
        "",
        "\0",
    ];
    for (n, key) in keys.into_iter().enumerate() {
        let two = keyed(key).with_lane(Lane::new(SHARED, "", 100));
        store.line_up(&format!("e{n}"), &two, at(0)).await?;
    }
    let functions = [of("f", &[(POOL, 1), (SHARED, 100)])];
    let brought = store.brought(worker, 100, &functions, at(1)).await?;
    assert_eq!(brought.len(), keys.len(), "{:?}", events(&brought));
    Ok(())
}
