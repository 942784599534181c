//! Cold starts beside the schedules of many tenants.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use belts::{
    Schedule, Tick, step,
    store::{RunStatus, SharedStore},
};
use belts_suite::Hooked;

use super::{HOUR, hour, house, statuses};

#[belts::function(id = "z-cold-hourly", every = "1h")]
async fn hourly(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[belts::function(id = "z-cold-tenant")]
async fn tenant(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[tokio::test]
async fn a_start_reads_one_page_and_its_own_schedules() {
    let (store, _, post) = house();
    let first = post.builder(&store).function(tenant).build().await.unwrap();
    let schedules = first.schedules();
    for number in 0..1_100 {
        let daily = Schedule::every(HOUR * 24);
        let name = format!("tenant-{number:04}");
        schedules.put(name, tenant, daily, ()).await.unwrap();
    }
    drop(first);
    let pages = Arc::new(AtomicUsize::new(0));
    let counted: SharedStore = Hooked::new(Arc::clone(&store), {
        let pages = Arc::clone(&pages);
        move |method| {
            if method == "schedules" {
                pages.fetch_add(1, Ordering::SeqCst);
            }
            Box::pin(async { Ok(()) })
        }
    });
    for start in 1..=3 {
        let builder = post.builder(&counted).function(tenant);
        let worker = builder.function(hourly).build().await.unwrap();
        post.carry_until(&worker, hour(start)).await;
        let runs = statuses(&worker, hourly).await;
        assert_eq!(
            runs,
            vec![RunStatus::Completed; usize::try_from(start).unwrap()]
        );
        if start == 1 {
            assert_eq!(
                pages.load(Ordering::SeqCst),
                1 + 3,
                "at the start, and at 1:00 once"
            );
        }
    }
}
