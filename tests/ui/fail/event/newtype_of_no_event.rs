// A variant with one field wraps an event.
use belts::Event;

#[derive(Event)]
enum Order {
    Ordered(String),
}

fn main() {}
