//! The conformance suite, tried with the dispatchers that need no server.

use std::{sync::Arc, time::Duration};

use belts::{
    WorkerBuilder,
    conformance::dispatch::Transport,
    dispatch::{Channel, Http, SharedDispatcher},
};

struct InMemory(Channel);

#[async_trait::async_trait]
impl Transport for InMemory {
    async fn connect(&self, _url: &str) -> belts::Result<SharedDispatcher> {
        Ok(Arc::new(self.0.clone()))
    }
}

mod channel {
    belts::dispatcher_conformance!(super::InMemory(super::Channel::new(
        super::Duration::from_secs(1)
    )));
}

/// Signed requests to the worker.
struct Signed;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[async_trait::async_trait]
impl Transport for Signed {
    async fn connect(&self, url: &str) -> belts::Result<SharedDispatcher> {
        Ok(Arc::new(Http::builder(url).signing_keys([KEY]).build()?))
    }

    fn receiver(&self, builder: WorkerBuilder) -> WorkerBuilder {
        builder.signing_keys([KEY])
    }
}

mod http {
    belts::dispatcher_conformance!(super::Signed);
}
