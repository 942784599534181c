// An enum of events is written by belts, and takes of serde's attributes what says how fields are written.
use belts::Event;

#[derive(Event)]
#[serde(rename_all = "snake_case", tag = "kind", untagged)]
#[serde(rename_all_field = "camelCase")]
#[serde(rename_all_fields)]
enum OrderEvent {
    Cancelled { order_id: String },
}

fn main() {}
