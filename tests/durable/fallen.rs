//! Where a panic happened, and that the program's own hook hears of it as before.

use std::{future::IntoFuture as _, panic, process::Command, sync::Mutex};

use belts::{Worker, step, store::Memory};

use crate::gated::{Named, named, within};

#[belts::function(id = "falls-at-a-place", on = Named, retries = 0)]
async fn falls(event: Named) -> belts::Result<u32> {
    match &*event.name {
        "in a step" => step!("fall", fall("met in a step"), retries = 0).await,
        "carried on" => step!("carry on", carry_on(), retries = 0).await,
        name => Ok(fall(&format!("met in the function: {name}"))),
    }
}

fn fall(why: &str) -> u32 {
    panic!("{why}")
}

fn carry_on() -> u32 {
    // Nobody met this one here.
    let other = std::thread::spawn(|| fall("met elsewhere"));
    panic::resume_unwind(other.join().unwrap_err())
}

async fn report(name: &str) -> String {
    let builder = Worker::builder().store(Memory::new()).function(falls);
    let worker = builder.build().await.unwrap();
    let call = falls(named(name)).via(&worker);
    let error = within("the run", call.into_future()).await.unwrap_err();
    error.report()
}

const HERE: &str = ", at tests/durable/fallen.rs:";

#[tokio::test]
async fn the_record_of_a_panic_says_where_it_happened() {
    let of_step = report("in a step").await;
    assert!(
        of_step.contains(&format!("panicked: met in a step{HERE}")),
        "{of_step}"
    );
    let of_function = report("b").await;
    let text = format!("panicked: met in the function: b{HERE}");
    assert!(of_function.contains(&text), "{of_function}");
}

#[tokio::test]
async fn a_panic_that_was_carried_from_another_thread_has_no_wrong_place() {
    let carried = report("carried on").await;
    assert!(carried.ends_with("panicked: met elsewhere"), "{carried}");
}

/// Not a test of its own: the process that the next test starts, since there is one hook in each.
#[tokio::test]
async fn child() {
    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    if std::env::var_os("BELTS_TEST_HOOKS").is_none() {
        return;
    }
    let listening = |who: &'static str| {
        Box::new(move |info: &panic::PanicHookInfo<'_>| {
            HEARD.lock().unwrap().push(format!("{who} {info}"));
        })
    };
    // One that the program has set before.
    panic::set_hook(listening("first"));
    assert!(report("early").await.contains(HERE));
    let heard = std::mem::take(&mut *HEARD.lock().unwrap());
    assert!(matches!(&heard[..], [one] if one.starts_with("first ") && one.contains("early")));
    // One that hands on, and one that does not and so has the last word.
    let others = panic::take_hook();
    let second = listening("second");
    panic::set_hook(Box::new(move |info| {
        second(info);
        others(info);
    }));
    assert!(report("wrapped").await.contains(HERE));
    let heard = std::mem::take(&mut *HEARD.lock().unwrap());
    let who: Vec<_> = heard
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(who, ["second", "first"]);
    panic::set_hook(listening("third"));
    assert!(
        report("late")
            .await
            .ends_with("panicked: met in the function: late")
    );
    let heard = std::mem::take(&mut *HEARD.lock().unwrap());
    assert!(matches!(&heard[..], [one] if one.starts_with("third ")));
    println!("all were heard");
}

#[test]
fn the_hook_of_the_program_hears_every_panic_as_before() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "fallen::child", "--nocapture"])
        .env("BELTS_TEST_HOOKS", "1");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("all were heard"),
        "{said}"
    );
}
