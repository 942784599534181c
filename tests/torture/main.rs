//! The torture test: worker processes are killed and stopped at random while they drive runs on one store.
//!
//! What the functions do goes into one log (`trail`), and from that log alone it is proved afterwards (`judge`) that no
//! publish was lost, no recorded step ran again and no two workers advanced one run at a time.
//!
//! ```text
//! cargo test --test torture                             # at least 50 kills
//! BELTS_TORTURE_KILLS=500 cargo test --test torture     # longer
//! BELTS_TORTURE_SEED=17 cargo test --test torture       # the same kills as a run that printed this seed
//! ```

#[cfg(unix)]
mod agrees;
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
mod plan;
#[cfg(unix)]
mod random;
#[cfg(unix)]
mod siege;
#[cfg(unix)]
mod trail;
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
    cases::main(&[
        (
            "judge_objects_to_forged_logs",
            forged::judge_objects_to_forged_logs,
        ),
        ("sqlite_two_processes", siege::sqlite_two_processes),
    ])
}

#[cfg(not(unix))]
fn main() {
    println!("\ntest sqlite_two_processes ... ignored, processes are stopped by Unix signals");
    println!("\ntest result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n");
}
