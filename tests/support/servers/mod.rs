//! Private servers for tests: started from the installed programs on a free port, gone with the test's process.
//!
//! ```no_run
//! use belts_suite::servers::Postgres;
//!
//! # fn example() -> std::io::Result<()> {
//! let shared = Postgres::shared().url(); // one for the whole test binary; tests take a schema of it
//! let own = Postgres::options().setting("fsync", "on").start()?;
//! own.kill()?;
//! own.start_again()?;
//! # Ok(()) }
//! ```
//!
//! Where `BELTS_TEST_POSTGRES_URL` or `BELTS_TEST_REDIS_URL` is set, the shared server is that one, and nothing is started.
//! A test that needs a server says so, and is reported as ignored where there is none (`own_postgres` and `own_redis` if
//! it starts one of its own):
//!
//! ```ignore
//! #[cfg_attr(not(has_postgres), ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL")]
//! ```

mod installed;
mod keeper;
mod moto;
mod nginx;
mod pgbouncer;
mod postgres;
mod process;
mod redis;
mod schema;
mod user;

pub use moto::{Moto, Queue, sqs_client};
pub use nginx::Nginx;
pub use pgbouncer::PgBouncer;
pub use postgres::{Postgres, PostgresOptions};
pub use process::free_port;
pub use redis::{Prefix, Redis, RedisOptions};
pub use schema::Schema;

#[cfg(test)]
mod tests;
