// Races in every form.
use belts::{Event, race, scope, sleep, sleep_until, step, wait};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(key = id)]
struct Ordered {
    id: String,
    number: u32,
}

#[derive(Serialize, Deserialize, Event)]
#[event(key = order)]
struct Paid {
    order: String,
    cents: u32,
}

#[derive(Debug)]
enum Outcome {
    Paid(u32),
    Scored(u32),
    Expired,
}

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

fn check(cents: u32) -> Result<u32, Refused> {
    (cents > 0).then_some(cents).ok_or(Refused)
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered) -> belts::Result<u32> {
    let outcome = race!("decision", {
        paid = wait!("payment", Paid, key = &order.id) => Outcome::Paid(paid?.cents),
        scored = step!("score", score(&order)) => Outcome::Scored(scored?),
        late = sleep!("deadline", "3d") => { late?; Outcome::Expired }
    })
    .await?;
    let cents = match outcome {
        Outcome::Paid(cents) | Outcome::Scored(cents) => cents,
        Outcome::Expired => 0,
    };
    scope!("forms", forms(&order, cents)).await
}

async fn score(order: &Ordered) -> Result<u32, Refused> {
    Ok(order.number)
}

#[belts::steps]
async fn forms(order: &Ordered, cents: u32) -> belts::Result<u32> {
    let (mut sum, least) = (0, 100);
    let names = vec!["a".to_owned(), "b".to_owned()];
    // One arm; a block; an arm and its handler use the same keys as others; handlers change locals.
    let one: u32 = race!("one", { score = step!("score", score(order)) => score? }).await?;
    belts::race!("block", {
        both = async {
            let first = step!("score", score(order)).await?;
            for name in &names {
                step!("name-{name}", name.len()).await?;
            }
            Ok::<_, belts::Error>(first)
        } => { sum += both?; },
        late = sleep_until!("late", std::time::SystemTime::UNIX_EPOCH) => {
            late?;
            sum += check(cents)?;
        }
    })
    .await?;
    // In a loop, with other errors, with what a handler awaits, with raw names.
    for name in &names {
        let more = race!("each-{name}", {
            r#type = wait!("payment", Paid, key = &order.id, when = |paid| paid.cents > least) => {
                let paid = r#type?;
                step!("note-{name}", paid.cents).await?
            }
            other = scope!("other", helper(order)) => check(other?)?,
        });
        sum += more.await?;
    }
    // In a race, and beside others.
    let inner = race!("outer", {
        inner = race!("inner", {
            a = step!("a", 1) => a?,
            b = step!("b", 2) => b? + 1,
        }) => inner?,
        c = step!("c", 3) => if c? > 2 { 1 } else { 0 },
    });
    let (inner, beside) = tokio::try_join!(inner, step!("beside", 5))?;
    // What the future owns.
    let moved = race!("moved", move {
        only = step!("only", move names.len()) => only?,
    })
    .await?;
    // Loops and blocks of an arm's own may be left.
    let found = race!("found", {
        found = step!("find", 7) => {
            let mut n = found?;
            loop {
                n += 1;
                if n > 8 { break n; }
            }
        },
        never = async { std::future::pending::<()>().await } => { let () = never; 0 }
    })
    .await?;
    Ok(sum + one + inner + beside + found + u32::try_from(moved).unwrap_or(0))
}

/// The keys of an arm are under that of its race, so they are what they are in each round; so are those of a race within.
#[belts::steps]
async fn rounds(order: &Ordered) -> belts::Result<u32> {
    let mut sum = 0;
    for n in 0..3 {
        sum += race!("round-{n}", {
            scored = step!("score", order.number) => scored?,
            helped = scope!("help", helper(order)) => helped?,
            block = async {
                sleep!("pause", "1m").await?;
                race!("inner", {
                    paid = wait!("payment", Paid, key = &order.id) => paid?.cents,
                    slow = step!("score", 1) => slow?,
                })
                .await
            } => block?,
            late = sleep!("pause", "1h") => {
                late?;
                step!("late-{n}", 1).await?
            }
        })
        .await?;
    }
    // The same keys once more: at run time each round has another number.
    for n in 3..5 {
        sum += race!("round-{n}", {
            scored = step!("score", order.number) => scored?,
            late = sleep!("pause", "1h") => { late?; 1 }
        })
        .await?;
    }
    Ok(sum)
}

/// Futures that are bound to names may be joined, and what is theirs may be awaited before a `select!`.
#[belts::steps]
async fn bound(order: &Ordered) -> belts::Result<u32> {
    let (one, two) = (step!("one", 1), step!("two", 2));
    let three = step!("three", 3);
    let four = async { step!("four", order.number).await };
    let (one, two, three, four) = tokio::try_join!(one, two, three, four)?;
    let five = step!("five", 5);
    let five = five.await?;
    let sum = tokio::select! {
        five = std::future::ready(five) => five,
        three = async { three } => three,
    };
    // An arm's future may hold what is awaited in it.
    let six = race!("six", {
        block = { let n = order.number; async move { check(n) } } => block?,
    })
    .await?;
    Ok(sum + one + two + four + six)
}

#[belts::steps]
async fn helper(order: &Ordered) -> belts::Result<u32> {
    Ok(wait!("payment", Paid, key = &order.id).await?.cents)
}

fn main() {}
