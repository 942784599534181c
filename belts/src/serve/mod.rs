//! Serving: the router and the loop together, until the process is asked to end.

use std::{
    fmt, io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};

use axum::Router;
use tokio::net::{TcpListener, ToSocketAddrs};

use crate::{
    config::Config,
    error::{Error, ErrorKind, Result},
    http::development,
    registry::Registry,
    startup,
    state::States,
    worker::Worker,
};

mod accept;
mod accepting;
mod pulse;

use accepting::Accepting;

/// How long connections may take to close after the last run has ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves every function in the program, set up by the environment: [`Worker::from_env`], then [`Worker::serve`] at
/// `BELTS_ADDR`, `127.0.0.1:8787` where it is not set.
///
/// ```no_run
/// use belts::{Event, step};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Signup { email: String }
///
/// #[belts::function(id = "greet", on = Signup)]
/// async fn greet(signup: Signup) -> belts::Result<usize> {
///     step!("count", signup.email.len()).await
/// }
///
/// #[tokio::main]
/// async fn main() -> belts::Result<()> {
///     belts::serve().await
/// }
/// ```
///
/// What functions take as [`State`](crate::State) goes in between: `belts::serve().state(pool).await`.
///
/// # Errors
/// A variable is wrong, the program has no functions, one of them takes a state that was not given, or as [`Worker::serve`].
pub fn serve() -> Serve {
    Serve::default()
}

/// Makes a worker from the environment and serves when it is awaited; see [`serve`].
#[derive(Default)]
#[must_use = "nothing is served before this is awaited: add `.await`"]
pub struct Serve {
    states: States,
    serving: Option<Pin<Box<dyn Future<Output = Result<()>> + Send>>>,
}

impl Serve {
    /// Gives functions a value of the application, as [`WorkerBuilder::state`](crate::WorkerBuilder::state) does.
    ///
    /// ```no_run
    /// #[derive(Clone)]
    /// struct Mailer {}
    ///
    /// #[tokio::main]
    /// async fn main() -> belts::Result<()> {
    ///     belts::serve().state(Mailer {}).await
    /// }
    /// ```
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> Self {
        self.states.put(state);
        self
    }
}

impl Future for Serve {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let states = &mut this.states;
        let serving = this
            .serving
            .get_or_insert_with(|| Box::pin(from_env(std::mem::take(states))));
        serving.as_mut().poll(cx)
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("states", &self.states)
            .finish_non_exhaustive()
    }
}

async fn from_env(states: States) -> Result<()> {
    let config = Config::from_env()?;
    // Before a store is opened that nobody needs.
    if Registry::linked()?.functions().is_empty() {
        return Err(no_functions());
    }
    let mut builder = config.builder();
    builder.states = states;
    let worker = builder.build().await?;
    worker.serve(config.addr).await
}

impl Worker {
    /// Listens at an address, answers deliveries with the [`router`](Self::router) and drives runs, until
    /// [`shutdown`](Self::shutdown) is called or the process is asked to end (SIGTERM, SIGINT). Then it takes no new
    /// deliveries, lets running steps finish for the grace period and gives the rest back. Asked a second time, it gives the
    /// rest back at once.
    ///
    /// Connections, and the time that each may take, are [limited](crate::http::Limits). On a development machine, with the
    /// runs in a file that [`store_url`](crate::WorkerBuilder::store_url) or `BELTS_STORE` names, an address that only this
    /// machine reaches and neither keys nor a URL, it makes an [inspection token](crate::guide::inspection) where none is
    /// set, and keeps it beside that file for the program `belts`.
    ///
    /// Where its future is dropped, the address is free at once, connections are cut and nothing more is claimed; the worker can
    /// serve again.
    ///
    /// It [installs](Self::install) the worker, and says in the log where it listens and which functions it has; in a
    /// program without a `tracing` subscriber it says so on standard error.
    ///
    /// ```no_run
    /// # async fn example() -> belts::Result<()> {
    /// let worker = belts::Worker::builder().store_url("sqlite://belts.db").build().await?;
    /// worker.serve("127.0.0.1:3000").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of kind [`Config`](ErrorKind::Config): nothing can listen there, the program has no functions, or the address or the
    /// [URL](crate::WorkerBuilder::url) is reached from other machines and there is neither a
    /// [signing key](crate::WorkerBuilder::signing_keys) nor [`insecure`](crate::WorkerBuilder::insecure), or
    /// [`inspection_local`](crate::WorkerBuilder::inspection_local). And as [`run`](Self::run).
    pub async fn serve(&self, addr: impl ToSocketAddrs + fmt::Debug) -> Result<()> {
        let shown = format!("{addr:?}").trim_matches('"').to_owned();
        let addresses: Vec<_> = tokio::net::lookup_host(addr)
            .await
            .map_err(|error| unresolved(&shown, error))?
            .collect();
        for address in &addresses {
            self.check_address(address.ip())?;
        }
        let listener = TcpListener::bind(&*addresses)
            .await
            .map_err(|error| unbound(&shown, error))?;
        self.serve_on(listener).await
    }

