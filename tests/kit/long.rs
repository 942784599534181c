//! A function of so many steps that they are put into blocks for rustc: it means what it says all the same.

use belts::{Event, sleep, step, testing::Harness};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, Event)]
struct LongOrdered {
    n: u64,
    name: String,
}

#[derive(Debug)]
struct Fails(String);

impl From<belts::Error> for Fails {
    fn from(error: belts::Error) -> Self {
        Self(error.report())
    }
}

impl std::fmt::Display for Fails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fails {}

impl Fails {
    fn unless(good: bool) -> Result<(), Self> {
        if good {
            Ok(())
        } else {
            Err(Self("it went well".to_owned()))
        }
    }
}

async fn plus(a: &u64, b: u64) -> u64 {
    std::future::ready(a + b).await
}

#[belts::function(id = "long", on = LongOrdered)]
async fn long(order: LongOrdered) -> Result<String, Fails> {
    let mut log: Vec<u64> = Vec::new();
    step!("a0", log.push(order.n)).await?;
    step!("a1", log.push(order.n)).await?;
    step!("a2", log.push(order.n)).await?;
    step!("a3", log.push(order.n)).await?;
    step!("a4", log.push(order.n)).await?;
    step!("a5", log.push(order.n)).await?;
    step!("a6", log.push(order.n)).await?;
    step!("a7", log.push(order.n)).await?;
    step!("a8", log.push(order.n)).await?;
    step!("a9", log.push(order.n)).await?;
    step!("a10", log.push(order.n)).await?;
    step!("a11", log.push(order.n)).await?;
    step!("a12", log.push(order.n)).await?;
    step!("a13", log.push(order.n)).await?;
    step!("a14", log.push(order.n)).await?;
    step!("a15", log.push(order.n)).await?;
    step!("a16", log.push(order.n)).await?;
    step!("a17", log.push(order.n)).await?;
    step!("a18", log.push(order.n)).await?;
    step!("a19", log.push(order.n)).await?;
    let mut names: Vec<String> = step!("names", vec![order.name.clone()]).await?;
    step!("name", names.push("more".to_owned())).await?;
    let count = step!("count", names.len() as u64).await?;
    let count = step!("b0", plus(&count, 1)).await?;
    let count = step!("b1", plus(&count, 1)).await?;
    let count = step!("b2", plus(&count, 1)).await?;
    let count = step!("b3", plus(&count, 1)).await?;
    let count = step!("b4", plus(&count, 1)).await?;
    let count = step!("b5", plus(&count, 1)).await?;
    let count = step!("b6", plus(&count, 1)).await?;
    let count = step!("b7", plus(&count, 1)).await?;
    let count = step!("b8", plus(&count, 1)).await?;
    let count = step!("b9", plus(&count, 1)).await?;
    sleep!("pause", "1s").await?;
    let label = order.name;
    let c0 = belts::step!("c0", move plus(&count, 0)).await?;
    belts::step!("c1", move plus(&count, 1)).await?;
    belts::step!("c2", move plus(&count, 2)).await?;
    belts::step!("c3", move plus(&count, 3)).await?;
    belts::step!("c4", move plus(&count, 4)).await?;
    belts::step!("c5", move plus(&count, 5)).await?;
    belts::step!("c6", move plus(&count, 6)).await?;
    belts::step!("c7", move plus(&count, 7)).await?;
    belts::step!("c8", move plus(&count, 8)).await?;
    belts::step!("c9", move plus(&count, 9)).await?;
    belts::step!("c10", move plus(&count, 10)).await?;
    belts::step!("c11", move plus(&count, 11)).await?;
    belts::step!("c12", move plus(&count, 12)).await?;
    belts::step!("c13", move plus(&count, 13)).await?;
    let c14 = belts::step!("c14", move plus(&count, 14)).await?;
    let label = step!("label", format!("{label}-{count}-{c0}-{c14}")).await?;
    let failed = step!("fails", Err::<(), _>("no"), retries = 0).await;
    step!("last", Fails::unless(failed.is_err())).await?;
    Ok(format!("{label} {} {names:?}", log.len()))
}

#[tokio::test]
async fn many_steps_in_a_row_see_what_they_bind_and_change() {
    let order = LongOrdered {
        n: 7,
        name: "ada".to_owned(),
    };
    let harness = Harness::new().await.unwrap();
    let run = harness.run(long, order).run_id("long-1").await.unwrap();
    assert_eq!(run.output().unwrap(), "ada-12-12-26 20 [\"ada\", \"more\"]");
    let (first, last) = (run.evaluations("a0"), run.evaluations("last"));
    assert_eq!((first, last), (1, 1));
}

#[tokio::test]
async fn an_error_among_many_steps_ends_the_function_as_anywhere() {
    let order = LongOrdered {
        n: 7,
        name: "ada".to_owned(),
    };
    let harness = Harness::builder().preset_error("b3", "no sums today");
    let harness = harness.build().await.unwrap();
    let run = harness.run(long, order).await.unwrap();
    run.assert_failed();
    assert_eq!(run.attempts("b3"), 4);
    assert_eq!(run.attempts("b4"), 0);
}
