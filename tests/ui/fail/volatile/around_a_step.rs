// A block with a step in it is part of the function, whoever awaits it.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

mod uuid {
    pub struct Uuid;
    impl Uuid {
        pub fn new_v4() -> String {
            String::new()
        }
    }
}
use uuid::Uuid;

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<()> {
    let ships = (0..3).map(|n| async move {
        let id = Uuid::new_v4();
        step!("ship-{n}", id.len()).await
    });
    futures_util::future::try_join_all(ships).await?;
    println!("{}", order.id);
    Ok(())
}

fn main() {}
