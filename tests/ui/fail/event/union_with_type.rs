// A union is no event of one type.
use belts::Event;

#[derive(Event)]
#[event(type = "order")]
enum Order {
    Created { id: String },
}

#[derive(Event)]
enum Nothing {}

fn main() {}
