//! What is checked before anybody is let in, and what is said of an address that nobody can listen on.

use std::{io, net::IpAddr};

use crate::{
    error::{Error, ErrorKind, Result},
    http::development,
    worker::Worker,
};

impl Worker {
    /// Refuses to let strangers start functions unless somebody meant it.
    pub(super) fn check_address(&self, address: IpAddr) -> Result<()> {
        self.check_inspection(address)?;
        let http = &self.shared().http;
        let local = address.to_canonical().is_loopback();
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

    /// Refuses an address that other machines reach where this one is said to be for development.
    pub(super) fn check_inspection(&self, address: IpAddr) -> Result<()> {
        if address.to_canonical().is_loopback() || !self.shared().http.inspection_local {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "refusing to listen on {address} with BELTS_INSPECTION=local (`.inspection_local()`): set \
                 BELTS_INSPECTION_TOKEN (`.inspection_token(…)`) in its place"
            ),
        ))
    }

    /// Refuses to serve no functions, unless that was meant.
    pub(super) fn check_functions(&self) -> Result<()> {
        let shared = self.shared();
        if shared.registry.functions().is_empty() && !shared.http.picked {
            return Err(no_functions());
        }
        Ok(())
    }

    /// Makes a token for inspection where only this machine is expected, and none is set.
    pub(super) fn make_token(&self, address: IpAddr) {
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

pub(super) fn no_functions() -> Error {
    Error::new(
        ErrorKind::Config,
        "this program has no functions: annotate one with `#[belts::function(id = \"…\", on = …)]`; if they live in \
         another crate, that has to be named in the code, as by `use my_functions as _;` in `main.rs`: a crate that is \
         only in Cargo.toml is not linked",
    )
}

pub(super) fn unresolved(addr: &str, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("`{addr}` is not an address to listen on; it must be a host and a port such as `127.0.0.1:8787`"),
    )
    .with_source(error)
}

pub(super) fn unbound(addr: &str, error: io::Error) -> Error {
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
    use tokio::net::TcpListener;

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
