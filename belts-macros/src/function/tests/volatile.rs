//! What the checks say of threads, and of what differs from run to run.

use proc_macro2::TokenStream;
use quote::quote;

use super::{args, expanded};

mod advice;
mod later;

#[test]
fn steps_on_other_threads_are_refused() {
    for body in [
        quote!(items.par_iter().for_each(|x| block_on(step!("a-{x}", x)))),
        quote!(
            items
                .into_par_iter()
                .enumerate()
                .map(|(n, x)| step!("a-{n}", x))
        ),
        quote!(rayon::join(|| block_on(step!("a", x)), || 1)),
        quote!(std::thread::scope(|_| block_on(step!("a", x)))),
    ] {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> R { #body }),
        );
        assert_eq!(text.matches("runs on other threads").count(), 1, "{text}");
    }
    for body in [
        quote!(step!("a", items.par_iter().map(weigh).sum::<u32>())),
        quote!(
            items
                .par_iter()
                .map(weigh)
                .collect::<Vec<_>>()
                .into_iter()
                .map(|x| step!("a-{x}", x))
        ),
        quote!(items.par_iter().any(heavy).then(|| step!("a", x))),
        quote!(tokio::join!(step!("a", x), step!("b", x))),
        quote!(path.join(step!("a", x).await?)),
        quote!(rayon::join(weigh(step!("a", x).await?), f)),
    ] {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> R { #body }),
        );
        assert!(!text.contains("compile_error"), "{text}");
    }
}