    /// As [`serve`](Self::serve), on a listener that is bound already.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// let worker = belts::Worker::builder().store_url("memory:").publish_only().build().await?;
    /// worker.shutdown(); // so that the example ends
    /// worker.serve_on(listener).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_on(&self, listener: TcpListener) -> Result<()> {
        let shared = self.shared();
        let address = listener
            .local_addr()
            .map_err(|error| unbound("the listener", error))?;
        self.check_address(address.ip())?;
        if shared.registry.functions().is_empty() && !shared.http.picked {
            return Err(no_functions());
        }
        self.install();
        self.make_token(address.ip());
        startup::announce(self, address);
        let expected = shared.expect_loop();
        let accept = accept::accept(listener, root(self), Arc::clone(shared));
        let mut accepting = Accepting::spawn(accept);
        let outcome = self.run_expected(expected).await;
        // Whoever still waits for an answer has it by now; a connection that stays open beyond that is cut.
        tokio::select! {
            () = accepting.ended() => {}
            () = shared.clock.expire_at(shared.clock.now().after(FAREWELL)) => {}
        }
        outcome
    }

    /// Refuses to let strangers start functions unless somebody meant it.
    fn check_address(&self, address: IpAddr) -> Result<()> {
        let http = &self.shared().http;
        let local = address.to_canonical().is_loopback();
        if http.inspection_local && !local {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "refusing to listen on {address} with BELTS_INSPECTION=local (`.inspection_local()`): set \
                     BELTS_INSPECTION_TOKEN (`.inspection_token(…)`) in its place"
                ),
            ));
        }
        if local && !http.is_public() || self.shared().verifies() || http.insecure {
            return Ok(());
        }
        let why = if local {
            "for the public URL of this worker"
        } else {
            "there"
        };
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "refusing to listen on {address} without a signing key, as other machines could start functions {why}: \
                 set BELTS_SIGNING_KEYS (or `.signing_keys([…])`), or BELTS_INSECURE=1 (or `.insecure(true)`) \
                 if something in front keeps strangers out"
            ),
        ))
    }

    /// Makes a token for inspection where only this machine is expected, and none is set.
    fn make_token(&self, address: IpAddr) {
        let shared = self.shared();
        let http = &shared.http;
        let calls = shared
            .dispatcher
            .as_ref()
            .is_some_and(|dispatcher| !dispatcher.capabilities().pulls);
        let others = !http.keys.is_empty() || http.url.is_some() || calls;
        let Some(file) = http.store_file.as_deref().filter(|_| {
            http.token().is_none()
                && !http.inspection_local
                && !others
                && address.to_canonical().is_loopback()
        }) else {
            return;
        };
        match development::make(file) {
            Ok(token) => drop(http.made_token.set(token)),
            Err(error) => {
                let path = development::beside(file);
                tracing::warn!(%error, path = %path.display(), "cannot keep an inspection token, so nobody can inspect runs over HTTP");
            }
        }
    }
}

/// The router, with an answer of ours for every other path.
fn root(worker: &Worker) -> Router {
    worker.open_router().fallback(crate::http::not_found)
}

fn no_functions() -> Error {
    Error::new(
        ErrorKind::Config,
        "this program has no functions: annotate one with `#[belts::function(id = \"…\", on = …)]`; if they live in \
         another crate, that has to be named in the code, as by `use my_functions as _;` in `main.rs`: a crate that is \
         only in Cargo.toml is not linked",
    )
}

fn unresolved(addr: &str, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("`{addr}` is not an address to listen on; it must be a host and a port such as `127.0.0.1:8787`"),
    )
    .with_source(error)
}

fn unbound(addr: &str, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": another program listens there; end it, or pick another address with BELTS_ADDR or the argument of `serve`"
        }
        io::ErrorKind::PermissionDenied => {
            ": the port needs more rights; pick one above 1023 with BELTS_ADDR or the argument of `serve`"
        }
        _ => "; pick another address with BELTS_ADDR or the argument of `serve`",
    };
    Error::new(
        ErrorKind::Config,
        format!("cannot listen on {addr}{advice}"),
    )
    .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;

    /// This program has none itself. Nobody thought of a crate that was in Cargo.toml and named nowhere in the code.
    #[tokio::test]
    async fn that_there_are_no_functions_says_which_crates_are_linked() {
        let worker = Worker::builder().store(Memory::new()).build().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let served = worker.expect("a worker").serve_on(listener).await;
        let text = served.expect_err("no functions").to_string();
        assert!(
            text.contains("`use my_functions as _;` in `main.rs`"),
            "{text}"
        );
        assert!(
            text.contains("a crate that is only in Cargo.toml is not linked"),
            "{text}"
        );
    }
}
