// What is awaited in the place of an arm's future is over before the race begins.
use belts::{Event, race};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

async fn fetch(id: &str) -> belts::Result<usize> {
    Ok(id.len())
}

fn fetching(id: &str) -> belts::Result<impl Future<Output = belts::Result<usize>>> {
    Ok(fetch(id))
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    race!("decision", {
        score = belts::step!("score", order.id.len()).await => score?,
        fetched = fetch(&order.id).await => fetched?,
        tried = fetching(&order.id)? => tried?,
        fine = async { fetch(&order.id).await } => fine?,
        late = belts::sleep!("late", "1h") => { late?; 0 }
    })
    .await
}

fn main() {}
