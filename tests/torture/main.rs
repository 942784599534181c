//! The torture test: worker processes are killed and stopped at random while they drive runs on one store; where that
//! is a server, it is killed and restarted too, and the connections with it are cut, delayed and refused.
//!
//! What the functions do goes into one log (`trail`), and from that log alone it is proved afterwards (`judge`) that no
//! publish was lost, no recorded step ran again and no two workers advanced one run at a time.
//!
//! ```text
//! cargo test --test torture                             # at least 50 kills on SQLite, 20 on each server
//! BELTS_TORTURE_KILLS=500 cargo test --test torture     # longer
//! BELTS_TORTURE_SEED=17 cargo test --test torture       # the same kills as a run that printed this seed
//! cargo test --test torture -- postgres                 # one store alone
//! BELTS_TORTURE_OLD=/tmp/torture cargo test --test torture   # this suite as an earlier release built it is the old version
//! ```

#[cfg(unix)]
mod agrees;
#[cfg(unix)]
mod campaign;
#[cfg(unix)]
mod cases;
#[cfg(unix)]
mod forged;
#[cfg(unix)]
mod functions;
#[cfg(unix)]
mod history;
#[cfg(unix)]
mod judge;
#[cfg(unix)]
mod log;
#[cfg(unix)]
mod patience;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod plan;
#[cfg(unix)]
mod proxy;
#[cfg(unix)]
mod random;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod siege;
#[cfg(unix)]
mod trail;
#[cfg(unix)]
mod versions;
#[cfg(unix)]
mod victim;
#[cfg(unix)]
mod worker;

/// What went wrong, for people.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    // The test starts this binary again for each worker.
    if let Some(directory) = std::env::var_os(worker::DIRECTORY) {
        return worker::main(directory.as_ref());
    }
    let missing = |is_there: bool, reason| (!is_there).then_some(reason);
    cases::main(&[
        cases::Case {
            name: "judge_objects_to_forged_logs",
            ignored: None,
            run: forged::judge_objects_to_forged_logs,
        },
        cases::Case {
            name: "sqlite_two_processes",
            ignored: None,
            run: campaign::sqlite_two_processes,
        },
        cases::Case {
            name: "postgres_four_processes",
            ignored: missing(cfg!(own_postgres), "no PostgreSQL server is installed"),
            run: campaign::postgres_four_processes,
        },
        cases::Case {
            name: "redis_four_processes",
            ignored: missing(cfg!(own_redis), "no Redis server is installed"),
            run: campaign::redis_four_processes,
        },
    ])
}

#[cfg(not(unix))]
fn main() {
    println!("\ntest sqlite_two_processes ... ignored, processes are stopped by Unix signals");
    println!("\ntest result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n");
}
