// How long ago a recorded time is, is another answer whenever the run resumes.
use std::time::{Duration, SystemTime};

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let placed_at = step!("now", SystemTime::now()).await?;
    let due = placed_at + Duration::from_secs(600);
    let late = placed_at.elapsed().is_ok_and(|age| age.as_secs() > 600);
    println!("{} {late} {:?} {:?}", order.id, due.elapsed(), SystemTime::UNIX_EPOCH.elapsed());
    Ok(())
}

fn main() {}
