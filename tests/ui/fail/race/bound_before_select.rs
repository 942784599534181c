// The futures of a `select!` may have been bound before. A name that is bound anew, or awaited, is no future any more.
use belts::{Event, sleep, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let score = step!("score", order.id.len());
    let mut late = Box::pin(async { sleep!("late", "1h").await });
    tokio::pin!(score);
    let first = tokio::select! {
        done = &mut score => done?,
        slept = &mut late => { slept?; 0 }
    };
    let (both, count) = (step!("both", 1), step!("count", 2).await?);
    let both = both.await?;
    let ready = std::future::ready(count);
    tokio::select! {
        late = ready => Ok(late + both + first),
        both = std::future::ready(both) => Ok(both),
    }
}

fn main() {}
