//! Metrics as Datadog's agent is sent them, with tags.

use std::time::Duration;

use belts::{Worker, store::Memory};
use metrics_exporter_dogstatsd::DogStatsDBuilder;
use tokio::net::UdpSocket;

use crate::measured::*;

#[tokio::test]
async fn labels_arrive_as_tags() {
    let agent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let recorder = DogStatsDBuilder::default()
        .with_remote_address(agent.local_addr().unwrap().to_string())
        .unwrap()
        .with_flush_interval(Duration::from_millis(10))
        .build()
        .unwrap();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let builder = Worker::builder().store(Memory::new()).function(measured);
    let worker = builder.build().await.unwrap();
    worker.execute(Measured { end: End::Well }).await.unwrap();
    let heard = async {
        let mut buffer = vec![0; 65_536];
        loop {
            let length = agent.recv(&mut buffer).await.unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            // A counter that is known and has counted nothing is sent as well.
            let completed = text.lines().find(|line| {
                line.contains("belts_runs_completed_total:") && !line.contains(":0|c")
            });
            if let Some(line) = completed {
                break line.to_owned();
            }
        }
    };
    let line = within("the agent hears of the run", heard).await;
    assert!(
        line.contains(":1|c") && line.contains("|#function:measured"),
        "{line}"
    );
}
