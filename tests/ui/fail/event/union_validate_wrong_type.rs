// `validate` of an enum takes the enum.
use belts::Event;

#[derive(Event)]
#[event(validate = check)]
enum OrderEvent {
    Cancelled { order_id: String },
}

fn check(order_id: &String) -> Result<(), String> {
    (!order_id.is_empty()).then_some(()).ok_or_else(|| "no id".into())
}

fn main() {}