/// How often a body is refused for what differs from run to run.
fn volatile(body: &TokenStream) -> usize {
    let text = expanded(
        args(),
        quote!(async fn process(order: Ordered) -> R { #body }),
    );
    text.matches("volatile!(").count()
}

#[test]
fn what_differs_from_run_to_run_is_refused_outside_of_steps() {
    for body in [
        quote!(let now = SystemTime::now();),
        quote!(let now = ::std::time::Instant::now();),
        quote!(scope!("a", help(Utc::now())).await?;),
        quote!(callback!("a", Decision).await?.ask(Uuid::new_v4());),
        quote!(let n: u8 = rand::random::<u8>();),
        quote!(let n = thread_rng().random();),
        quote!(fastrand::shuffle(&mut items);),
        quote!(let home = env::var("HOME").unwrap_or_default();),
        quote!(tokio::time::sleep(pause).await;),
        quote!(time::timeout(limit, step!("a", x)).await?;),
        quote!(std::thread::sleep(pause);),
        quote!(use tokio::time::sleep; sleep(pause).await;),
        quote!({
            use std::time as clock;
            let now = clock::SystemTime::now();
        }),
        quote!(println!("{}", SystemTime::now());),
        quote!(tracing::info!(at = ?SystemTime::now(), "begun");),
        quote!(json!({ "at": SystemTime::now() });),
        quote!(let id = order.id.unwrap_or_else(Uuid::new_v4);),
        quote!(let id = order.id.unwrap_or_else(|| Uuid::new_v4());),
        quote!(let now = || SystemTime::now(); f(now());),
        quote!(let pause = async { tokio::time::sleep(a).await }; tokio::join!(pause, step!("a", x));),
        quote!(let pause = Box::pin(async { tokio::time::sleep(a).await }); pause.await;),
        quote!(async { SystemTime::now() }.await;),
        quote!((|| SystemTime::now())();),
        quote!(tokio::join!(async { tokio::time::sleep(a).await }, step!("a", x));),
        quote!(join_all(items.iter().map(|i| async move { fastrand::u8(..) })).await;),
        quote!(tokio::task::spawn_blocking(|| thread::sleep(a)).await?;),
        quote!(race!("a", { b = async { tokio::time::sleep(a).await } => b });),
        quote!(race!("a", { b = step!("b", x) => SystemTime::now() });),
        quote!(tokio::select! { _ = tokio::time::sleep(a) => {}, _ = other => {} }),
        quote!(if Instant::now() > at {
            return;
        }),
    ] {
        assert_eq!(volatile(&body), 1, "{body}");
    }
}

#[test]
fn what_may_run_in_a_step_or_is_meant_is_not_refused() {
    for body in [
        quote!(step!("a", SystemTime::now()).await?;),
        quote!(step!("a", async { tokio::time::sleep(x).await; fastrand::u8(..) }).await?;),
        quote!(step!("a", x, timeout = Duration::from_secs(fastrand::u64(..5))).await?;),
        quote!(sleep_until!("a", SystemTime::now() + day).await?;),
        quote!(sleep!("a", Duration::from_secs(rand::random_range(1..9))).await?;),
        quote!(wait!("a", Paid, key = id, timeout = until - SystemTime::now()).await?;),
        quote!(race!("a", { b = step!("b", SystemTime::now()) => b? }).await?;),
        quote!(info!("{}", volatile!(SystemTime::now()));),
        quote!(tracing::info!(at = ?belts::volatile!(SystemTime::now()), "begun");),
        quote!(volatile!(tokio::time::sleep(x)).await;),
        quote!(volatile!(async { tokio::time::sleep(x).await }).await;),
        quote!(let now = || SystemTime::now(); step!("a", now()).await?;),
        quote!(let pause = async { tokio::time::sleep(x).await }; step!("a", pause).await?;),
        quote!(let client = Client::new(|| Uuid::new_v4());),
        quote!(
            fn now() -> SystemTime {
                SystemTime::now()
            }
        ),
        quote!(
            static HOME: LazyLock<String> = LazyLock::new(|| env::var("HOME"));
        ),
        quote!(tokio::spawn(async { tokio::time::sleep(x).await });),
        quote!(scope!("a", help(async { SystemTime::now() })).await?;),
        quote!(scope!("a", help(|| SystemTime::now())).await?;),
        quote!(sleep(x).await;),
        quote!(random(); now(); var("HOME"); timeout(x, y).await;),
        quote!(my::Instant::now(); crate::env::var("HOME"); self::time::sleep(x);),
        quote!(use my::Instant; Instant::now();),
        quote!(use my as env; env::var("HOME");),
        quote!(use my::*; Instant::now();),
        quote!(struct Instant; Instant::now();),
        quote!(fn thread_rng() {} thread_rng();),
        quote!(let thread_rng = f; thread_rng();),
        quote!(clock.now(); order.instant.now(); shop.sleep(x).await;),
        quote!(SystemTime::UNIX_EPOCH; Uuid::new_v5(&space, name); Uuid::nil();),
        quote!(rand::rngs::StdRng::seed_from_u64(order.seed); fastrand::Rng::with_seed(1);),
        quote!(stringify!(SystemTime::now());),
        quote!(let now: fn() -> SystemTime = SystemTime::now;),
        quote!(let time = step!("a", x).await?; let later = time + day;),
    ] {
        accepted(&body);
    }
}

fn accepted(body: &TokenStream) {
    let text = expanded(
        args(),
        quote!(async fn process(order: Ordered) -> R { #body }),
    );
    assert!(!text.contains("compile_error"), "{body}\n{text}");
}

/// `refused` are refused once each, and `may` are not.
#[track_caller]
fn told(refused: &[TokenStream], may: &[TokenStream]) {
    for body in refused {
        assert_eq!(volatile(body), 1, "{body}");
    }
    may.iter().for_each(accepted);
}

#[test]
fn a_glob_of_columns_or_traits_hides_nothing() {
    told(
        &[
            quote!(use crate::schema::orders::dsl::*; let now = Utc::now();),
            quote!(use rand::prelude::*; let n = rand::random::<u8>();),
            quote!(use rand::prelude::*; let n = thread_rng().random();),
            quote!(use chrono::prelude::*; let now = Utc::now();),
            quote!(use std::time::*; let now = Instant::now();),
            quote!(use tokio::time::*; sleep(d).await;),
            quote!({
                use tokio::{fs, time::*};
                {
                    use my::Kind::*;
                    sleep(d).await;
                }
            }),
        ],
        &[
            quote!(use crate::clocks::*; let now = Utc::now();),
            quote!(use tokio::time::*; let sleep = f; sleep(d).await;),
            quote!(use tokio::time::*; use my::*; sleep(d).await;),
            quote!(use std::time::*; let now = step!("a", SystemTime::now()).await?; sleep(d).await;),
        ],
    );
}

#[test]
fn the_time_since_a_recorded_time_is_another_each_time() {
    told(
        &[
            quote!(let t = step!("now", SystemTime::now()).await?; if t.elapsed()? > LIMIT {}),
            quote!(let t = step!("now", std::time::SystemTime::now()).await?; let due = t + DAY; due.elapsed()?;),
            quote!(let t = step!("now", SystemTime::now() - DAY).await?; f((t + DAY).elapsed());),
            quote!(step!("now", SystemTime::now()).await?.elapsed()?;),
            quote!(let age = SystemTime::UNIX_EPOCH.elapsed()?;),
            quote!(UNIX_EPOCH.elapsed()?;),
            quote!(let t = step!("now", SystemTime::now()).await?; info!(took = ?t.elapsed(), "done");),
        ],
        &[
            quote!(let t = step!("now", SystemTime::now()).await?; step!("took", t.elapsed()).await?;),
            quote!(let t = volatile!(Instant::now()); t.elapsed();),
            quote!(let t = step!("now", SystemTime::now()).await?; println!("{:?}", volatile!(t.elapsed()));),
            quote!(let t = step!("now", SystemTime::now()).await?; { let t = volatile!(Instant::now()); t.elapsed(); }),
            quote!(let t = step!("took", f()).await?; t.elapsed(); order.placed_at.elapsed();),
            quote!(let t = step!("now", SystemTime::now()).await?; t.duration_since(UNIX_EPOCH);),
            quote!(let t = step!("now", SystemTime::now()).await?; info!(took = ?x.t.elapsed(), "done");),
        ],
    );
}

#[test]
fn tokens_that_are_no_expressions_are_seen_through() {
    told(
        &[
            quote!(json!({ "id": order.id.unwrap_or_else(Uuid::new_v4) });),
            quote!(json!({ "lot": rand::random::<u64>() });),
            quote!(json!({ "lots": [rand::random::<Vec<Option<u64>>>(), 1] });),
            quote!(info!(code = ?(0..6).map(|_| fastrand::u8(..)).collect::<Vec<_>>(), "x");),
            quote!(info!(code = ?(0..fastrand::u8(..)), "x");),
            quote!(
                select! { _ = tokio::time::sleep_until(Instant::now() + d) => {}, _ = other => {} }
            ),
        ],
        &[
            quote!(json!({ "id": order.id.unwrap_or_else(|| volatile!(Uuid::new_v4())) });),
            quote!(json!({ "id": client.each(|| Uuid::new_v4()) });),
        ],
    );
}

#[test]
fn what_only_tests_build_may_differ() {
    told(
        &[
            quote!(#[cfg(not(test))] let t = Instant::now();),
            quote!(#[cfg(any(test, debug_assertions))] let t = Instant::now();),
            quote!(#[cfg(debug_assertions)] let t = Instant::now();),
            quote!(#[cfg(test)] f(); let t = Instant::now();),
        ],
        &[
            quote!(#[cfg(test)] let t = Instant::now();),
            quote!(#[cfg(all(test, feature = "x"))] let t = Instant::now();),
            quote!(#[cfg(any())] let t = Instant::now();),
            quote!(#[cfg(test)] println!("{:?}", SystemTime::now());),
            quote!(#[cfg(test)] tokio::time::sleep(d).await;),
            quote!(
                #[cfg(test)]
                {
                    tokio::time::sleep(d).await;
                }
            ),
            quote!(match x {
                #[cfg(test)]
                1 => f(SystemTime::now()),
                _ => {}
            }),
        ],
    );
}

#[test]
fn one_pause_is_one_mistake() {
    told(
        &[
            quote!(tokio::time::sleep_until(Instant::now() + d).await;),
            quote!(tokio::time::timeout_at(Instant::now() + d, step!("a", x)).await?;),
            quote!(let mut ticks = tokio::time::interval_at(Instant::now() + d, d);),
        ],
        &[],
    );
    let two = quote!(tokio::time::timeout(d, async { Utc::now() }).await;);
    assert_eq!(volatile(&two), 2);
}

#[test]
fn steps_in_a_race_of_another_crate_are_reported_once() {
    for body in [
        quote!((step!("a", x), step!("b", y)).race().await),
        quote!(
            let all = [step!("a", x), step!("b", y)].into_iter().collect::<FuturesUnordered<_>>();
        ),
    ] {
        let text = expanded(
            args(),
            quote!(async fn process(order: Ordered) -> R { #body }),
        );
        assert_eq!(text.matches("compile_error").count(), 2, "{text}");
    }
}
