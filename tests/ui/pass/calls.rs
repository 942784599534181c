// What `call!` and `start!` take.
use belts::{Event, RunHandle, call, race, scope, sleep, start};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct PaymentRequested {
    cents: u32,
}

#[derive(Debug, Event)]
enum Request {
    Payment(PaymentRequested2),
    Refund(Refund),
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct PaymentRequested2 {
    cents: u32,
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Refund {
    cents: u32,
}

#[derive(Serialize, Deserialize, Event)]
struct OrderCreated {
    cents: Vec<u32>,
}

#[belts::function(id = "charge", on = PaymentRequested)]
async fn charge(payment: PaymentRequested) -> belts::Result<u32> {
    Ok(payment.cents)
}

#[belts::function(id = "either", on = Request)]
async fn either(request: Request) -> Result<String, std::io::Error> {
    Ok(format!("{request:?}"))
}

fn payment(cents: u32) -> PaymentRequested {
    PaymentRequested { cents }
}

#[belts::steps]
async fn pay_all(cents: &[u32]) -> belts::Result<u32> {
    let mut all = 0;
    for (n, cents) in cents.iter().enumerate() {
        all += call!("pay-{n}", charge(payment(*cents)), retries = 1).await?;
    }
    Ok(all)
}

#[belts::function(id = "order", on = OrderCreated)]
async fn order(order: OrderCreated) -> belts::Result<u32> {
    let first = charge(payment(order.cents[0])).retries(2);
    let first = call!("first", first, timeout = "1h", detached).await?;
    let limit = std::time::Duration::from_secs(3);
    let wait = call!("second", charge(payment(1)), timeout = limit, detached = false);
    let run: RunHandle<String> = start!("text", either(Request::Refund(Refund { cents: 3 })), attached, retries = 0).await?;
    let (second, text) = tokio::try_join!(wait, run.result())?;
    let again = belts::call!("again", charge(payment(2)));
    let won = race!("first-of", {
        again = again => again?,
        other = call!("other", charge(payment(4))) => other?,
        handled = run.result() => handled?.len() as u32,
        late = sleep!("late", "1h") => { late?; 0 }
    })
    .await?;
    let scoped = scope!("all", pay_all(&order.cents)).await?;
    let within = run.result_within("2d").await?;
    Ok(first + second + won + scoped + text.len() as u32 + within.map_or(0, |it| it.len() as u32))
}

fn main() {}
