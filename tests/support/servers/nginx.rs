//! An nginx in front of something on this machine, as its package and one line of settings leave it.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    process::Command,
};

use super::{
    installed,
    process::{Server, directory},
};

/// `$0` is the program, `$1` its directory, `$2` what it stands before, and `$3` its port, which comes last.
const START: &str = r#"
cat > nginx.conf <<END
worker_processes 1;
master_process off;
daemon off;
pid $1/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $1/body;
    proxy_temp_path $1/proxy;
    fastcgi_temp_path $1/fastcgi;
    uwsgi_temp_path $1/uwsgi;
    scgi_temp_path $1/scgi;
    server {
        listen 127.0.0.1:$3;
        location / { proxy_pass http://$2; }
    }
}
END
exec "$0" -p "$1" -c "$1/nginx.conf"
"#;

/// A proxy in front of an address.
#[derive(Debug)]
pub struct Nginx {
    server: Server,
}

impl Nginx {
    /// Starts one, and returns when it answers.
    ///
    /// # Errors
    /// nginx is not installed, or does not start.
    pub fn before(address: SocketAddr) -> io::Result<Self> {
        let program = installed::nginx()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no nginx found: install it"))?;
        let directory = directory("nginx");
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("cd \"$1\" || exit\n{START}"))
            .arg(program)
            .arg(&directory)
            .arg(address.to_string());
        let answers = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
        let server = Server::start(directory, "KILL", answers, &command, || Ok(()))?;
        Ok(Self { server })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }
}
