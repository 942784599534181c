// Two functions and two events in one module; an error enum of thiserror.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct HTTPPing {}

#[derive(Serialize, Deserialize, Event)]
struct Pong {
    r#ref: String,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("a step failed")]
    Step(#[from] belts::Error),
    #[error("other")]
    Other,
}

#[belts::function(id = "ping", on = HTTPPing)]
async fn ping(_: HTTPPing) -> Result<u8, Failure> {
    let value = step!("value", Err::<u8, _>(Failure::Other)).await?;
    Ok(value)
}

#[belts::function(id = "pong", on = Pong)]
async fn pong(pong: Pong) -> belts::Result<String> {
    Ok(pong.r#ref)
}

fn main() {
    assert_eq!(HTTPPing::TYPE, "http-ping");
    let _ = (publish_http_ping, publish_pong);
    let _ = (belts::id_of(ping), belts::id_of(pong));
}
