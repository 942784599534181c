// A result that is bound to a name first.
use belts::{Event, callback};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Filed {
    cents: u32,
}

#[belts::function(id = "expense", on = Filed)]
async fn expense(_: Filed) -> belts::Result<()> {
    let approval = callback!("approval", bool).await?;
    let result = approval.result();
    tokio::select! {
        one = result => { one?; }
        () = async {} => {}
    }
    Ok(())
}

fn main() {}
