// All four kinds of expression, temporaries and borrowed locals.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

async fn plain(id: &str) -> usize {
    id.len()
}

async fn fallible(id: &str) -> Result<usize, std::io::Error> {
    Ok(id.len())
}

fn parsed(id: &str) -> Result<u32, std::num::ParseIntError> {
    id.parse()
}

/// Neither `Send` nor anything that may live across an `await`.
struct Dice(std::rc::Rc<u32>);

impl Dice {
    fn roll(&mut self) -> u32 {
        *self.0
    }
}

#[belts::function(id = "expressions", on = Ordered)]
async fn expressions(ordered: Ordered) -> belts::Result<usize> {
    let future_of_value: usize = step!("a", plain(&ordered.id)).await?;
    let future_of_result: usize = step!("b", fallible(&ordered.id)).await?;
    let value: usize = step!("c", ordered.id.len()).await?;
    let result: u32 = step!("d", parsed(&ordered.id)).await?;
    let block = step!("e", async { plain(&ordered.id).await + value }).await?;
    let tried = step!("f", async {
        let one = fallible(&ordered.id).await?;
        Ok::<_, anyhow::Error>(one + future_of_value)
    })
    .await?;
    let temporary = step!("g", plain(&format!("{}-{result}", ordered.id))).await?;
    let not_send = step!("h", Dice(std::rc::Rc::new(4)).roll()).await?;
    let lock = std::sync::Mutex::new(vec![1]);
    let locked = step!("i", lock.lock().map(|list| list.len()).unwrap_or(0)).await?;
    let guard = step!("j", lock.lock().expect("no panic").len()).await?;
    let number = step!("k", 5).await?;
    let unit = step!("l", ()).await;
    let optional = step!("m", Some(1_u8)).await?.is_some();
    let matched = match step!("n", fallible(&ordered.id)).await {
        Ok(length) => length,
        Err(error) if error.is_retryable() => 0,
        Err(_) => 1,
    };
    let early = step!("o", Ok::<_, belts::Error>(belts::Result::<usize>::Ok(1)? + 1)).await?;
    let boxed = step!("p", Box::pin(plain("x"))).await?;
    let dynamic = step!("q", Err::<u8, Box<dyn std::error::Error + Send + Sync>>("no".into())).await;
    let _ = (unit, optional, not_send, dynamic);
    Ok(block + tried + temporary + locked + guard + number + future_of_result + matched + early + boxed)
}

fn main() {
    assert_eq!(belts::id_of(expressions), "expressions");
}
