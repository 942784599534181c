//! What is done to a server and to the connections with it.

use std::{io, time::Duration};

use belts_suite::servers::{Postgres, Redis};

use crate::{
    Failure,
    patience::rest,
    proxy::{Gate, Harm, Proxy},
    random::Random,
    trail::Process,
};

/// A server with the proxy before it.
#[derive(Debug)]
pub(crate) struct Server {
    engine: Engine,
    proxy: Proxy,
    log: &'static Process,
}

#[derive(Debug)]
pub(crate) enum Engine {
    Postgres(Postgres),
    Redis(Redis),
}

impl From<Postgres> for Engine {
    fn from(server: Postgres) -> Self {
        Self::Postgres(server)
    }
}

impl From<Redis> for Engine {
    fn from(server: Redis) -> Self {
        Self::Redis(server)
    }
}

impl Engine {
    fn port(&self) -> io::Result<u16> {
        match self {
            Self::Postgres(server) => server.port(),
            Self::Redis(server) => server.port(),
        }
    }

    /// Ends it where it stands, or in good order.
    fn end(&self, kill: bool) -> io::Result<()> {
        match (self, kill) {
            (Self::Postgres(server), true) => server.kill(),
            (Self::Postgres(server), false) => server.stop(),
            (Self::Redis(server), true) => server.kill(),
            (Self::Redis(server), false) => server.stop(),
        }
    }

    fn start_again(&self) -> io::Result<()> {
        match self {
            Self::Postgres(server) => server.start_again(),
            Self::Redis(server) => server.start_again(),
        }
    }

    fn said(&self) -> String {
        match self {
            Self::Postgres(server) => server.said(),
            Self::Redis(server) => server.said(),
        }
    }
}

impl Server {
    pub(crate) async fn new(engine: Engine, log: &'static Process) -> Result<Self, Failure> {
        let proxy = Proxy::open(engine.port()?, log).await?;
        Ok(Self { engine, proxy, log })
    }

    /// The port at which the processes find the server.
    pub(crate) fn port(&self) -> u16 {
        self.proxy.port()
    }

    /// What the server said.
    pub(crate) fn said(&self) -> String {
        self.engine.said()
    }

    /// Ends the server, mostly as a power cut would, and starts it again after a while.
    pub(crate) async fn restart(&self, random: &mut Random) -> Result<(), Failure> {
        let kill = !random.one_in(3);
        self.engine.end(kill)?;
        self.log
            .write("test", if kill { "restart kill" } else { "restart stop" });
        rest(random.millis(0..1_500)).await;
        Ok(self.engine.start_again()?)
    }

    /// Does one of the things that networks do.
    ///
    /// The pauses are random moments and no waiting for something, as everywhere in this test.
    pub(crate) async fn harass(&self, random: &mut Random) {
        let part = usize::try_from(random.millis(0..1_000).as_millis()).unwrap_or(0);
        let harm = match random.below(7) {
            0 => Harm::Cut,
            1 => Harm::CutRequest(part),
            2 => Harm::CutAnswer(part),
            3 => Harm::Late(random.millis(5..1_000)),
            4 => Harm::Hold(random.millis(5..1_500)),
            n => {
                let gate = if n == 5 { Gate::Shut } else { Gate::Mute };
                return self.shut_out(gate, random.millis(50..2_000)).await;
            }
        };
        let all = random.one_in(3);
        self.proxy.harm(harm, || all || random.one_in(2));
        if let Harm::Hold(duration) = harm {
            rest(duration).await;
            // Who was slow for longer than that is cut off.
            self.proxy.harm(Harm::Cut, || random.one_in(2));
        }
    }

    /// Lets nobody in for a while.
    async fn shut_out(&self, gate: Gate, duration: Duration) {
        self.proxy.set_gate(gate);
        self.proxy.harm(Harm::Cut, || true);
        rest(duration).await;
        self.proxy.set_gate(Gate::Open);
    }
}
