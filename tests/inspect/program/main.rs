//! The program `belts`, as `belts/src/bin/belts.rs` has it.

fn main() -> std::process::ExitCode {
    belts::cli::main()
}
