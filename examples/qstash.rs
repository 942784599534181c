//! A worker on QStash: events go to the service, which keeps them and posts them to this program.
//!
//! With the values that the console of QStash shows, and a URL at which the service reaches this machine, such as that of a
//! tunnel to port 8787:
//! ```text
//! export QSTASH_URL=https://qstash-us-east-1.upstash.io   # the URL of the region
//! export QSTASH_TOKEN=…
//! export QSTASH_CURRENT_SIGNING_KEY=sig_…
//! export QSTASH_NEXT_SIGNING_KEY=sig_…
//! export BELTS_URL=https://….example
//! cargo run --example qstash
//! ```
//! `ADDRESS` sets another listening address than 127.0.0.1:8787.
//!
//! It publishes one event and waits for the delivery. Anyone with the token can publish another:
//! ```text
//! curl "$QSTASH_URL/v2/publish/$BELTS_URL" -H "authorization: Bearer $QSTASH_TOKEN" \
//!     -H 'content-type: application/json' -d '{"event": {"type": "invoice-due", "number": 8}}'
//! ```

use std::time::Duration;

use anyhow::Context as _;
use belts::{
    Event, Worker,
    dispatch::{Qstash, QstashOptions},
    sleep, step,
    store::Sqlite,
};
use serde::{Deserialize, Serialize};

/// An invoice is to be paid.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct InvoiceDue {
    number: u32,
}

#[belts::function(id = "remind", on = InvoiceDue)]
async fn remind(invoice: InvoiceDue) -> belts::Result<()> {
    let number = invoice.number;
    step!("first", println!("invoice {number}: a friendly letter")).await?;
    sleep!("patience", "10s").await?;
    step!("second", println!("invoice {number}: a letter")).await
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("BELTS_URL").context("set BELTS_URL")?;
    let worker = Worker::builder()
        .store(Sqlite::open(std::env::temp_dir().join("belts-qstash.db")).await?)
        // `BELTS_DISPATCHER=qstash` and `belts::serve()` do the same.
        .dispatcher(Qstash::from_env(url)?)
        .build()
        .await?;
    let published = publish_invoice_due(InvoiceDue { number: 7 })
        .delay(Duration::from_secs(3))
        .option(QstashOptions::new().label("invoices").retries(5))
        .via(&worker)
        .await?;
    println!("published {}; end this with Ctrl-C", published.event_id);
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8787".to_owned());
    worker.serve(address).await?;
    Ok(())
}
