//! A PostgreSQL server for tests.

use std::{
    env,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    sync::OnceLock,
    time::Duration,
};

use super::{
    installed,
    process::{Server, directory},
    schema::{Schema, sql},
    user::{User, run},
};

/// A server of our own, or the one that the environment names.
#[derive(Debug)]
pub struct Postgres {
    /// `None` where it is not ours.
    server: Option<Server>,
    url: String,
}

/// How a server of our own is started.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    settings: Vec<(String, String)>,
}

impl PostgresOptions {
    /// Sets a line of `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the server with an empty database, and returns when it answers.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start; the text has the end of what it said.
    pub fn start(self) -> io::Result<Postgres> {
        let programs = installed::postgres().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL",
            )
        })?;
        let directory = directory("postgres");
        let data = directory.join("data");
        let user = User::find()?;
        let mut command = user.command(&programs.join("postgres"));
        command.arg("-D").arg(&data);
        let fixed = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
        ];
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| (&**name, &**value));
        for (name, value) in fixed.into_iter().chain(settings) {
            command.args(["-c", &format!("{name}={value}")]);
        }
        command.arg("-p");
        let owner = directory.clone();
        // QUIT is an immediate shutdown: the server sees to the end of its own processes.
        let server = Server::start(directory, "QUIT", answers, &command, || {
            user.give(&owner)?;
            let mut initdb = user.command(&programs.join("initdb"));
            initdb.args([
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-U",
                "postgres",
                "--no-sync",
            ]);
            run(initdb.arg("-D").arg(&data).current_dir(&owner))
        })?;
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
        Ok(Postgres {
            server: Some(server),
            url,
        })
    }
}

impl Postgres {
    /// The server of this test binary: started at the first call, or the one of `BELTS_TEST_POSTGRES_URL`.
    ///
    /// It does not wait for the disk, since no test of it loses power.
    ///
    /// # Panics
    /// There is none.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| {
            if let Ok(url) = env::var(installed::POSTGRES_URL) {
                return Self { server: None, url };
            }
            let options = Self::options()
                .setting("fsync", "off")
                .setting("full_page_writes", "off")
                .setting("max_connections", "500");
            options.start().unwrap_or_else(|error| panic!("{error}"))
        })
    }

    /// A server for one test, which may stop it.
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
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

    /// Ends every session and the server, in good order.
    ///
    /// # Errors
    /// It is not ours.
    pub fn stop(&self) -> io::Result<()> {
        // A fast shutdown.
        self.own()?.end("INT")
    }

    /// Ends the server and all its processes where they stand: the next start recovers from the log.
    ///
    /// # Errors
    /// It is not ours.
    pub fn kill(&self) -> io::Result<()> {
        self.own()?.end("KILL")
    }

    /// Starts it on the same port and data, after `stop` or `kill`.
    ///
    /// # Errors
    /// It is not ours, or does not start.
    pub fn start_again(&self) -> io::Result<()> {
        self.own()?.start_again()
    }

    /// Has the server end the sessions of all its clients.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn disconnect_all(&self) -> io::Result<()> {
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )
        .await
    }

    /// Runs statements.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses one.
    pub async fn sql(&self, statements: &str) -> io::Result<()> {
        sql(&self.url, statements).await.map_err(io::Error::other)
    }

    /// A name for a schema that nobody else uses.
    pub fn schema(&self) -> Schema {
        Schema::new(&self.url)
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

/// Whether a server lets clients in.
fn answers(port: u16) -> bool {
    let ask = || -> io::Result<u8> {
        let mut connection = TcpStream::connect(("127.0.0.1", port))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        // The start of protocol 3.0: length, version, parameters.
        let parameters = b"user\0postgres\0database\0postgres\0\0";
        let length = u32::try_from(8 + parameters.len()).expect("they are short");
        let start = [&length.to_be_bytes()[..], &[0, 3, 0, 0], parameters].concat();
        connection.write_all(&start)?;
        let mut first = [0];
        connection.read_exact(&mut first)?;
        // Says goodbye, or else the server would note that we left.
        connection.write_all(b"X\0\0\0\x04")?;
        Ok(first[0])
    };
    // The answer is an authentication request (R) or an error (E).
    ask().is_ok_and(|first| first == b'R')
}
