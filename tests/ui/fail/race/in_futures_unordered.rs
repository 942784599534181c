// Which future of a `FuturesUnordered` ends first is not recorded.
use belts::{Event, sleep, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

struct FuturesUnordered<F>(Vec<F>);

impl<F: Future> FuturesUnordered<F> {
    fn new() -> Self {
        Self(Vec::new())
    }
    fn push(&mut self, future: F) {
        self.0.push(future);
    }
    async fn next(&mut self) -> Option<F::Output> {
        Some(self.0.pop()?.await)
    }
}

impl<F> FromIterator<F> for FuturesUnordered<F> {
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        Self(futures.into_iter().collect())
    }
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let mut steps = FuturesUnordered::new();
    steps.push(step!("score", order.id.len()));
    steps.next().await.transpose()?;
    let mut naps: FuturesUnordered<_> = (0..3).map(|n| sleep!("nap-{n}", "1h")).collect();
    naps.next().await.transpose()?;
    let mut fine = FuturesUnordered::new();
    fine.push(std::future::ready(step!("fine", 1).await?));
    Ok(fine.next().await.unwrap_or(0))
}

fn main() {}
