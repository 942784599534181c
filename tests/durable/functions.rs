//! The functions that the sweeps crash: one for each way to use steps.

use std::time::Duration;

use belts::{Event, scope, sleep, sleep_until, step};
use serde::{Deserialize, Serialize};
use tokio::try_join;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Order {
    pub id: String,
    pub parcels: Vec<u32>,
}

pub(crate) fn order() -> Order {
    Order {
        id: "o-1".into(),
        parcels: vec![3, 1, 2],
    }
}

/// What a union of events needs beside: something to publish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct OrderShipped {
    pub id: String,
    pub parcels: usize,
}

#[belts::function(id = "sequential", on = Order)]
pub(crate) async fn sequential(order: Order) -> belts::Result<String> {
    let checked = step!("check", async { format!("{} checked", order.id) }).await?;
    let charged = step!("charge", format!("{checked}, charged")).await?;
    let shipped = step!("ship", Ok::<_, belts::Error>(format!("{charged}, shipped"))).await?;
    Ok(shipped)
}

#[belts::function(id = "parallel", on = Order)]
pub(crate) async fn parallel(order: Order) -> belts::Result<u32> {
    let (a, b, c) = try_join!(
        step!("first", async { order.parcels[0] }),
        step!("second", async {
            tokio::task::yield_now().await;
            order.parcels[1]
        }),
        step!("third", order.parcels[2]),
    )?;
    let all = futures_join(
        order
            .parcels
            .iter()
            .map(|n| step!("parcel-{n}", move async move { n * 2 })),
    )
    .await?;
    Ok(a + b + c + all.iter().sum::<u32>())
}

/// Polls all futures to their end, as `try_join_all` of the futures crate does.
async fn futures_join<T, F: Future<Output = belts::Result<T>>>(
    futures: impl Iterator<Item = F>,
) -> belts::Result<Vec<T>> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut waiting = false;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(Ok(value)) => *output = Some(value),
                    std::task::Poll::Ready(Err(error)) => {
                        return std::task::Poll::Ready(Err(error));
                    }
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(Ok(()))
        }
    })
    .await?;
    Ok(futures
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect())
}

#[belts::function(id = "looping", on = Order)]
pub(crate) async fn looping(order: Order) -> belts::Result<Vec<u32>> {
    let mut done = Vec::new();
    for parcel in &order.parcels {
        done.push(step!("ship-{parcel}", async { parcel + 10 }).await?);
    }
    Ok(done)
}

#[belts::function(id = "flaky", on = Order)]
pub(crate) async fn flaky(order: Order) -> belts::Result<String> {
    step!("before", ()).await?;
    // The sweep has this one fail twice.
    step!("flaky", order.id.clone(), retries = 3, backoff = "1s..10m").await
}

#[belts::function(id = "matched-failure", on = Order)]
pub(crate) async fn matched_failure(order: Order) -> belts::Result<String> {
    let refused: belts::Result<()> = step!(
        "charge",
        Err::<(), _>(belts::terminal(format!("no money for {}", order.id)))
    )
    .await;
    match refused {
        Ok(()) => Ok("charged".into()),
        Err(error) => step!("apologize", error.report()).await,
    }
}

#[belts::function(id = "fails-for-good", on = Order)]
pub(crate) async fn fails_for_good(order: Order) -> belts::Result<()> {
    step!("prepare", order.id.len()).await?;
    step!(
        "impossible",
        Err::<(), _>(belts::Error::from_any("offline")),
        retries = 1
    )
    .await?;
    step!("never", ()).await
}

#[belts::function(id = "sleeping", on = Order)]
pub(crate) async fn sleeping(order: Order) -> belts::Result<u32> {
    let before = step!("before", order.parcels[0]).await?;
    sleep!("short", "2s").await?;
    let between = step!("between", before + 1).await?;
    sleep!("long", "1h").await?;
    let after = step!("after", between + 1).await?;
    sleep_until!("past", std::time::SystemTime::UNIX_EPOCH).await?;
    Ok(after)
}

#[belts::function(id = "sleeping-beside-a-step", on = Order)]
pub(crate) async fn sleeping_beside_a_step(order: Order) -> belts::Result<u32> {
    let (step, ()) = try_join!(
        step!("work", async { order.parcels[0] }),
        sleep!("pause", "1h")
    )?;
    step!("after", step + 1).await
}

#[belts::function(id = "publishing", on = Order)]
pub(crate) async fn publishing(order: Order) -> belts::Result<String> {
    let parcels = step!("count", order.parcels.len()).await?;
    let event = OrderShipped {
        id: order.id.clone(),
        parcels,
    };
    let published = step!("announce", async {
        publish_order_shipped(event.clone())
            .await
            .map(|p| p.event_id)
    })
    .await?;
    step!("after", published.clone()).await
}

#[belts::function(id = "after-shipping", on = OrderShipped)]
pub(crate) async fn after_shipping(shipped: OrderShipped) -> belts::Result<usize> {
    sleep!("wait-for-the-post", "24h").await?;
    step!("ask-for-stars", shipped.parcels).await
}

#[belts::steps]
async fn pack(order: &Order, parcel: u32) -> belts::Result<String> {
    let label = step!("label", format!("{}-{parcel}", order.id)).await?;
    step!("stick", format!("[{label}]")).await
}

#[belts::function(id = "scoped", on = Order)]
pub(crate) async fn scoped(order: Order) -> belts::Result<Vec<String>> {
    let mut packed = Vec::new();
    for parcel in order.parcels.clone() {
        packed.push(scope!("parcel-{parcel}", pack(&order, parcel)).await?);
    }
    Ok(packed)
}

#[belts::function(id = "per-step", on = Order, continuation = "per-step")]
pub(crate) async fn per_step(order: Order) -> belts::Result<usize> {
    let one = step!("one", order.parcels.len()).await?;
    let (two, three) = try_join!(step!("two", one + 1), step!("three", one + 2))?;
    sleep!("pause", Duration::from_secs(3600)).await?;
    step!("four", two + three).await
}

#[belts::function(id = "retried-whole", on = Order, retries = 2, backoff = "1s..1m")]
pub(crate) async fn retried_whole(order: Order, cx: belts::Context) -> belts::Result<u32> {
    let one = step!("one", order.parcels[0]).await?;
    if cx.attempt() < 3 {
        return Err(belts::Error::from_any("not yet"));
    }
    step!("two", one + 1).await
}
