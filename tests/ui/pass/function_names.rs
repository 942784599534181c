// A function's name is a fn: patterns, bindings and parameters of its name mean what they say, and it breaks no neighbour.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ping {
    n: u32,
}

mod taken {
    use super::{Deserialize, Event, Ping, Serialize, step};
    use belts::scope;

    #[belts::function(id = "value", on = Ping)]
    pub async fn value(ping: Ping) -> belts::Result<u32> {
        step!("a", ping.n).await
    }
    #[belts::function(id = "event", on = Ping)]
    pub async fn event(ping: Ping) -> belts::Result<u32> {
        step!("a", ping.n).await
    }
    #[belts::function(id = "output", on = Ping)]
    pub async fn output(ping: Ping) -> belts::Result<u32> {
        step!("a", ping.n).await
    }
    #[belts::function(id = "result", on = Ping)]
    pub async fn result(ping: Ping) -> belts::Result<u32> {
        step!("a", ping.n).await
    }
    #[belts::function(id = "run", on = Ping)]
    pub async fn run(ping: Ping) -> belts::Result<u32> {
        step!("a", ping.n).await
    }
    #[belts::function(id = "step", on = Ping)]
    pub async fn step(ping: Ping) -> belts::Result<u32> {
        step!("a", ping.n).await
    }
    #[belts::function(id = "payload", on = Ping)]
    pub async fn payload(ping: Ping) -> belts::Result<u32> {
        scope!("b", helper(ping.n)).await
    }
    #[belts::function(id = "parcel", on = Ping)]
    pub async fn parcel(Ping { n }: Ping) -> belts::Result<u32> {
        Ok(n)
    }

    #[belts::steps]
    async fn helper(n: u32) -> belts::Result<u32> {
        step!("a", n).await
    }

    #[derive(Serialize, Deserialize, Event)]
    pub struct Other {
        pub value: String,
        pub payload: u32,
    }

    #[derive(Event)]
    pub enum Parcels {
        Sent { parcel: String, event: u32, output: u32 },
    }
}

#[belts::function(id = "invoice", on = Ping)]
async fn invoice(ping: Ping) -> belts::Result<u32> {
    step!("a", ping.n).await
}

fn total(invoice: u32) -> u32 {
    let value = invoice;
    match value {
        invoice => invoice,
    }
}

#[belts::function(id = "own-name", on = Ping)]
async fn own_name(own_name: Ping) -> belts::Result<u32> {
    let again = |n| belts::id_of(self::own_name).len() as u32 + n;
    step!("a", again(own_name.n)).await
}

fn lengths<M, F: belts::Function<M>>(function: F) -> usize {
    belts::id_of(function).len()
}

fn main() {
    let invoice = 5;
    assert_eq!(total(invoice), 5);
    assert_eq!(belts::id_of(self::invoice), "invoice");
    assert_eq!(lengths(taken::value) + lengths(own_name), "valueown-name".len());
    // Nothing runs here.
    drop(self::invoice(Ping { n: 1 }).run_id("i-1").retries(2));
    let _ = (taken::event, taken::output, taken::result, taken::run, taken::step, taken::payload, taken::parcel);
    let _ = (taken::publish_other, taken::publish_sent);
}
