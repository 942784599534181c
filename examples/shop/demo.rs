//! The demonstration: customers, twenty SIGKILLs, and what is in the database after all.

#![expect(
    clippy::disallowed_methods,
    reason = "a client outside of belts waits by the system's clock"
)]

use std::{process::Stdio, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use belts::sqlx::{self, PgPool, postgres::PgPoolOptions};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    provider::{self, Book},
    server::Server,
    shop::{DATABASE, OrderPlaced, TABLES},
};

const PATIENCE: Duration = Duration::from_secs(60);
const ORDERS: usize = 500;
const CUSTOMERS: usize = 8;
const CRASHES: usize = 20;

/// Returns whether every promise was kept.
pub(crate) async fn run() -> anyhow::Result<bool> {
    let server = Server::start()?;
    let pool = connect(&server.url).await?;
    sqlx::raw_sql(TABLES)
        .execute(&pool)
        .await
        .context("the tables of the shop cannot be made; is the database empty?")?;
    let stock = sqlx::query("INSERT INTO products (id, in_stock) VALUES ('tea', $1)");
    stock.bind(i32::try_from(ORDERS)?).execute(&pool).await?;
    let book = Book::default();
    let provider = provider::start(book.clone()).await?;
    println!("provider       at {provider}");
    let (address, addresses) = watch::channel(String::new());
    let mut shop = Shop::start(&server, &provider).await?;
    address.send_replace(shop.address.clone());
    println!("shop           at {}", shop.address);
    let customers = customers(&addresses);
    for crash in 1..=CRASHES {
        // It has done a bit of work by then, and is anywhere in it.
        let before = book.charges().len();
        let some = (before + ORDERS / CRASHES / 2).min(ORDERS);
        wait_until("some orders", || async { Ok(book.charges().len() >= some) }).await?;
        sleep(Duration::from_micros(u64::from(random()) % 20_000)).await;
        shop.child.kill().await?;
        println!(
            "SIGKILL {crash:>2}     after {} charges",
            book.charges().len()
        );
        shop = Shop::start(&server, &provider).await?;
        address.send_replace(shop.address.clone());
    }
    timeout(PATIENCE, customers.join_all())
        .await
        .context("the customers are not served")?;
    let unfinished = "SELECT count(*) FROM belts.runs WHERE status <> 'completed'";
    wait_until("the last order", || async {
        Ok(sqlx::query_scalar::<_, i64>(unfinished)
            .fetch_one(&pool)
            .await?
            == 0)
    })
    .await?;
    shop.child.kill().await?;
    verdict(&pool, &book).await
}

/// They order until each order is confirmed, whatever becomes of the shop.
fn customers(addresses: &watch::Receiver<String>) -> JoinSet<()> {
    let numbers: Arc<std::sync::atomic::AtomicUsize> = Arc::default();
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        let (addresses, numbers) = (addresses.clone(), Arc::clone(&numbers));
        customers.spawn(async move {
            loop {
                let number = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if number >= ORDERS {
                    return;
                }
                let order = OrderPlaced {
                    order_id: format!("o-{number:03}"),
                    product_id: "tea".to_owned(),
                    cents: 1290,
                };
                loop {
                    let url = format!("http://{}/orders", *addresses.borrow());
                    if provider::send(&url, &order)
                        .await
                        .is_ok_and(|status| status.is_success())
                    {
                        break;
                    }
                    sleep(Duration::from_millis(10)).await;
                }
                // The shop is open all the while.
                sleep(Duration::from_millis(40)).await;
            }
        });
    }
    customers
}

/// Counts what is there.
async fn verdict(pool: &PgPool, book: &Book) -> anyhow::Result<bool> {
    let count = async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await;
    let orders = count("SELECT count(*) FROM orders").await?;
    let stock = count("SELECT count(*) FROM taken").await?;
    let left = count("SELECT in_stock::bigint FROM products").await?;
    let without_stock =
        count("SELECT count(*) FROM orders WHERE id NOT IN (SELECT order_id FROM taken)").await?;
    let twice_taken = count("SELECT count(*) - count(DISTINCT order_id) FROM taken").await?;
    let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM orders")
        .fetch_all(pool)
        .await?;
    let by_order = book.charges();
    let charged: usize = by_order.values().sum();
    let uncharged = ids.iter().filter(|id| !by_order.contains_key(*id)).count();
    let twice_charged = charged - by_order.len();
    let all = i64::try_from(ORDERS)?;
    let lost = (all - orders) + without_stock + i64::try_from(uncharged)?;
    let twice = twice_taken + i64::try_from(twice_charged)?;
    println!("in stock       {left} of {ORDERS}");
    println!(
        "\n{orders} orders · {stock} stock rows · {charged} charges · {CRASHES} crashes · {lost} lost · {twice} twice"
    );
    Ok((orders, stock, left, lost, twice) == (all, all, 0, 0, 0) && charged == ORDERS)
}

struct Shop {
    child: Child,
    address: String,
}

impl Shop {
    async fn start(server: &Server, provider: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--serve")
            .env(DATABASE, &server.url)
            .env(provider::ADDRESS, provider)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().context("the shop has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = timeout(PATIENCE, lines.next_line()).await??;
        let address = address.context("the shop ended before it listened; its error is above")?;
        Ok(Self { child, address })
    }
}

/// A pool of the new server, once that answers.
async fn connect(url: &str) -> anyhow::Result<PgPool> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let options = PgPoolOptions::new().max_connections(2);
        match options.connect(url).await {
            Ok(pool) => return Ok(pool),
            Err(error) if Instant::now() > deadline => {
                return Err(error).context("PostgreSQL does not answer");
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn wait_until<F>(what: &str, condition: impl Fn() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    let deadline = Instant::now() + PATIENCE;
    while !condition().await? {
        ensure!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Whatever the clock says, which is random enough for this.
fn random() -> u32 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.subsec_nanos() / 7)
}
