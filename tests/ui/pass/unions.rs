// Enums of events, with serde attributes on the fields, and functions that take part of them.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, EventSet};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
pub struct OrderCreated {
    pub id: String,
}

#[derive(Debug, PartialEq, Event)]
#[serde(rename_all_fields = "camelCase")]
pub enum OrderEvent {
    OrderCreated(OrderCreated),
    #[event(type = "order.cancelled", key = order_id)]
    Cancelled {
        order_id: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
        #[serde(default = "one", with = "as_text")]
        times: u32,
    },
    Closed,
    Emptied {},
}

fn one() -> u32 {
    1
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[belts::function(id = "whole-union", on = OrderEvent)]
async fn whole_union(event: OrderEvent) -> belts::Result<bool> {
    Ok(matches!(event, OrderEvent::Closed))
}

#[derive(Serialize, Deserialize, Event)]
struct Other {}

#[derive(Event)]
#[allow(dead_code)]
enum Wider {
    Order(OrderCreated),
    Other(Other),
}

#[belts::function(id = "some", on = [OrderCreated, Other], when = |event| matches!(event, Wider::Other(_)))]
async fn some(_event: Wider) -> belts::Result<()> {
    Ok(())
}

fn main() {
    assert_eq!(OrderEvent::TYPES, ["order-created", "order.cancelled", "closed", "emptied"]);
    let _ = (publish_cancelled, publish_closed, publish_emptied, publish_order_created);
    let _ = (belts::id_of(whole_union), belts::id_of(some));
}
