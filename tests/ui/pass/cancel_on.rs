// `cancel_on` with an event, a union, a list, keys that may be absent, and events behind a path.
#![deny(warnings)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = order_id)]
pub struct OrderCreated {
    pub order_id: String,
}

#[derive(Serialize, Deserialize, Event)]
#[event(key = order_id)]
pub struct OrderImported {
    pub order_id: String,
}

#[derive(Event)]
pub enum NewOrder {
    Created(OrderCreated),
    Imported(OrderImported),
}

mod ends {
    use super::*;

    #[derive(Serialize, Deserialize, Event)]
    #[event(key = order)]
    pub struct OrderWithdrawn {
        pub order: Option<String>,
    }

    #[derive(Serialize, Deserialize, Event)]
    #[event(key = order)]
    pub struct OrderExpired {
        pub order: String,
    }

    #[derive(Event)]
    pub enum Over {
        Withdrawn(OrderWithdrawn),
        Expired(Box<OrderExpired>),
    }
}

#[belts::function(id = "by-an-event", on = OrderCreated, cancel_on = ends::OrderWithdrawn)]
async fn by_an_event(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

#[belts::function(id = "by-a-union", on = [OrderCreated, OrderImported], cancel_on = ends::Over)]
async fn by_a_union(order: NewOrder) -> belts::Result<()> {
    let _ = order;
    step!("count", ()).await
}

#[belts::function(id = "by-several", on = OrderCreated, cancel_on = [ends::OrderWithdrawn, ends::OrderExpired])]
async fn by_several(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

/// The next one of its own type.
#[belts::function(id = "newest-only", on = OrderCreated, cancel_on = OrderCreated)]
async fn newest(order: OrderCreated) -> belts::Result<usize> {
    step!("count", order.order_id.len()).await
}

fn main() {
    let _ = (by_an_event, by_a_union, by_several, newest);
}
