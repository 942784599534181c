//! The connection that all calls of a runtime share: made anew when it breaks, with what was under way sent again.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, RedisError, RedisResult, Value, aio::MultiplexedConnection,
};
use tokio::{
    runtime::{Handle, Id},
    sync::Mutex,
    time::Instant,
};

use super::{
    error::{Fault, Part},
    script::Call,
};
use crate::error::Error;

/// How long to wait for a connection.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait for an answer: a busy server, or its disk, may take a while.
pub(crate) const ANSWER: Duration = Duration::from_secs(15);
/// For how long something is sent again where nothing else is said.
pub(crate) const RETRY_FOR: Duration = Duration::from_secs(10);
/// The most connections that are kept, each of a runtime. Those of runtimes that have ended make room.
const RUNTIMES: usize = 64;
/// How often a script is loaded for one call.
const LOADS: u32 = 5;
/// Waits between attempts.
pub(crate) const BACKOFF: crate::Backoff =
    crate::Backoff::new(Duration::from_millis(50), Duration::from_secs(1));

/// The connection, which carries the calls of many tasks at once. Each runtime has its own: a connection is driven by a task of
/// the runtime that made it, and stands still while that is blocked, or for ever when it has ended.
///
/// The `ConnectionManager` of the redis crate would keep a connection whose answers time out, and would never again
/// connect once a server has refused it for a reason that passes.
pub(crate) struct Link {
    client: Client,
    part: Part,
    address: String,
    /// For how long something is sent again.
    retry_for: Duration,
    /// The latest one last.
    lines: RwLock<Vec<Arc<Line>>>,
}

/// What a runtime has.
struct Line {
    runtime: Id,
    current: RwLock<Current>,
    /// One task connects at a time; the others share its failure, which is here.
    connecting: Mutex<Option<RedisError>>,
    /// How often somebody has tried to connect, and is done.
    attempts: AtomicU64,
}

#[derive(Default)]
struct Current {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that only the present one is given up.
    number: u64,
}

impl Link {
    pub(crate) fn new(client: Client, part: Part, retry_for: Duration) -> Self {
        let address = client.get_connection_info().addr().to_string();
        Self {
            client,
            part,
            address,
            retry_for,
            lines: RwLock::default(),
        }
    }

    /// The host and port, for messages.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The error that the caller sees.
    pub(crate) fn error(&self, fault: Fault) -> Error {
        fault.into_error(self.part, &self.address)
    }

    /// The error of what cannot be opened.
    pub(crate) fn opening_error(&self, fault: Fault) -> Error {
        fault.into_opening_error(self.part, &self.address)
    }

    /// What of belts uses it.
    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// Sends a command once.
    pub(crate) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let line = self.line();
        let (mut connection, number) = line.connection(&self.client).await?;
        let answer = command.query_async(&mut connection).await;
        if let Err(error) = &answer
            && super::error::breaks_connection(error)
        {
            line.give_up(number);
        }
        answer
    }

    /// Runs a script once; makes it known first where it is not.
    pub(crate) async fn run_once(&self, call: &Call) -> Result<Value, Fault> {
        // Somebody may make the server forget its scripts again and again.
        for _ in 0..LOADS {
            match self.send(&call.command).await {
                Err(error) if super::error::is_unknown_script(&error) => {
                    self.send(&call.script.load()).await?;
                }
                answer => return Ok(answer?),
            }
        }
        Ok(self.send(&call.command).await?)
    }

    /// Runs a script; while its outcome is unknown or the server is not ready, again. `build` hears whether it is again.
    pub(crate) async fn run(&self, build: impl Fn(bool) -> Call) -> Result<Value, Fault> {
        let mut fault = match self.run_once(&build(false)).await {
            Err(fault) if fault.may_pass() => fault,
            answer => return answer,
        };
        let since = Instant::now();
        for failed in 1.. {
            if since.elapsed() >= self.retry_for {
                break;
            }
            pause(BACKOFF.ceiling(failed)).await;
            fault = match self.run_once(&build(true)).await {
                Err(fault) if fault.may_pass() => fault,
                answer => return answer,
            };
        }
        Err(fault)
    }

    /// The line of the runtime that asks.
    fn line(&self) -> Arc<Line> {
        let runtime = Handle::current().id();
        let is_own = |line: &&Arc<Line>| line.runtime == runtime;
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.iter().find(is_own) {
            return Arc::clone(line);
        }
        drop(lines);
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.iter().find(is_own) {
            return Arc::clone(line);
        }
        if lines.len() >= RUNTIMES {
            // Whoever uses it still has it until the answer has come.
            lines.remove(0);
        }
        let line = Arc::new(Line::new(runtime));
        lines.push(Arc::clone(&line));
        line
    }
}

impl Line {
    fn new(runtime: Id) -> Self {
        Self {
            runtime,
            current: RwLock::default(),
            connecting: Mutex::default(),
            attempts: AtomicU64::new(0),
        }
    }

    async fn connection(&self, client: &Client) -> RedisResult<(MultiplexedConnection, u64)> {
        if let Some(present) = self.present() {
            return Ok(present);
        }
        let before = self.attempts.load(Ordering::Acquire);
        let mut failure = self.connecting.lock().await;
        if let Some(present) = self.present() {
            return Ok(present);
        }
        if let Some(error) = &*failure
            && self.attempts.load(Ordering::Acquire) > before
        {
            return Err(error.clone());
        }
        let connected = self.connect(client).await;
        *failure = connected.as_ref().err().cloned();
        self.attempts.fetch_add(1, Ordering::Release);
        connected
    }

    async fn connect(&self, client: &Client) -> RedisResult<(MultiplexedConnection, u64)> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let connection = connecting.await?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.number += 1;
        current.connection = Some(connection.clone());
        Ok((connection, current.number))
    }

    fn present(&self) -> Option<(MultiplexedConnection, u64)> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some((current.connection.clone()?, current.number))
    }

    fn give_up(&self, number: u64) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.number == number {
            current.connection = None;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how soon a server is tried again is no matter of the worker's clock"
)]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
