// belts under another path.
#![forbid(unsafe_code)]
#![deny(warnings)]

mod vendored {
    pub use belts as kit;
}

use serde::{Deserialize, Serialize};
use vendored::kit::{Event, scope, step};

#[derive(Serialize, Deserialize, Event)]
#[event(crate = crate::vendored::kit)]
struct Ping {}

#[derive(Event)]
#[event(crate = vendored::kit)]
enum Any {
    Ping(Ping),
    Pong { n: u32 },
}

#[vendored::kit::steps(crate = vendored::kit)]
async fn helper(n: u32) -> vendored::kit::Result<u32> {
    vendored::kit::step!("n", n).await
}

#[vendored::kit::function(id = "any", on = Any, crate = crate::vendored::kit)]
async fn any(event: Any) -> vendored::kit::Result<u32> {
    let n = match event {
        Any::Ping(Ping {}) => 0,
        Any::Pong { n } => n,
    };
    step!("n", n).await?;
    scope!("helper", helper(n)).await
}

fn main() {
    let _ = (belts::id_of(any), publish_ping, publish_pong);
}
