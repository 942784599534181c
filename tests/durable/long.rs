//! Functions of so many steps that the macro puts them into blocks.

use belts::{
    Worker, sleep, step,
    store::{Memory, RunStatus},
};

use crate::gated::{Named, effect, effects, named, within};

fn add(name: &str, to: u64) -> u64 {
    effect(format!("{name} {to}"));
    to + 1
}

async fn add_later(name: String, to: u64) -> belts::Result<u64> {
    tokio::task::yield_now().await;
    Ok(add(&name, to))
}

/// Fails the first time.
fn brittle(name: &str) -> Result<(), String> {
    effect(format!("{name} ends"));
    match effects(&format!("{name} ends")) {
        1 => Err("not yet".to_owned()),
        _ => Ok(()),
    }
}

/// A function with a step for each key, between steps in every form that a block takes.
macro_rules! long {
    ($($key:literal)*) => {
        #[belts::function(id = "long", on = Named, retries = 0)]
        async fn long(event: Named) -> belts::Result<u64> {
            let name = &event.name;
            let owned = event.name.clone();
            let sum = 0;
            step!("bare", effect(format!("{name} bare"))).await?;
            let mut list: Vec<u64> = step!("typed", vec![add(name, sum)]).await?;
            list.push(1);
            $(let sum = step!($key, add(name, sum)).await?;)*
            let sum = step!("moved", move add_later(owned.clone(), sum)).await?;
            let sum = step! { "braced", add_later(name.clone(), sum), timeout = "5s" }.await?;
            sleep!("short", "1ms").await?;
            let sum = belts::step!["bracketed", async { Ok(add(name, sum)) }].await?;
            step! { "statement in braces", effect(format!("{name} statement")) }.await?;
            step!("last", brittle(name), retries = 0).await.ok();
            let ends = step!("whole", brittle(name), retries = 0).await.is_ok();
            Ok(sum + list.iter().sum::<u64>() + u64::from(ends))
        }
    };
}

long! {
    "01" "02" "03" "04" "05" "06" "07" "08" "09" "10" "11" "12" "13" "14" "15" "16" "17" "18" "19" "20" "21" "22" "23" "24" "25"
    "26" "27" "28" "29" "30" "31" "32" "33" "34" "35" "36" "37" "38" "39" "40" "41" "42" "43" "44" "45" "46" "47" "48" "49" "50"
}

/// What is awaited in its place, and not as a future of its own, is recorded and replayed as any other step.
#[tokio::test]
async fn each_step_of_a_long_function_runs_once_in_whatever_form_it_is_written() {
    let builder = Worker::builder().store(Memory::new()).function(long);
    let worker = builder.build().await.unwrap();
    let execute = || worker.execute(named("long")).run_id("long-1");
    // It stops within a block, and begins with a replay when it goes on.
    let half = within("the first half", execute().until("25"))
        .await
        .unwrap();
    assert_eq!(half.runs[0].status, RunStatus::Stopped);
    // The step `25` adds to 24.
    assert_eq!((effects("long 24"), effects("long 25")), (1, 0));
    let whole = within("the rest", execute()).await.unwrap();
    // 50 steps and three more, the list of two ones, and the second try at the end.
    assert_eq!(whole.output::<u64>("long").unwrap(), 53 + 2 + 1);
    for done in ["bare", "statement"] {
        assert_eq!(effects(&format!("long {done}")), 1);
    }
    // The list began at nought as well.
    assert_eq!(effects("long 0"), 2);
    for to in 1..53 {
        assert_eq!(effects(&format!("long {to}")), 1, "{to}");
    }
    let journal = worker.store().journal("long-1").await.unwrap();
    assert_eq!(journal.len(), 2 + 50 + 3 + 1 + 1 + 2);
}
