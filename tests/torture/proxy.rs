//! Stands between the processes and the server, and does to their connections what networks do.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::timeout,
};

use crate::{patience::rest, trail::Process};

/// What is done to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Both ends are closed.
    Cut,
    /// The next request is cut after so many thousandths of it, and both ends are closed.
    CutRequest(usize),
    /// The same with an answer, whose request the server has therefore done.
    CutAnswer(usize),
    /// Whatever is sent from now on arrives so much later.
    Hold(Duration),
    /// With the next request the client's end is closed, and that request reaches the server so much later.
    Late(Duration),
}

/// Whether new connections are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// Nobody listens.
    Shut,
    /// Somebody accepts, and is silent.
    Mute,
}

#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    gate: watch::Sender<Gate>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: u16,
    log: &'static Process,
    /// Where each connection hears of its fate; closed when it has ended.
    connections: Mutex<Vec<watch::Sender<Option<Harm>>>>,
    count: AtomicU32,
}

impl Proxy {
    /// Listens on a port of its own and connects to that of the server.
    pub(crate) async fn open(server: u16, log: &'static Process) -> io::Result<Self> {
        let port = belts_suite::servers::free_port()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let (gate, gates) = watch::channel(Gate::Open);
        let shared = Arc::new(Shared {
            server,
            log,
            connections: Mutex::default(),
            count: AtomicU32::new(0),
        });
        tokio::spawn(listen(listener, port, gates, Arc::clone(&shared)));
        Ok(Self { port, gate, shared })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set_gate(&self, gate: Gate) {
        self.gate.send_replace(gate);
    }

    /// Does this to the connections that `which` picks.
    pub(crate) fn harm(&self, harm: Harm, mut which: impl FnMut() -> bool) {
        let mut connections = self
            .shared
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| !connection.is_closed());
        for connection in connections.iter().filter(|_| which()) {
            connection.send_replace(Some(harm));
        }
    }
}

async fn listen(
    listener: TcpListener,
    port: u16,
    mut gates: watch::Receiver<Gate>,
    shared: Arc<Shared>,
) {
    let mut listener = Some(listener);
    let mut ignored = Vec::new();
    loop {
        let gate = *gates.borrow_and_update();
        match gate {
            Gate::Shut => listener = None,
            _ if listener.is_none() => listener = TcpListener::bind(("127.0.0.1", port)).await.ok(),
            _ => {}
        }
        if gate == Gate::Open {
            ignored.clear();
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = accepted => match accepted {
                Ok((client, _)) if gate == Gate::Open => drop(tokio::spawn(serve(client, Arc::clone(&shared)))),
                Ok((client, _)) => ignored.push(client),
                Err(_) => {}
            },
            changed = gates.changed() => if changed.is_err() { return },
        }
    }
}

/// How a connection ended.
enum End {
    /// One side closed it.
    Closed,
    Cut,
    /// The client is to be gone, and this to reach the server later.
    Late(Duration, Vec<u8>),
}

/// Passes on what both ends of a connection say, until its end.
async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    // Where the server is down, the client's end is just closed.
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", shared.server)).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (order, mut orders) = watch::channel(None);
    shared
        .connections
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(order);
    let end = {
        let ((client_in, client_out), (server_in, server_out)) = (client.split(), server.split());
        tokio::select! {
            end = flow(client_in, server_out, orders.clone(), true) => end,
            end = flow(server_in, client_out, orders.clone(), false) => end,
            _ = orders.wait_for(|harm| *harm == Some(Harm::Cut)) => End::Cut,
        }
    };
    if matches!(end, End::Closed) {
        return;
    }
    let number = shared.count.fetch_add(1, Ordering::Relaxed);
    shared.log.write("test", &format!("cut {number}"));
    if number.is_multiple_of(2) {
        // As a firewall would that has forgotten the connection: a reset instead of a goodbye.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
    if let End::Late(delay, request) = end {
        drop(client);
        rest(delay).await;
        let _ = server.write_all(&request).await;
        // The server gets the time to do it, and answers nobody.
        let answers = async { while matches!(server.read(&mut [0; 4096]).await, Ok(1..)) {} };
        let _ = timeout(Duration::from_secs(1), answers).await;
    }
}

/// Passes on one way what is said, as far as the orders let it.
async fn flow(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    orders: watch::Receiver<Option<Harm>>,
    requests: bool,
) -> End {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let said = match from.read(&mut buffer).await {
            Ok(count @ 1..) => &buffer[..count],
            _ => return End::Closed,
        };
        let harm = *orders.borrow();
        match harm {
            Some(Harm::CutRequest(part)) if requests => return cut(to, said, part).await,
            Some(Harm::CutAnswer(part)) if !requests => return cut(to, said, part).await,
            Some(Harm::Late(delay)) if requests => return End::Late(delay, said.to_vec()),
            Some(Harm::Hold(delay)) => rest(delay).await,
            _ => {}
        }
        if to.write_all(said).await.is_err() {
            return End::Closed;
        }
    }
}

/// Lets a part through, in thousandths.
async fn cut(mut to: WriteHalf<'_>, said: &[u8], part: usize) -> End {
    let _ = to.write_all(&said[..said.len() * part / 1_000]).await;
    End::Cut
}
