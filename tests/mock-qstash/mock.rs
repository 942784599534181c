//! The handle of a mock: start it, tell it how to behave, and see what it did.

use std::{io, sync::Arc, time::Duration};

use tokio::{net::TcpListener, runtime::Runtime, time::timeout};

use super::{
    api,
    engine::Engine,
    faults::Faults,
    inspect::{Counts, DeadLetter, Delivery, NotIdle, Request},
    message::Message,
    settings::Settings,
    sign::Keys,
};

/// A running mock of QStash. It ends when it is dropped, with its deliveries.
#[derive(Debug)]
pub struct Mock {
    engine: Arc<Engine>,
    url: String,
    token: String,
    /// Of its own, so that a test that blocks does not hold it up. Only `None` while it is dropped.
    runtime: Option<Runtime>,
}

impl Mock {
    /// Starts a mock with the default settings.
    ///
    /// # Errors
    ///
    /// If there is no free port, or no thread.
    pub fn start() -> io::Result<Self> {
        Settings::default().start()
    }

    /// Settings to start a mock with.
    pub fn settings() -> Settings {
        Settings::default()
    }

    pub(crate) fn with(settings: Settings) -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder
            .worker_threads(1)
            .thread_name("mock-qstash")
            .enable_all()
            .build()?;
        let token = settings.token.clone();
        let engine = Arc::new(Engine::new(settings)?);
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let entered = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        drop(entered);
        runtime.spawn(api::serve(listener, Arc::clone(&engine)));
        runtime.spawn(Arc::clone(&engine).run());
        Ok(Self {
            engine,
            url,
            token,
            runtime: Some(runtime),
        })
    }

    /// The base URL of the API, `http://127.0.0.1:…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token that publishers must show.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The signing keys of now.
    pub fn keys(&self) -> Keys {
        self.engine.look(|book| book.keys.clone())
    }

    /// The next key becomes the current one, and there is a new next one.
    pub fn rotate_keys(&self) -> Keys {
        self.engine.change(super::book::Book::rotate)
    }

    /// Behaves so from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.engine.change(|book| {
            book.faults = faults;
            book.publications = 0;
        });
    }

    /// Begins no more deliveries; it still takes messages.
    pub fn stop_delivering(&self) {
        self.engine.change(|book| book.stopped = true);
    }

    /// Delivers again, first what has been waiting.
    pub fn continue_delivering(&self) {
        self.engine.change(|book| book.stopped = false);
    }

    /// Every message in the order of publishing, callbacks among them.
    pub fn messages(&self) -> Vec<Message> {
        self.engine
            .look(|book| book.messages.values().cloned().collect())
    }

    /// The message of this id.
    pub fn message(&self, id: &str) -> Option<Message> {
        self.engine.look(|book| book.message(id).cloned())
    }

    /// Every delivery in the order in which their attempts ended.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.engine
            .look(|book| book.deliveries.iter().cloned().collect())
    }

    /// The deliveries of one message.
    pub fn deliveries_of(&self, id: &str) -> Vec<Delivery> {
        let mut all = self.deliveries();
        all.retain(|delivery| delivery.message_id == id);
        all
    }

    /// What is in the DLQ.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.engine
            .look(|book| book.dead.values().cloned().collect())
    }

    /// Every request to the API that was answered, those that were refused too.
    pub fn requests(&self) -> Vec<Request> {
        self.engine
            .look(|book| book.requests.iter().cloned().collect())
    }

    /// How many messages there are of each kind.
    pub fn counts(&self) -> Counts {
        self.engine.look(super::book::Book::counts)
    }

    /// Waits until every message is delivered, failed or cancelled.
    ///
    /// # Errors
    ///
    /// If that takes longer than `within`; the error names the messages.
    pub async fn idle(&self, within: Duration) -> Result<(), NotIdle> {
        let idle = self.until(within, |mock| (mock.counts().pending == 0).then_some(()));
        idle.await.ok_or_else(|| self.not_idle())
    }

    fn not_idle(&self) -> NotIdle {
        let pending = |book: &super::book::Book| {
            let pending = book
                .messages
                .values()
                .filter(|message| !message.state.is_end());
            pending.take(5).cloned().collect()
        };
        NotIdle {
            counts: self.counts(),
            pending: self.engine.look(pending),
        }
    }

    /// Waits until `seen` finds what it looks for, and asks it again after each change. `None` once `within` is over.
    pub async fn until<T>(
        &self,
        within: Duration,
        mut seen: impl FnMut(&Self) -> Option<T>,
    ) -> Option<T> {
        let mut changes = self.engine.changes();
        let found = async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = seen(self) {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        };
        timeout(within, found).await.ok().flatten()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
