// Two enums in one module have a variant of one name: `#[event(publish = publish_user_created)]` on one of them.
use belts::Event;

#[derive(Event)]
enum OrderEvent {
    #[event(type = "order.created")]
    Created { id: u32 },
}

#[derive(Event)]
enum UserEvent {
    #[event(type = "user.created")]
    Created { id: u32 },
}

fn main() {}
