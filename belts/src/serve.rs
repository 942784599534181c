//! Serving: the router and the loop together, until the process is asked to end.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::{Router, serve::ListenerExt as _};
use tokio::net::{TcpListener, ToSocketAddrs};

use crate::{
    config::Config,
    error::{Error, ErrorKind, Result},
    registry::Registry,
    startup,
    worker::Worker,
};

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
/// # Errors
/// A variable is wrong, the program has no functions, or as [`Worker::serve`].
pub async fn serve() -> Result<()> {
    let config = Config::from_env()?;
    // Before a store is opened that nobody needs.
    if Registry::linked()?.functions().is_empty() {
        return Err(no_functions());
    }
    let worker = config.builder().build().await?;
    worker.serve(config.addr).await
}

impl Worker {
    /// Listens at an address, answers deliveries with the [`router`](Self::router) and drives runs, until
    /// [`shutdown`](Self::shutdown) is called or the process is asked to end (SIGTERM, SIGINT). Then it takes no new
    /// deliveries, lets running steps finish for the grace period and gives the rest back. Asked a second time, it gives the
    /// rest back at once.
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
    /// Of kind [`Config`](ErrorKind::Config): nothing can listen there, the program has no functions, or the address is
    /// reached from other machines and there is neither a [signing key](crate::WorkerBuilder::signing_keys) nor
    /// [`insecure`](crate::WorkerBuilder::insecure). And as [`run`](Self::run).
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
        startup::announce(self, address);
        shared.expect_loop();
        let app = root(self).into_make_service_with_connect_info::<SocketAddr>();
        let draining = std::sync::Arc::clone(shared);
        // An answer is sent when it is written, and not when there is more of it.
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let server = axum::serve(listener, app)
            .with_graceful_shutdown(async move { draining.shutdown_begun().await });
        let mut server = tokio::spawn(async move { server.await });
        let outcome = self.run().await;
        // Whoever still waits for an answer has it by now; a connection that stays open beyond that is cut.
        tokio::select! {
            _ = &mut server => {}
            () = shared.clock.expire_at(shared.clock.now().after(FAREWELL)) => server.abort(),
        }
        outcome
    }

    /// Refuses to let strangers start functions unless somebody meant it.
    fn check_address(&self, address: IpAddr) -> Result<()> {
        let http = &self.shared().http;
        let signed = !http.keys.is_empty() || self.shared().dispatcher_signs();
        let safe = address.to_canonical().is_loopback() || signed || http.insecure;
        if safe || crate::config::insecure_by_env()? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "refusing to listen on {address} without a signing key, as other machines could start functions: \
                 set BELTS_SIGNING_KEYS (or `.signing_keys([…])`), or BELTS_INSECURE=1 (or `.insecure(true)`) \
                 if something in front keeps strangers out"
            ),
        ))
    }
}

/// The router, with an answer of ours for every other path.
fn root(worker: &Worker) -> Router {
    worker
        .router()
        .fallback(|| async { crate::http::not_found() })
}

fn no_functions() -> Error {
    Error::new(
        ErrorKind::Config,
        "this program has no functions: annotate one with `#[belts::function(id = \"…\", on = …)]`; if they live in \
         another crate, reference it, as in `use my_functions as _;`, or the linker leaves it out",
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
