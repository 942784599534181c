// A variant wraps one event, and neither a box nor another enum makes one of several.
use belts::Event;

#[derive(Event)]
enum Inner {
    Opened { id: u32 },
    Closed { id: u32 },
}

#[derive(Event)]
enum Outer {
    Inner(Box<Inner>),
}

fn main() {}
