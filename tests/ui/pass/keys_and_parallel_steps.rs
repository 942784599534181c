// Keys with captures, and steps inside other macros and closures.
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::time::{Duration, SystemTime};

use belts::{Event, sleep, sleep_until, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    items: Vec<String>,
}

async fn ship(item: &str) -> belts::Result<usize> {
    Ok(item.len())
}

const WAIT: Duration = Duration::from_secs(5);

#[belts::function(id = "parallel", on = Ordered)]
async fn parallel(ordered: Ordered) -> belts::Result<String> {
    let (a, b) = tokio::try_join!(step!("a", ship("a")), belts::step!("b", ship("b"), retries = 5))?;
    let all: Vec<_> = ordered.items.iter().map(|item| step!("ship-{item}", move ship(item))).collect();
    let mut sum = 0;
    for future in all {
        sum += future.await?;
    }
    for (n, item) in ordered.items.iter().enumerate() {
        sum += step!("again-{n:03}", ship(item), timeout = "30s", backoff = "1s..60s").await?;
        sleep!("wait-{n}", WAIT).await?;
    }
    let list = vec![step!("v", ship("v")).await?, step!("w", ship("w")).await?].len();
    let list = list + [::belts::step!("x", ship("x")).await?].len();
    sleep!("pause", "1h30m").await?;
    sleep_until!("opening", SystemTime::UNIX_EPOCH + WAIT).await?;
    step!("{{literally}}", (), timeout = WAIT, retries = 2 + 3).await?;
    Ok(format!("{a} {b} {sum} {list} {}", step!("in format", "text".to_owned()).await?))
}

fn main() {}
