// Waits in every form.
use std::time::Duration;

use belts::{Event, wait};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = id)]
struct Ordered {
    id: String,
    number: u32,
}

#[derive(Serialize, Deserialize, Event)]
#[event(key = order)]
struct Paid {
    order: String,
    cents: u32,
}

#[derive(Serialize, Deserialize, Event)]
#[event(key = number)]
struct Counted {
    number: u32,
}

#[derive(Serialize, Deserialize, Event)]
#[event(key = order)]
struct Refused {
    order: Option<String>,
}

#[derive(Serialize, Deserialize, Event)]
struct DoorsOpen {}

#[derive(Event)]
enum Verdict {
    Paid(Paid),
    Refused(Box<Refused>),
    #[event(key = order)]
    Withdrawn {
        order: String,
    },
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<u32> {
    let (id, least): (&str, u32) = (&order.id, 100);
    let one = wait!("one", Paid, key = &order.id).await?;
    let two = wait!("two", Paid, key = id, when = |paid| paid.cents > least).await?;
    let three = wait!("three", Paid, key = &id, timeout = "3d", since = "now").await?;
    wait!("four", Counted, key = order.number).await?;
    wait!("five", Counted, key = &order.number, since = "10m").await?;
    wait!("six", DoorsOpen, timeout = Duration::from_secs(1), since = Duration::ZERO).await?;
    let refused: Refused = wait!("seven", Refused, key = id).await?;
    let cents = match wait!("eight", Verdict, key = &order.id).await? {
        Verdict::Paid(paid) => paid.cents,
        Verdict::Refused(refused) => refused.order.map_or(0, |_| 1),
        Verdict::Withdrawn { order } => u32::from(order.is_empty()),
    };
    for n in 0..3 {
        belts::wait!("item-{n}", Paid, key = &order.id).await?;
    }
    let (left, right) = tokio::try_join!(
        wait!("left", Paid, key = &order.id),
        belts::scope!("right", helper(&order)),
    )?;
    let all = one.cents + two.cents + three.map_or(0, |paid| paid.cents) + left.cents + right;
    Ok(all + cents + refused.order.map_or(0, |_| 1))
}

#[belts::steps]
async fn helper(order: &Ordered) -> belts::Result<u32> {
    Ok(wait!("payment", Paid, key = &order.id).await?.cents)
}

fn main() {}
