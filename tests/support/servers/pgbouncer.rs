//! A pooler before a PostgreSQL server, for tests.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use super::{
    installed,
    process::{Server, directory},
    user::User,
};

/// A `PgBouncer` of our own.
#[derive(Debug)]
pub struct PgBouncer {
    server: Server,
}

impl PgBouncer {
    /// Starts a pooler before the server on this port of this machine, with further lines of `pgbouncer.ini`.
    ///
    /// # Errors
    /// `PgBouncer` is not installed, or does not start; the text has the end of what it said.
    pub fn start(port: u16, settings: &str) -> io::Result<Self> {
        let program = installed::pgbouncer().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "no PgBouncer found: install it")
        })?;
        let directory = directory("pgbouncer");
        let user = User::find()?;
        // It takes its port from a file alone, so a shell writes that first.
        let mut command = user.command("/bin/sh".as_ref());
        let script = "sed \"s/PORT/$2/\" \"$1/template\" > \"$1/pgbouncer.ini\" && exec \"$0\" \"$1/pgbouncer.ini\"";
        command.arg("-c").arg(script).arg(program).arg(&directory);
        let template = format!(
            "[databases]\npostgres = host=127.0.0.1 port={port} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = PORT\n\
             unix_socket_dir =\nauth_type = any\n{settings}\n"
        );
        let owner = directory.clone();
        let server = Server::start(directory, "TERM", answers, &command, || {
            fs::write(owner.join("template"), template)?;
            user.give(&owner)
        })?;
        Ok(Self { server })
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/postgres",
            self.server.port()
        )
    }
}

/// Whether it lets clients in, or says why not.
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
        Ok(first[0])
    };
    ask().is_ok_and(|first| first == b'R')
}
