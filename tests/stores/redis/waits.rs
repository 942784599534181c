//! How much a wait looks at, among many events of its type and key.

use belts::store::{After, Publish, Redis, Store};
use belts_suite::servers;
use redis::cmd;

use crate::requests::{at, begin, commit, paid, waiting, worker};

const EVENTS: usize = 2_000;
const WAITS: u32 = 20;

/// How often a script has looked at one event of a lane.
fn looks(server: &servers::Redis) -> usize {
    let stats = cmd("INFO").arg("commandstats").to_owned();
    let stats: String = server.command(&stats).expect("the server runs");
    let calls = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_hget:calls="));
    let calls = calls.and_then(|rest| rest.split(',').next());
    calls.map_or(0, |calls| calls.parse().expect("it is a number"))
}

/// Each wait that begins at a time looked at all events of its type and key, from the first on.
#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test]
async fn wait_that_begins_at_a_time_does_not_look_at_what_was_long_before() -> belts::Result<()> {
    let server = servers::Redis::options()
        .start()
        .expect("the server starts");
    let store = Redis::open(server.url()).await?;
    let worker = worker(&store).await?;
    let (_, first) = begin(&store, "first", worker).await?;
    commit(&store, first, vec![waiting(0, After::Start)], None).await?;
    let events = (0..EVENTS).map(|number| paid(&format!("p-{number}")));
    let request = Publish::new(events.collect(), at(0));
    store.publish(request).await?;
    let before = looks(&server);
    let later = After::Time(at(100_000));
    let waits = (1..=WAITS).map(|seq| waiting(seq, later)).collect();
    commit(&store, first, waits, None).await?;
    let looked = looks(&server) - before;
    assert!(looked < 30 * WAITS as usize, "{looked} looks");
    assert!(
        store.arrived(&[first]).await?[0]
            .1
            .iter()
            .all(|one| one.seq == 0)
    );
    Ok(())
}
