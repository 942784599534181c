//! A way to the server that can lose its answers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::url;

/// Listens beside the server and passes on what comes, until it is told to lose an answer.
pub(super) struct Proxy {
    loses: Arc<AtomicBool>,
    port: u16,
}

impl Proxy {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let loses = Arc::new(AtomicBool::new(false));
        let proxy = Self {
            loses: Arc::clone(&loses),
            port,
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, Arc::clone(&loses)));
            }
        });
        proxy
    }

    /// The next answer of the server is lost, and its connection with it.
    pub(super) fn lose_an_answer(&self) {
        self.loses.store(true, Ordering::SeqCst);
    }

    /// Whether the answer was lost by now.
    pub(super) fn has_lost(&self) -> bool {
        !self.loses.load(Ordering::SeqCst)
    }

    pub(super) fn pool(&self) -> PgPool {
        let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
        PgPoolOptions::new()
            .max_connections(8)
            .connect_lazy_with(options.host("127.0.0.1").port(self.port))
    }
}

async fn server() -> TcpStream {
    let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
    let place = (options.get_host(), options.get_port());
    TcpStream::connect(place)
        .await
        .expect("the server is there")
}

async fn pass(client: TcpStream, loses: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server().await.into_split();
    let listens = Arc::new(AtomicBool::new(false));
    let says = Arc::clone(&listens);
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            // Messages to the connection that listens come at any time; they are no answers.
            if buffer[..read].windows(7).any(|word| word == b"LISTEN ") {
                says.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
        // The server has done what it was asked by now, since it answers.
        let lost = !listens.load(Ordering::SeqCst) && loses.swap(false, Ordering::SeqCst);
        if lost || to_client.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
