//! What connections come in by: a port, or a socket in the file system.

use std::{future::Future, io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

/// What [`Worker::serve_with`](crate::Worker::serve_with) listens on: tokio's `TcpListener`, or on Unix its `UnixListener`.
///
/// Nothing else is one. A server of your own, as for TLS, ends with the worker by [`Worker::stopped`](crate::Worker::stopped).
pub trait Listener: Door {}

impl Listener for TcpListener {}

#[cfg(unix)]
impl Listener for tokio::net::UnixListener {}

/// What is asked of a listener.
pub trait Door: Send + Sync + 'static {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and who is at its other end where that has an address.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<SocketAddr>)>> + Send;

    /// Where it listens.
    fn place(&self) -> io::Result<Place>;
}

/// Where a worker listens.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its address, if machines have one there.
    pub(crate) address: Option<SocketAddr>,
    /// How people are told.
    pub(crate) shown: String,
}

impl Door for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, peer) = self.accept().await?;
        prepare(&stream);
        Ok((stream, Some(peer)))
    }

    fn place(&self) -> io::Result<Place> {
        let address = self.local_addr()?;
        let shown = format!("http://{address}");
        Ok(Place {
            address: Some(address),
            shown,
        })
    }
}

#[cfg(unix)]
impl Door for tokio::net::UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn next(&self) -> io::Result<(Self::Stream, Option<SocketAddr>)> {
        let (stream, _) = self.accept().await?;
        Ok((stream, None))
    }

    fn place(&self) -> io::Result<Place> {
        let address = self.local_addr()?;
        let path = address.as_pathname();
        let shown = path.map_or_else(|| "a socket".to_owned(), |path| path.display().to_string());
        Ok(Place {
            address: None,
            shown,
        })
    }
}

/// How soon another end that says nothing is asked whether it is still there.
#[cfg(unix)]
const PROBE: std::time::Duration = std::time::Duration::from_secs(60);

/// Has an answer sent when it is written, and not when there is more of it, and another end that is gone noticed.
fn prepare(stream: &TcpStream) {
    // What the system refuses here is a loss of speed or of a connection that lingers, and no reason to refuse the caller.
    drop(stream.set_nodelay(true));
    #[cfg(unix)]
    {
        use rustix::net::sockopt;
        let _ = sockopt::set_socket_keepalive(stream, true);
        #[cfg(not(any(target_os = "openbsd", target_os = "macos")))]
        let _ = sockopt::set_tcp_keepidle(stream, PROBE);
        #[cfg(not(target_os = "openbsd"))]
        {
            let _ = sockopt::set_tcp_keepintvl(stream, PROBE / 4);
            let _ = sockopt::set_tcp_keepcnt(stream, 4);
        }
    }
}
