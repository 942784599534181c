//! The shop: an axum application with a worker in it.

use anyhow::Context as _;
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use belts::{
    Context, Event, Worker,
    sqlx::{self, PgPool},
    step,
    store::Postgres,
    transaction,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::provider;

pub(crate) const DATABASE: &str = "DATABASE_URL";

/// The shop's own tables, in the database that belts has its schema in.
pub(crate) const TABLES: &str = "
    CREATE TABLE products (id text PRIMARY KEY, in_stock integer NOT NULL);
    CREATE TABLE orders (id text PRIMARY KEY, product_id text NOT NULL, cents integer NOT NULL);
    CREATE TABLE taken (id bigserial PRIMARY KEY, order_id text NOT NULL, product_id text NOT NULL);";

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(key = order_id)]
pub(crate) struct OrderPlaced {
    pub(crate) order_id: String,
    pub(crate) product_id: String,
    pub(crate) cents: i32,
}

/// Takes the stock and charges the customer.
#[belts::function(id = "fulfil-order", on = OrderPlaced)]
async fn fulfil(order: OrderPlaced, cx: Context) -> belts::Result<()> {
    // The rows and the record of the step are one commit: they are there once, whenever the process dies.
    transaction!("take-stock", async |tx| {
        let take = "UPDATE products SET in_stock = in_stock - 1 WHERE id = $1 AND in_stock > 0";
        let taken = sqlx::query(take)
            .bind(&order.product_id)
            .execute(&mut **tx)
            .await?;
        if taken.rows_affected() == 0 {
            Err(belts::terminal("sold out"))?;
        }
        let note = "INSERT INTO taken (order_id, product_id) VALUES ($1, $2)";
        sqlx::query(note)
            .bind(&order.order_id)
            .bind(&order.product_id)
            .execute(&mut **tx)
            .await?;
        Ok(())
    })
    .await?;
    // The provider is elsewhere, and so it is told by a key that the same charge comes again.
    step!("charge", async {
        let key = cx.idempotency_key("charge");
        provider::charge(&order.order_id, &key).await
    })
    .await
}

/// An order is a row and an event, or neither.
async fn place(
    State(pool): State<PgPool>,
    Json(order): Json<OrderPlaced>,
) -> Result<StatusCode, (StatusCode, String)> {
    let placed = async {
        let mut tx = pool.begin().await?;
        let insert =
            "INSERT INTO orders (id, product_id, cents) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let insert = sqlx::query(insert)
            .bind(&order.order_id)
            .bind(&order.product_id)
            .bind(order.cents);
        if insert.execute(&mut *tx).await?.rows_affected() > 0 {
            publish_order_placed(order).in_tx(&mut tx).await?;
        }
        tx.commit().await?;
        anyhow::Ok(StatusCode::CREATED)
    };
    placed
        .await
        .map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}")))
}

/// The process that is killed: it prints its address.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let url = std::env::var(DATABASE).context("DATABASE_URL is not set")?;
    let pool = PgPool::connect(&url).await?;
    let worker = Worker::builder()
        .store(Postgres::with_pool(pool.clone()).open().await?)
        // It takes its own runs back at once when it starts again.
        .name("shop")
        // Few runs are in hand when it dies, and none of them is to blame for it, however often that is.
        .concurrency(4)
        .max_crashes(1_000)
        .build()
        .await?;
    worker.install();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let app = Router::new().route("/orders", post(place)).with_state(pool);
    tokio::select! {
        served = async { axum::serve(listener, app).await } => Ok(served?),
        ran = worker.run() => Ok(ran?),
    }
}
