//! What stands in front of a worker on the same machine makes everybody look local. None of it opens anything.

use std::net::SocketAddr;

use belts::{Worker, store::Memory};
use tokio::net::{TcpListener, TcpStream};

use crate::shop::*;

/// Passes connections on, byte by byte, as `ssh -L` and the forwarders of clusters do.
async fn forwarder(to: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut from, &mut to).await);
            });
        }
    });
    url
}

/// Asks by this URL, as a stranger would who reaches the public address.
async fn opens_nothing(worker: &Worker, url: &str) {
    let client = reqwest::Client::new();
    let purge = client
        .post(format!("{url}/runs/purge?before=2999-01-01"))
        .header("content-type", "application/json");
    for request in [
        client.get(format!("{url}/runs")),
        client.get(format!("{url}/runs/failed?values=true")),
        purge,
    ] {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(matches!(status, 401 | 404), "{status}");
        let text = answer.text().await.unwrap();
        assert!(!text.contains("cents"), "{text}");
    }
    let described = client.get(url).send().await.unwrap().text().await.unwrap();
    assert_eq!(described, r#"{"belts":true}"#);
    assert!(worker.runs().get("failed").await.is_ok());
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}

/// Workers as people have them: for development with a file, where `serve` makes a token, and with a key.
async fn workers(shop: &str, directory: &tempfile::TempDir) -> [Worker; 2] {
    let file = directory.path().join("belts.db");
    let development = Worker::builder().store_url(format!("sqlite://{}", file.display()));
    let keyed = Worker::builder()
        .store(Memory::new())
        .signing_keys(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
    [
        with_failed_run(development, shop).await,
        with_failed_run(keyed, shop).await,
    ]
}

#[tokio::test]
async fn a_forwarder_of_connections_opens_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for worker in workers("forwarder", &directory).await {
        let (url, _serving) = served(&worker).await;
        let forwarded = forwarder(address(&url)).await;
        opens_nothing(&worker, &forwarded).await;
    }
}

/// `proxy_pass http://127.0.0.1:8787` and nothing else sends `Host: 127.0.0.1:8787` and no header of a proxy.
#[cfg_attr(not(has_nginx), ignore = "no nginx found: install it (nginx-light)")]
#[tokio::test]
async fn nginx_as_it_is_installed_opens_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for worker in workers("nginx", &directory).await {
        let (url, _serving) = served(&worker).await;
        let nginx = belts_suite::servers::Nginx::before(address(&url)).unwrap();
        opens_nothing(&worker, &nginx.url()).await;
    }
}
