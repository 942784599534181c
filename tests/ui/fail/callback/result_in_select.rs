// The results of callbacks, of which whichever is first wins.
use belts::{Event, callback};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Filed {
    cents: u32,
}

#[belts::function(id = "expense", on = Filed)]
async fn expense(_: Filed) -> belts::Result<()> {
    let approval = callback!("approval", bool).await?;
    let other = callback!("other", bool).await?;
    tokio::select! {
        one = approval.result() => { one?; }
        two = async { other.result_within("1h").await } => { two?; }
    }
    Ok(())
}

fn main() {}
