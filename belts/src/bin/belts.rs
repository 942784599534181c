//! The program `belts`: shows runs of durable functions, and changes them.

fn main() -> std::process::ExitCode {
    belts::cli::main()
}
