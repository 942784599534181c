//! One siege from an empty store to the verdict, for each store.

use std::{
    fs,
    path::{Path, PathBuf},
};

use belts::{Clock as _, SystemClock};

use crate::{
    Failure,
    place::{Kind, Place},
    server::Server,
    siege::Orders,
    trail::Process,
};

/// Some have a name, and take their own runs back when they restart; the others have none.
const FOUR: [Option<&str>; 4] = [Some("first"), Some("second"), None, None];

pub(crate) fn sqlite_two_processes() -> Result<String, Failure> {
    besiege(Kind::Sqlite, &FOUR[1..3], 50)
}

pub(crate) fn postgres_four_processes() -> Result<String, Failure> {
    besiege(Kind::Postgres, &FOUR, 20)
}

pub(crate) fn redis_four_processes() -> Result<String, Failure> {
    besiege(Kind::Redis, &FOUR, 20)
}

/// Lays a siege with workers of these names, and so many kills unless the environment wants more.
fn besiege(kind: Kind, names: &[Option<&'static str>], kills: usize) -> Result<String, Failure> {
    let kills = std::env::var("BELTS_TORTURE_KILLS").map_or(Ok(kills), |kills| kills.parse())?;
    let now = u64::try_from(SystemClock.now().as_millis())? % 1_000_000;
    let seed: u64 = std::env::var("BELTS_TORTURE_SEED").map_or(Ok(now), |seed| seed.parse())?;
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("torture-{kind:?}-{seed}-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let start = SystemClock.now();
    let told = runtime.block_on(async {
        let log = Process::open(&directory, seed)?;
        let place = kind.prepare(&directory, log).await?;
        let orders = Orders {
            directory: &directory,
            place: &place,
            names,
            kills,
            seed,
            log,
        };
        orders
            .lay()
            .await
            .map_err(|error| explain(&directory, &place, &error))
    });
    let seconds = SystemClock.now().since(start).as_secs_f64();
    match told {
        Ok(verdict) => {
            fs::remove_dir_all(&directory)?;
            Ok(format!(
                "torture: seed {seed}, {}; {seconds:.1} s",
                verdict.figures
            ))
        }
        Err(text) => Err(format!(
            "seed {seed}, after {seconds:.1} s, log in {}: {text}",
            directory.display()
        )
        .into()),
    }
}

/// What went wrong, with the end of what the workers and the server said.
fn explain(directory: &Path, place: &Place, error: &Failure) -> Failure {
    let workers = fs::read_to_string(directory.join("worker.err")).unwrap_or_default();
    let server = place.server.as_ref().map(Server::said).unwrap_or_default();
    // It is gone soon, and with it its own log.
    drop(fs::write(directory.join("server.log"), &server));
    format!(
        "{error}\n-- the workers said at last:\n{}\n-- the server said at last:\n{}",
        end(&workers),
        end(&server)
    )
    .into()
}

fn end(said: &str) -> String {
    let said: Vec<_> = said
        .lines()
        .filter(|line| !line.contains("on purpose"))
        .collect();
    said[said.len().saturating_sub(10)..].join("\n")
}
