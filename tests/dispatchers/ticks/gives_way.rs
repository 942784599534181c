//! Runs that give way to the next tick: they are undone by messages, and one takes their place whatever fails.

use belts::{Tick, sleep, step, store::RunStatus};

use super::{MINUTE, hour, house, statuses};
use crate::qstash::mail::{effect, effects};

async fn undone(what: String) {
    effect(&format!("-{what}"));
}

macro_rules! slow {
    ($name:ident, $id:literal) => {
        #[belts::function(id = $id, every = "1h", overlap = "cancel")]
        async fn $name(tick: Tick) -> belts::Result<()> {
            let what = format!("{} {}", $id, tick.scheduled_at());
            step!("take", what.clone(), undo = undone).await?;
            sleep!("rest", "999h").await
        }
    };
}
slow!(undo, "z-way-undo");
slow!(refused, "z-way-refused");

#[tokio::test]
async fn a_run_that_gives_way_is_undone() {
    let (store, _, post) = house();
    let worker = post.builder(&store).function(undo).build().await.unwrap();
    post.carry_until(&worker, hour(3).after(MINUTE)).await;
    let wanted = [
        RunStatus::Cancelled,
        RunStatus::Cancelled,
        RunStatus::Suspended,
    ];
    assert_eq!(statuses(&worker, undo).await, wanted);
    for hour in 1..3 {
        let what = format!("-z-way-undo 2025-01-03T0{hour}:00:00Z");
        assert_eq!(effects(&what), 1, "{what}");
    }
}

#[tokio::test]
async fn it_is_undone_although_its_hand_on_is_refused_at_first() {
    let (store, _, post) = house();
    let worker = post
        .builder(&store)
        .function(refused)
        .build()
        .await
        .unwrap();
    post.carry_until(&worker, hour(1).after(MINUTE)).await;
    for refusals in [1, 2] {
        post.refuse(refusals);
        let next = hour(1 + u32::try_from(refusals).unwrap());
        post.carry_until(&worker, next.after(MINUTE)).await;
    }
    let wanted = [
        RunStatus::Cancelled,
        RunStatus::Cancelled,
        RunStatus::Suspended,
    ];
    assert_eq!(statuses(&worker, refused).await, wanted);
}
