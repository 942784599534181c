// A block need not name its error, and `?` in an expression takes every one.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

async fn charge(id: &str) -> Result<usize, std::io::Error> {
    Ok(id.len())
}

#[belts::function(id = "charged", on = Ordered)]
async fn charged(ordered: Ordered) -> belts::Result<usize> {
    let id = &ordered.id;
    let block = step!("block", async {
        let length = charge(id).await?;
        println!("{length}");
        Ok(length)
    })
    .await?;
    let several = step!("several", async {
        if block > 1 {
            charge(id).await?;
        }
        let number: usize = id.parse()?;
        Ok(vec![number])
    })
    .await?;
    let named = step!("named", async { Ok::<_, anyhow::Error>(id.parse::<usize>()?) }).await?;
    let bailing = step!("bailing", async {
        anyhow::ensure!(named > 1, "too few");
        Ok(named)
    })
    .await?;
    let tried = step!("tried", charge(id).await?).await?;
    let parsed: usize = step!("parsed", id.parse()).await?;
    Ok(block + several[0] + bailing + tried + parsed)
}

fn main() {
    assert_eq!(belts::id_of(charged), "charged");
}
