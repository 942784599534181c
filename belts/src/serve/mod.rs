//! Serving: the router and the loop together, until the process is asked to end.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
};

use axum::Router;
use tokio::{
    net::{TcpListener, ToSocketAddrs},
    task::JoinSet,
};

#[cfg(doc)]
use crate::ErrorKind;
use crate::{
    error::Result,
    function::state::States,
    registry::Registry,
    worker::{Shared, Worker, config::Config},
};

mod accept;
mod accepting;
mod announce;
mod check;
mod listener;
mod pulse;

use accept::FAREWELL;
use accepting::Accepting;
use check::{no_functions, unbound, unresolved};
use listener::Door;
pub use listener::Listener;
pub(crate) use listener::Place;

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
#[must_use = "nothing is served until this is awaited: add `.await`"]
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
    /// deliveries, lets running steps and requests finish for the grace period and gives the rest back. Asked a second time, it
    /// gives the rest back at once.
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
        self.check_functions()?;
        let place = place_of(&listener)?;
        if let Some(address) = place.address {
            self.check_address(address.ip())?;
        }
        self.serve_app(root(self), listener, &place, true).await
    }

    /// Serves an axum application of yours, which may have the [`router`](Self::router) nested in it, drives runs, and ends both
    /// when [`shutdown`](Self::shutdown) is called or the process is asked to end (SIGTERM, SIGINT).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use axum::{Router, routing::get};
    ///
    /// let worker = belts::Worker::builder()
    ///     .store_url("sqlite://belts.db")
    ///     .signing_keys(std::env::var("BELTS_SIGNING_KEYS")?.split(','))
    ///     .build()
    ///     .await?;
    /// let app = Router::new()
    ///     .route("/", get(|| async { "hello" }))
    ///     .nest_service("/belts", worker.router());
    /// let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await?;
    /// worker.serve_with(app, listener).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # The end
    /// - The doors close at once: the listener is gone, and connections without a request are closed, those that have just begun
    ///   within two seconds.
    /// - Requests under way have the grace period, as running steps have; so have their answers, such as a stream of events.
    ///   What takes longer is dropped and its connection cut, with a warning.
    /// - Asked a second time (SIGTERM or SIGINT), it gives the runs back and cuts what is left within two seconds.
    /// - It returns when all of that is done, `Ok` however the requests ended.
    ///
    /// What your code has spawned, such as what answers a web socket, is not waited for: [`stopped`](Self::stopped) tells it.
    ///
    /// # What it is like
    /// As `axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())`: handlers find the peer's address by
    /// `ConnectInfo<SocketAddr>` (there is none on a Unix socket), a handler that panics costs its connection and nothing else,
    /// and connections may be upgraded. It speaks HTTP/1. In addition connections are [limited](crate::http::Limits) as those of
    /// `serve` are. Who may deliver and inspect is the router's business and not that of the address.
    ///
    /// It [installs](Self::install) the worker, makes a token for inspection on a development machine, and tells what it serves,
    /// all as [`serve`](Self::serve) does. After a shutdown it returns at once. Called twice at a time, with two listeners, it
    /// serves both; one shutdown ends both. Where its future is dropped, the address is free at once, connections are cut and
    /// nothing more is claimed; the worker can serve again.
    ///
    /// For another server, or one with TLS, there is [`stopped`](Self::stopped).
    ///
    /// # Errors
    /// Of kind [`Config`](ErrorKind::Config): the address is reached from other machines in spite of
    /// [`inspection_local`](crate::WorkerBuilder::inspection_local). And as [`run`](Self::run): then nothing is served any more.
    /// That there are no functions is a warning here.
    pub async fn serve_with(&self, app: Router, listener: impl Listener) -> Result<()> {
        let place = place_of(&listener)?;
        if let Some(address) = place.address {
            self.check_inspection(address.ip())?;
        }
        self.serve_app(app, listener, &place, false).await
    }

    async fn serve_app(
        &self,
        app: Router,
        listener: impl Door,
        place: &Place,
        open: bool,
    ) -> Result<()> {
        let shared = self.shared();
        self.install();
        if let Some(address) = place.address {
            self.make_token(address.ip());
        }
        announce::announce(self, place, open);
        let expected = shared.expect_loop();
        let mut accepting = Accepting::spawn(accept::accept(listener, app, Arc::clone(shared)));
        // Requests may take longer than the loop, which heeds signals only while it runs.
        let mut aside = JoinSet::new();
        aside.spawn(shared.heed_signals());
        // A loop that cannot begin takes the doors with it.
        tokio::try_join!(self.run_expected(expected), async {
            see_off(shared, &mut accepting).await;
            Ok(())
        })?;
        Ok(())
    }
}

/// Returns when no connection is left after the shutdown began, or none is waited for any longer.
async fn see_off(shared: &Shared, accepting: &mut Accepting) {
    tokio::select! {
        () = accepting.ended() => return,
        () = shared.grace_is_over() => {}
    }
    // Whoever waited for a run has its answer by now, or is about to.
    tokio::select! {
        () = accepting.ended() => {}
        () = shared.clock.expire_at(shared.clock.now().after(FAREWELL)) => {
            tracing::warn!("the grace period is over; connections whose requests are not answered are cut");
        }
    }
}

/// The router, with an answer of ours for every other path.
fn root(worker: &Worker) -> Router {
    worker.open_router().fallback(crate::http::not_found)
}

fn place_of(listener: &impl Door) -> Result<Place> {
    listener
        .place()
        .map_err(|error| unbound("the listener", error))
}
