// Every word of the generated code is a constant, a function or a method here.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[allow(non_camel_case_types, non_upper_case_globals, dead_code)]
mod taken {
    pub const event: u8 = 1;
    pub const event_type: u8 = 1;
    pub const future: u8 = 1;
    pub const payload: u8 = 1;
    pub const result: u8 = 1;
    pub const step: u8 = 1;
    pub const tag: u8 = 1;
    pub const value: u8 = 1;
    pub static entered: u8 = 1;
    pub static error: u8 = 1;
    pub static run: u8 = 1;
    pub struct output;
}

mod functions {
    use super::Ordered;
    #[allow(unused_imports)]
    use super::taken::*;

    #[allow(dead_code)]
    trait Everything {
        fn attempt(&self) {}
        fn begin(&self) {}
        fn finish(&self) {}
        fn kind(&self) {}
        fn next(&self) {}
        fn only_future(&self) {}
        fn scope(&self) {}
        fn split(&self) {}
    }
    impl<T> Everything for T {}

    #[belts::steps]
    async fn helper(id: &str) -> belts::Result<usize> {
        Ok(belts::step!("length", id.len()).await.unwrap_or(0))
    }

    #[belts::function(id = "taken-all", on = Ordered, when = |ordered| !ordered.id.is_empty())]
    pub async fn taken_all(ordered: Ordered, cx: belts::Context) -> belts::Result<usize> {
        (&cx).kind();
        belts::sleep!("nap", "1s").await?;
        let one = belts::step!("one", async { ordered.id.len() }, retries = 3).await?;
        let two = belts::step!("two", ordered.id.parse::<usize>()).await?;
        let three = belts::scope!("three", helper(&ordered.id)).await?;
        Ok(one + two + three)
    }

    /// Called as what the generated code of other functions might name.
    #[belts::function(id = "call", on = Ordered)]
    pub async fn call(ordered: Ordered) -> belts::Result<usize> {
        belts::step!("length", ordered.id.len()).await
    }
}

fn main() {
    assert_eq!(belts::id_of(functions::taken_all), "taken-all");
    assert_eq!(belts::id_of(functions::call), "call");
}
