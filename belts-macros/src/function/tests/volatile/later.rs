//! What is said of code that runs later: closures, `async` blocks, iterators, and what names hold of them.

use quote::quote;

use super::told;

#[test]
fn what_holds_a_step_is_in_none() {
    told(
        &[
            quote!(
                let ships = orders.iter().map(|o| async move { let id = Uuid::new_v4(); step!("ship-{o}", ship(id)).await });
                try_join_all(ships).await?;
            ),
            quote!(
                let ship = |o: u32| async move { tokio::time::sleep(d).await; step!("s-{o}", f(o)).await };
                ship(1).await?;
                ship(2).await?;
            ),
            quote!(
                let fut = async { Utc::now(); step!("a", f()).await }.instrument(span);
                fut.await?;
            ),
            quote!(
                futs.push(async move { Utc::now(); step!("a", f()).await });
                join_all(futs).await;
            ),
            quote!(
                let both = (async { Utc::now(); belts::sleep!("a", "1s").await }, other());
                both.join().await;
            ),
            quote!(let f = async { Utc::now(); step!("a", f()).await }.boxed(); f.await;),
            quote!(
                let make = |o| { let id = Uuid::new_v4(); step!("a-{o}", f(o, id)) };
                make(1).await?;
            ),
        ],
        &[
            quote!(
                let ship = |o: u32| async move { tx.send(async { tokio::time::sleep(d).await }); step!("s-{o}", f(o)).await };
                ship(1).await?;
            ),
            quote!(let ship = |o| async move { step!("s-{o}", f(Uuid::new_v4())).await };),
        ],
    );
}

#[test]
fn what_a_closure_returns_is_awaited_with_it() {
    told(
        &[
            quote!(let pause = || async { tokio::time::sleep(d).await }; pause().await;),
            quote!(let pause = |d| { async move { tokio::time::sleep(d).await } }; tokio::join!(pause(d), other());),
            quote!(let pause = || Box::pin(async { tokio::time::sleep(d).await }); let held = pause(); held.await;),
            quote!(let pause = async || tokio::time::sleep(d).await; pause().await;),
            quote!((async || tokio::time::sleep(d).await)().await;),
            quote!(let pause = || async { tokio::time::sleep(d).await }; race!("a", { b = pause() => b });),
        ],
        &[
            quote!(let pause = || async { tokio::time::sleep(d).await }; step!("a", pause()).await?;),
            quote!(let pause = || async { tokio::time::sleep(d).await }; let held = pause(); step!("a", held).await?;),
            quote!(let pause = async || tokio::time::sleep(d).await; let held = pause(); step!("a", held).await?;),
            quote!(let pause = || async { tokio::time::sleep(d).await }; tx.send(pause()).await;),
        ],
    );
}

#[test]
fn every_method_that_calls_its_closure_is_known() {
    told(
        &[
            quote!(s.for_each_concurrent(4, |x| async move { fastrand::u8(..) }).await;),
            quote!(s.try_for_each_concurrent(4, |x| async move { fastrand::u8(..) }).await;),
            quote!(x.is_ok_and(|x| x < SystemTime::now());),
            quote!(items.sort_by_cached_key(|_| fastrand::u8(..));),
            quote!(items.sort_by(|a, b| fastrand::bool());),
            quote!(items.fill_with(rand::random);),
            quote!(entry.or_insert_with_key(|_| Uuid::new_v4());),
            quote!(let ids: Vec<_> = iter::repeat_with(|| Uuid::new_v4()).take(3).collect();),
            quote!(let n: Vec<u8> = repeat_with(rand::random).take(3).collect();),
            quote!(let n: [u8; 3] = std::array::from_fn(|_| rand::random());),
            quote!(let n: [u8; 3] = std::array::from_fn(|_| fastrand::u8(..));),
        ],
        &[
            quote!(let layer = middleware::from_fn(|| Uuid::new_v4());),
            quote!(let ids = step!("a", iter::repeat_with(Uuid::new_v4).take(3).collect::<Vec<_>>()).await?;),
        ],
    );
}

#[test]
fn an_iterator_runs_where_it_is_used() {
    told(
        &[
            quote!(let ids = items.iter().map(|_| Uuid::new_v4()); f(ids.clone()); f(ids);),
            quote!(let ids = items.iter().map(|_| Uuid::new_v4()).rev(); let two = ids.take(2); for id in two {}),
            quote!(let ids = iter::repeat_with(Uuid::new_v4); let ids = ids.take(3).collect::<Vec<_>>();),
            quote!(let id = order.gift.map(|_| Uuid::new_v4()); if id.is_some() {}),
            quote!(let id = order.gift.map(|_| Uuid::new_v4()); json!({ "id": id });),
            quote!(let id = order.gift.map(|_| Uuid::new_v4()); scope!("a", f(id)).await?;),
            quote!(let id = order.gift.map(|_| Uuid::new_v4()); format!("{id:?}");),
            quote!(let id: Option<Uuid> = order.gift.map(|_| Uuid::new_v4());),
            quote!(let id = Some(1).map(|_| Uuid::new_v4());),
            quote!(let id = flag.then(|| Uuid::new_v4());),
            quote!(let Some(id) = gift.map(|_| Uuid::new_v4()) else { return };),
            quote!(let ids = items.iter().map(|_| Uuid::new_v4()).collect::<Vec<_>>();),
            quote!(let some = items.iter().take(fastrand::usize(..));),
            quote!(let n = items.iter().map(|_| fastrand::u8(..)).max().into_iter().rev();),
        ],
        &[
            quote!(
                let backoff = ExponentialBackoff::from_millis(10).map(|d| d + Duration::from_millis(fastrand::u64(..50))).take(3);
                step!("call", Retry::spawn(backoff, || call())).await?;
            ),
            quote!(let ids = items.iter().map(|_| Uuid::new_v4()); let two = ids.take(2); step!("a", two.collect::<Vec<_>>()).await?;),
            quote!(let ids: Jobs = Box::new(items.iter().map(|_| Uuid::new_v4())); step!("a", ids.count()).await?;),
            quote!(let ids = iter::repeat_with(Uuid::new_v4); step!("a", f(ids)).await?;),
            quote!(let ids = items.iter().map(|_| Uuid::new_v4()); let f = || ids.count(); step!("a", f()).await?;),
            quote!(let ids = items.iter().map(|_| Uuid::new_v4()); info!(ids = %order.ids, "begun");),
        ],
    );
}

