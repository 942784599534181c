// Nor is that of other functions that go on with the first, wherever their futures are bound; what is awaited before them is no arm.
use belts::{Event, sleep, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

mod future {
    pub async fn select_all<T: Future>(mut futures: Vec<T>) -> Option<T::Output> {
        Some(futures.pop()?.await)
    }
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let naps = vec![sleep!("one", "1h"), sleep!("two", "2h")];
    future::select_all(naps).await.transpose()?;
    let lengths = vec![std::future::ready(step!("fine", order.id.len()).await?)];
    future::select_all(lengths).await;
    future::select_all(vec![async { step!("score", order.id.len()).await }]).await;
    Ok(0)
}

fn main() {}
