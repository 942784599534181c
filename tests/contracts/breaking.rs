//! Changes that runs in flight do not go on with, each with what the check says of it.

use crate::{
    harmless::version,
    shop::{Order, Paid, Settled, Stock, audit, charge, refund, release, reserve, ship},
};

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, belts::Event)]
#[event(type = "contract-order", key = id)]
pub(crate) struct NarrowOrder {
    pub(crate) id: String,
    pub(crate) cents: u64,
    pub(crate) country: String,
}

/// An event with a field that none of those has that were published.
pub(crate) mod required_field {
    use super::NarrowOrder;
    use belts::step;

    #[belts::function(id = "contract-process", on = NarrowOrder)]
    pub(crate) async fn process(order: NarrowOrder) -> belts::Result<u64> {
        step!("reserve", order.country.len() as u64).await
    }
}

/// It takes another event.
pub(crate) mod other_event {
    use super::Settled;
    use belts::step;

    #[belts::function(id = "contract-process", on = Settled)]
    pub(crate) async fn process(settled: Settled) -> belts::Result<u64> {
        step!("reserve", settled.id.len() as u64).await
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct OtherPayment {
    number: String,
    cents: String,
}

version! {
    /// The type of a result that is recorded.
    other_type: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("log", ()).await?;
        let payment = step!("charge", OtherPayment { number: order.id.clone(), cents: "1".into() }).await?;
        step!("mail", payment.cents.len() as u64 + payment.number.len() as u64).await
    }
}

version! {
    /// The key of a step that is done.
    renamed_key: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("log", ()).await?;
        step!("charge-card", charge(&order)).await?;
        for parcel in 0..2 { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        start!("audit", audit(order.clone())).await?;
        race!("carrier", { fast = step!("ask-fast", 1_u32) => fast?, slow = sleep!("patience", "1h") => { slow?; 0 } }).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// A step's key for a sleep.
    other_kind: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        sleep!("log", "1s").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// A step's key for a sleep, behind a step that is new.
    other_kind_behind: order => {
        step!("check-fraud", true).await?;
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        sleep!("log", "1s").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// Another event for the wait that they are in.
    other_wait: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("log", ()).await?;
        step!("charge", charge(&order)).await?;
        wait!("paid", Settled, key = &order.id, timeout = "3d").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// The wait that they are in has no end any more.
    no_timeout: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("log", ()).await?;
        step!("charge", charge(&order)).await?;
        wait!("paid", Paid, key = &order.id).await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// Nothing says how a reservation is undone.
    no_undo: order => {
        step!("reserve", reserve(&order)).await?;
        step!("log", ()).await?;
        step!("charge", charge(&order)).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// The key of one call for another.
    other_call: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        start!("audit", refund(Settled { id: order.id.clone() })).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// The arm that has won is gone.
    winner_gone: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        race!("carrier", { slow = sleep!("patience", "1h") => { slow?; 0 } }).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// A loop that reaches one key twice.
    one_key_twice: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        for parcel in [0, 0] { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// It expects of recorded results what they are not.
    panics: order => {
        let stock = step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        assert!(stock.shelf > 100, "there are a hundred shelves");
        step!("mail", 1_u64).await
    }
}