#[test]
fn a_select_awaits_what_names_hold() {
    told(
        &[
            quote!(
                tokio::pin! { let pause = async { tokio::time::sleep(d).await }; }
                tokio::select! { _ = &mut pause => {}, _ = other() => {} }
            ),
            quote!(
                let pause = async { tokio::time::sleep(d).await };
                pin!(pause);
                tokio::select! { _ = &mut pause => {}, _ = other() => {} }
            ),
            quote!(
                let pause = async { tokio::time::sleep(d).await };
                let mut pause = pin!(pause);
                tokio::select! { _ = pause.as_mut() => {}, _ = other() => {} }
            ),
            quote!(
                let pause = Box::pin(async { tokio::time::sleep(d).await }.fuse());
                futures::select! { _ = pause => {}, _ = other => {} }
            ),
        ],
        &[quote!(
            let pause = async { tokio::time::sleep(d).await };
            tokio::select! { pause = other() => {}, _ = third() => {} }
        )],
    );
}

#[test]
fn a_name_hides_another_as_far_as_its_block_goes() {
    told(
        &[
            quote!(let now = || SystemTime::now(); let now = now();),
            quote!({
                use tokio::time::interval;
                {
                    let t = 1;
                    let interval = interval(d);
                }
            }),
            quote!(let now = || SystemTime::now(); let left = |now: SystemTime| f(now); g(now());),
            quote!(let now = || SystemTime::now(); if let Some(now) = order.at { f(now) } g(now());),
            quote!(let now = || SystemTime::now(); if let Some(now) = order.at { now() } else { now() }),
            quote!(let now = || SystemTime::now(); match order.at { now => {} } g(now());),
            quote!(let now = || SystemTime::now(); for now in times {} g(now());),
            quote!(let now = || SystemTime::now(); while let Some(now) = times.next() {} g(now());),
            quote!(let now = || SystemTime::now(); { let now = || 1; now(); } g(now());),
            quote!(let now = || SystemTime::now(); let time = now; time();),
        ],
        &[
            quote!(let now = || SystemTime::now(); let now = || 1; now();),
            quote!(let now = || SystemTime::now(); let left = |now: fn()| now();),
            quote!(let now = || SystemTime::now(); if let Some(now) = order.at { now(); }),
            quote!(let now = || SystemTime::now(); match order.at { now => now() }),
            quote!(let now = || SystemTime::now(); for now in times { now(); }),
        ],
    );
}

#[test]
fn an_fn_by_another_name_is_the_same() {
    told(
        &[
            quote!(let now = SystemTime::now; if now() > due {}),
            quote!(let clock: fn() -> SystemTime = SystemTime::now; let at = time.unwrap_or_else(clock);),
            quote!(let pause = tokio::time::sleep; pause(d).await;),
        ],
        &[
            quote!(let clock: fn() -> SystemTime = SystemTime::now; step!("b", clock()).await?;),
            quote!(let now = my::Instant::now; now();),
            quote!(let now = <PgClock as Timestamp>::now; now();),
            quote!(let at = time.unwrap_or_else(<PgClock as Timestamp>::now);),
        ],
    );
}

#[test]
fn what_is_given_away_is_not_awaited() {
    told(
        &[
            quote!(let x = async { tokio::time::sleep(d).await }; timeout(d, x).await;),
            quote!(join_all(vec![Box::pin(async { tokio::time::sleep(d).await }), other()]).await;),
            quote!(async { tokio::time::sleep(d).await }.instrument(span).await;),
            quote!(tokio::spawn(async { tokio::time::sleep(d).await }).await?;),
            quote!(stream::iter(x).map(|i| async move { fastrand::u8(..) }).buffered(3).collect::<Vec<_>>().await;),
        ],
        &[
            quote!(tx.send(Box::pin(async { tokio::time::sleep(d).await }) as Job).await;),
            quote!(registry.insert(id, tokio::spawn(async { loop { tokio::time::sleep(d).await } })).await;),
            quote!(register(tokio::spawn(async { tokio::time::sleep(d).await })).await;),
            quote!({ let job = tokio::spawn(async { tokio::time::sleep(d).await }); f(job) }.await;),
        ],
    );
}

#[test]
fn macros_that_keep_a_body_for_later_are_known() {
    told(
        &[
            quote!(let times = stream! { yield SystemTime::now(); }; pin!(times); times.next().await;),
            quote!(let times = try_stream! { step!("a", f()).await?; yield SystemTime::now(); };),
        ],
        &[
            quote!(
                thread_local! { static R: RefCell<StdRng> = RefCell::new(StdRng::from_os_rng()) }
            ),
            quote!(lazy_static! {
                static ref HOME: String = std::env::var("HOME").unwrap();
            }),
            quote!(let times = async_stream::stream! { yield SystemTime::now(); }; step!("a", last(times)).await?;),
        ],
    );
}
