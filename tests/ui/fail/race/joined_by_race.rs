// Which future of a `.race()` ends first is not recorded.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

trait Race: Sized {
    async fn race(self) -> belts::Result<usize>;
}

impl<A: Future<Output = belts::Result<usize>>, B> Race for (A, B) {
    async fn race(self) -> belts::Result<usize> {
        self.0.await
    }
}

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<usize> {
    let length = order.id.len();
    (step!("one", length), step!("other", 1)).race().await
}

fn main() {}
