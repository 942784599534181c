//! A Redis server for tests.

use std::{
    env,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use ::redis::{Client, Cmd, Connection, FromRedisValue, RedisResult, cmd};

use super::{
    installed,
    process::{Server, directory, random},
};

/// A server of our own, or the one that the environment names.
#[derive(Debug)]
pub struct Redis {
    /// `None` where it is not ours.
    server: Option<Server>,
    url: String,
}

/// How a server of our own is started.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    settings: Vec<(String, String)>,
    password: Option<String>,
}

impl RedisOptions {
    /// Sets a line of `redis.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        if name == "requirepass" {
            self.password = Some(value.to_owned());
        }
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts an empty server, and returns when it answers.
    ///
    /// It keeps nothing on disk unless the settings say so.
    ///
    /// # Errors
    /// Redis is not installed, or does not start; the text has the end of what it said.
    pub fn start(self) -> io::Result<Redis> {
        let program = installed::redis().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "no Redis server found: install it or set BELTS_TEST_REDIS_URL",
            )
        })?;
        let directory = directory("redis");
        let mut command = Command::new(program);
        command.arg("--dir").arg(&directory);
        let fixed = [("bind", "127.0.0.1"), ("daemonize", "no"), ("save", "")];
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| (&**name, &**value));
        for (name, value) in fixed.into_iter().chain(settings) {
            command.arg(format!("--{name}")).arg(value);
        }
        command.arg("--port");
        let server = Server::start(directory, "KILL", answers, &command, || Ok(()))?;
        let login = self
            .password
            .map(|password| format!(":{password}@"))
            .unwrap_or_default();
        let url = format!("redis://{login}127.0.0.1:{}/", server.port());
        Ok(Redis {
            server: Some(server),
            url,
        })
    }
}

impl Redis {
    /// The server of this test binary: started at the first call, or the one of `BELTS_TEST_REDIS_URL`.
    ///
    /// # Panics
    /// There is none.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(|| {
            if let Ok(url) = env::var(installed::REDIS_URL) {
                return Self { server: None, url };
            }
            Self::options()
                .start()
                .unwrap_or_else(|error| panic!("{error}"))
        })
    }

    /// A server for one test, which may stop it.
    pub fn options() -> RedisOptions {
        RedisOptions::default()
    }

    /// Where clients find it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its port.
    ///
    /// # Errors
    /// It is not ours.
    pub fn port(&self) -> io::Result<u16> {
        self.own().map(Server::port)
    }

    /// Ends the server in good order.
    ///
    /// # Errors
    /// It is not ours.
    pub fn stop(&self) -> io::Result<()> {
        self.own()?.end("TERM")
    }

    /// Ends the server where it stands.
    ///
    /// # Errors
    /// It is not ours.
    pub fn kill(&self) -> io::Result<()> {
        self.own()?.end("KILL")
    }

    /// Starts it on the same port, and on the same data where it keeps any, after `stop` or `kill`.
    ///
    /// # Errors
    /// It is not ours, or does not start.
    pub fn start_again(&self) -> io::Result<()> {
        self.own()?.start_again()
    }

    /// Has the server close the connections of all its clients, those that are subscribed included.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn disconnect_all(&self) -> io::Result<()> {
        for kind in ["normal", "pubsub"] {
            let _closed: i64 = self.command(cmd("CLIENT").arg("KILL").arg("TYPE").arg(kind))?;
        }
        Ok(())
    }

    /// Runs a command.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the command.
    pub fn command<T: FromRedisValue>(&self, command: &Cmd) -> io::Result<T> {
        let run = || command.query(&mut connect(&self.url)?);
        run().map_err(io::Error::other)
    }

    /// A prefix for keys that nobody else uses.
    pub fn prefix(&self) -> Prefix {
        Prefix {
            url: self.url.clone(),
            name: format!("test-{:016x}", random()),
        }
    }

    /// What the server said so far; nothing if it is not ours.
    pub fn said(&self) -> String {
        self.server.as_ref().map(Server::said).unwrap_or_default()
    }

    fn own(&self) -> io::Result<&Server> {
        let foreign = || io::Error::other("this server was not started by the tests");
        self.server.as_ref().ok_or_else(foreign)
    }
}

fn connect(url: &str) -> RedisResult<Connection> {
    Client::open(url)?.get_connection_with_timeout(Duration::from_secs(5))
}

/// A prefix of keys on a server; they are deleted with this value.
#[derive(Debug)]
pub struct Prefix {
    url: String,
    name: String,
}

impl Prefix {
    /// Where clients find the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The prefix.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn delete(&self) -> RedisResult<()> {
        let mut connection = connect(&self.url)?;
        let mut scan = cmd("SCAN");
        let pattern = format!("*{}*", self.name);
        scan.cursor_arg(0)
            .arg("MATCH")
            .arg(pattern)
            .arg("COUNT")
            .arg(1_000);
        let keys: Vec<Vec<u8>> = scan.iter(&mut connection)?.collect::<RedisResult<_>>()?;
        for some in keys.chunks(1_000) {
            cmd("UNLINK").arg(some).exec(&mut connection)?;
        }
        Ok(())
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        // Who failed to delete them has told of a worse failure.
        drop(self.delete());
    }
}

/// Whether a server answers, be it that a password is wanted.
fn answers(port: u16) -> bool {
    let ask = || -> io::Result<bool> {
        let mut connection = TcpStream::connect(("127.0.0.1", port))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        connection.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        connection.read_exact(&mut answer)?;
        Ok([b"+PONG", b"-NOAU"].contains(&&answer))
    };
    ask().unwrap_or(false)
}
