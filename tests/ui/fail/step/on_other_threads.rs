// Closures that run on other threads cannot await a step.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    ids: Vec<String>,
}

trait Parallel: Sized {
    fn par_iter(&self) -> std::slice::Iter<'_, String>;
}

impl Parallel for Vec<String> {
    fn par_iter(&self) -> std::slice::Iter<'_, String> {
        self.iter()
    }
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    order.ids.par_iter().for_each(|id| drop(step!("length-{id}", id.len())));
    std::thread::scope(|_| drop(step!("count", order.ids.len())));
    Ok(())
}

fn main() {}
