// Callbacks of any owned type, in helpers, in races, with pages.
use belts::{Callback, Event, callback, race, scope, sleep, step, steps};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Serialize, Deserialize, Event)]
struct Filed {
    name: String,
    cents: u32,
}

#[derive(Debug, Serialize, Deserialize)]
enum Decision {
    Approve,
    Reject,
}

#[derive(Debug, Deserialize)]
struct Answer<T> {
    #[allow(dead_code)]
    value: Option<T>,
}

#[belts::function(id = "expense", on = Filed)]
async fn expense(filed: Filed) -> belts::Result<String> {
    let Filed { name, cents } = &filed;
    let approval = callback!("approval", Decision, page = "{name}: {cents:>5} cents?").await?;
    step!("ask", println!("{}", approval.id())).await?;
    let list = belts::callback!("list", Vec<(String, u32)>).await?;
    let nothing: Callback<()> = callback!("nothing", ()).await?;
    let of = callback!("of", Answer<Decision>).await?;
    let outcome = race!("decision", {
        decided = approval.result() => format!("{:?}", decided?),
        listed = list.result_within("2d") => format!("{:?}", listed?),
        inside = async {
            let inner = callback!("inner", [u8; 4]).await?;
            inner.result_within(Duration::from_secs(3)).await
        } => format!("{:?}", inside?),
        late = sleep!("late", "3d") => { late?; String::new() }
    })
    .await?;
    let (one, other) = tokio::join!(nothing.result(), of.result());
    (one?, other?);
    for n in 0..3 {
        let vote = callback!("vote-{n}", bool).await?;
        let again = vote.clone();
        scope!("wait-{n}", wait_for(&again, n)).await?;
    }
    // Another's `result` may be raced with whatever.
    let own = Own;
    tokio::select! {
        () = own.result() => {}
        () = std::future::ready(()) => {}
    }
    Ok(outcome)
}

struct Own;

impl Own {
    async fn result(&self) {}
}

#[steps]
async fn wait_for(vote: &Callback<bool>, n: u32) -> belts::Result<bool> {
    let second = callback!("second-{n}", bool).await?;
    Ok(vote.result().await? && second.result().await?)
}

fn main() {
    let _ = expense;
    let _ = (Decision::Approve, Decision::Reject);
}
