//! A way to a server that loses answers, or holds requests back.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

/// Forwards connections to a server on this machine.
pub(crate) struct Proxy {
    address: SocketAddr,
    faults: Arc<Faults>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Faults {
    /// The next answer is lost, and its connection with it.
    loses: AtomicBool,
    /// Nothing reaches the server.
    holds: AtomicBool,
}

impl Proxy {
    pub(crate) async fn start(host: &str, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let faults = Arc::<Faults>::default();
        let task = tokio::spawn(accept(
            listener,
            (host.to_owned(), port),
            Arc::clone(&faults),
        ));
        Ok(Self {
            address,
            faults,
            task,
        })
    }

    /// Where clients find it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the next request be done and its answer be lost.
    pub(crate) fn lose_next_answer(&self) {
        self.faults.loses.store(true, Ordering::SeqCst);
    }

    /// Whether that has happened.
    pub(crate) fn has_lost(&self) -> bool {
        !self.faults.loses.load(Ordering::SeqCst)
    }

    pub(crate) fn hold(&self) {
        self.faults.holds.store(true, Ordering::SeqCst);
    }

    /// Lets through what was held.
    pub(crate) fn let_through(&self) {
        self.faults.holds.store(false, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: (String, u16), faults: Arc<Faults>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(&server).await else {
            continue;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let listens = Arc::<AtomicBool>::default();
        tokio::spawn(forward_requests(
            from_client,
            to_server,
            Arc::clone(&faults),
            Arc::clone(&listens),
        ));
        tokio::spawn(forward_answers(
            from_server,
            to_client,
            Arc::clone(&faults),
            listens,
        ));
    }
}

async fn forward_requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: Arc<Faults>,
    listens: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        // What comes to a connection that waits for messages is no answer.
        if bytes[..count].windows(7).any(|word| word == b"LISTEN ") {
            listens.store(true, Ordering::SeqCst);
        }
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        while faults.holds.load(Ordering::SeqCst) {
            tick.tick().await;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

async fn forward_answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: Arc<Faults>,
    listens: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        // Dropping both halves of the client's side ends its connection.
        let lost = !listens.load(Ordering::SeqCst) && faults.loses.swap(false, Ordering::SeqCst);
        if lost || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
