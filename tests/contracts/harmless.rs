//! Ten changes that runs in flight go on with.

use crate::shop::{Order, Paid, Payment, Settled, Stock, audit, charge, release, reserve, ship};

/// A body of the function, of which each version has a part of its own.
macro_rules! version {
    ($(#[$meta:meta])* $name:ident: $order:ident => { $($body:tt)* }) => {
        $(#[$meta])*
        pub(crate) mod $name {
            #[allow(unused_imports, clippy::wildcard_imports)]
            use super::*;
            #[allow(unused_imports)]
            use belts::{Event, callback, call, race, scope, sleep, start, step, wait};

            #[belts::function(id = "contract-process", on = Order)]
            pub(crate) async fn process($order: Order) -> belts::Result<u64> { $($body)* }
        }
    };
}
pub(crate) use version;

version! {
    /// A line of the log, and an option of a step.
    log_and_options: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock), retries = 9, timeout = "10s").await?;
        step!("log", ()).await?;
        let payment = step!("charge", charge(&order)).await?;
        let cents = payment.cents;
        for parcel in 0..2 { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        start!("audit", audit(order.clone())).await?;
        race!("carrier", { fast = step!("ask-fast", 1_u32) => fast?, slow = sleep!("patience", "1h") => { slow?; 0 } }).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", cents).await
    }
}

version! {
    /// A step behind all that is recorded.
    added_behind: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("log", ()).await?;
        step!("charge", charge(&order)).await?;
        for parcel in 0..2 { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        start!("audit", audit(order.clone())).await?;
        race!("carrier", { fast = step!("ask-fast", 1_u32) => fast?, slow = sleep!("patience", "1h") => { slow?; 0 } }).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", 1_u64).await?;
        step!("survey", 2_u64).await
    }
}

version! {
    /// A step in front of much that is recorded.
    added_between: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("log", ()).await?;
        step!("check-fraud", true).await?;
        step!("charge", charge(&order)).await?;
        for parcel in 0..2 { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        start!("audit", audit(order.clone())).await?;
        race!("carrier", { fast = step!("ask-fast", 1_u32) => fast?, slow = sleep!("patience", "1h") => { slow?; 0 } }).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// A step that is gone.
    removed: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("charge", charge(&order)).await?;
        for parcel in 0..2 { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        start!("audit", audit(order.clone())).await?;
        race!("carrier", { fast = step!("ask-fast", 1_u32) => fast?, slow = sleep!("patience", "1h") => { slow?; 0 } }).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// Other places for the same steps, two of them side by side.
    reordered: order => {
        for parcel in 0..2 { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        tokio::try_join!(
            step!("charge", charge(&order)),
            step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)),
        )?;
        race!("carrier", { slow = sleep!("patience", "1h") => { slow?; 0 }, fast = step!("ask-fast", 1_u32) => fast? }).await?;
        step!("log", ()).await?;
        start!("audit", audit(order.clone())).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", 1_u64).await
    }
}

/// The same shape under another name.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Receipt {
    number: String,
    cents: u64,
}

version! {
    /// A result's type under another name.
    renamed_type: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("log", ()).await?;
        let receipt = step!("charge", Receipt { number: order.id.clone(), cents: 1 }).await?;
        for parcel in 0..2 { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        start!("audit", audit(order.clone())).await?;
        race!("carrier", { fast = step!("ask-fast", 1_u32) => fast?, slow = sleep!("patience", "1h") => { slow?; 0 } }).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", receipt.cents + receipt.number.len() as u64).await
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct WiderPayment {
    cents: u64,
    #[serde(default)]
    currency: Option<String>,
}

version! {
    /// A field that old results lack and one that new ones lack.
    optional_field: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("log", ()).await?;
        let payment = step!("charge", WiderPayment { cents: 1, currency: None }).await?;
        for parcel in 0..2 { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        start!("audit", audit(order.clone())).await?;
        race!("carrier", { fast = step!("ask-fast", 1_u32) => fast?, slow = sleep!("patience", "1h") => { slow?; 0 } }).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!("mail", payment.cents + payment.currency.as_ref().map_or(0, |it| it.len() as u64)).await
    }
}

version! {
    /// Another patience, and a filter, of the wait that they are in.
    other_timeout: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("log", ()).await?;
        let payment: Payment = step!("charge", charge(&order)).await?;
        for parcel in 0..2 { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        start!("audit", audit(order.clone())).await?;
        race!("carrier", { fast = step!("ask-fast", 1_u32) => fast?, slow = sleep!("patience", "2h") => { slow?; 0 } }).await?;
        wait!("paid", Paid, key = &order.id, when = |paid| paid.cents >= payment.cents, timeout = "7d").await?;
        step!("mail", 1_u64).await
    }
}

version! {
    /// A loop that goes further, an arm more in a race that is won, and a callback behind it all.
    longer_loop: order => {
        step!("reserve", reserve(&order), undo = |stock: Stock| release(stock)).await?;
        step!("log", ()).await?;
        step!("charge", charge(&order)).await?;
        start!("audit", audit(order.clone())).await?;
        race!("carrier", {
            fast = step!("ask-fast", 1_u32) => fast?,
            third = wait!("answer", Settled, key = &order.id) => { third?; 3 }
            slow = sleep!("patience", "1h") => { slow?; 0 }
        })
        .await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        for parcel in 0..5 { scope!("parcel-{parcel}", ship(&order, parcel)).await?; }
        let approved = callback!("approved", bool).await?;
        Ok(u64::from(approved.result().await?))
    }
}

/// The event of a later version.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, belts::Event)]
#[event(type = "contract-order", key = id)]
pub(crate) struct WiderOrder {
    pub(crate) id: String,
    pub(crate) cents: u64,
    #[serde(default)]
    pub(crate) coupon: Option<String>,
}

/// An event with a field more, an undo that is new, and a helper in place of a loop.
pub(crate) mod wider_event {
    use super::{Stock, WiderOrder, release};
    use crate::shop::{Order, Paid, audit, charge, reserve, ship};
    use belts::{race, scope, sleep, start, step, wait};

    #[belts::function(id = "contract-process", on = WiderOrder, retries = 9, max_steps = 500)]
    pub(crate) async fn process(order: WiderOrder) -> belts::Result<u64> {
        let WiderOrder { id, cents, coupon } = order;
        let order = Order { id, cents };
        step!(
            "reserve",
            reserve(&order),
            undo = |stock: Stock| release(stock)
        )
        .await?;
        step!("log", ()).await?;
        let payment = step!(
            "charge",
            charge(&order),
            undo = |payment: crate::shop::Payment| async move {
                drop(payment);
            }
        );
        payment.await?;
        tokio::try_join!(
            scope!("parcel-0", ship(&order, 0)),
            scope!("parcel-1", ship(&order, 1)),
        )?;
        start!("audit", audit(order.clone())).await?;
        race!("carrier", { fast = step!("ask-fast", 1_u32) => fast?, slow = sleep!("patience", "1h") => { slow?; 0 } }).await?;
        wait!("paid", Paid, key = &order.id, timeout = "3d").await?;
        step!(
            "mail",
            coupon.as_ref().map_or(0, |coupon| coupon.len() as u64)
        )
        .await
    }
}
