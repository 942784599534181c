//! Values in Redis, and nothing of belts.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};

use crate::{Outcome, functions::receipt, measure::now, place::Place, raw::Raw};

/// A connection, and keys below a prefix of its own.
pub(crate) struct Redis {
    connection: MultiplexedConnection,
    prefix: String,
    next: u32,
}

impl Redis {
    pub(crate) async fn create(place: &Place) -> Outcome<Self> {
        let config =
            AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(15)));
        let connection = Client::open(place.server())?
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let prefix = format!("{}-raw", place.name());
        Ok(Self {
            connection,
            prefix,
            next: 0,
        })
    }

    fn set(&mut self) -> Outcome<redis::Cmd> {
        let n = self.next;
        self.next += 1;
        let mut set = redis::cmd("SET");
        set.arg(format!("{}:step-{n}", self.prefix))
            .arg(serde_json::to_vec(&receipt(n))?);
        Ok(set)
    }
}

impl Raw for Redis {
    async fn commits(&mut self, rows: usize) -> Outcome<Duration> {
        let start = now();
        for _ in 0..rows {
            let set = self.set()?;
            set.exec_async(&mut self.connection).await?;
        }
        Ok(start.elapsed())
    }

    async fn batches(&mut self, rows: usize, size: usize) -> Outcome<Duration> {
        let start = now();
        for _ in 0..rows / size {
            let mut pipeline = redis::pipe();
            for _ in 0..size {
                pipeline.add_command(self.set()?).ignore();
            }
            pipeline.exec_async(&mut self.connection).await?;
        }
        Ok(start.elapsed())
    }
}
