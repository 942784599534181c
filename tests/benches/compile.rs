//! How long the compiler takes to check a function of many steps.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Outcome,
    measure::{Directory, median, now},
    report::{Row, Target},
};

const STEPS: usize = 500;
const ROUNDS: usize = 3;

pub(crate) fn many_steps() -> Outcome {
    let package = Package::create()?;
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        // What is below it is checked here, and none of the steps is known from the round before.
        package.check(1)?;
        seconds.push(package.check(STEPS)?);
    }
    Row {
        name: "compile-500",
        value: median(&mut seconds),
        unit: "s",
        limit: None,
        target: Target::AtMost(10.0),
    }
    .print();
    Ok(())
}

/// A package with one function.
struct Package {
    directory: Directory,
    /// Kept from one run of the benchmarks to the next, since it takes minutes to fill.
    target: PathBuf,
}

impl Package {
    fn create() -> Outcome<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = Directory::new()?;
        fs::create_dir(directory.file("src"))?;
        let manifest = format!(
            "[package]\nname = \"many-steps\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nbelts = {{ path = '{}' }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n\n\
             [workspace]\n",
            root.join("belts").display()
        );
        fs::write(directory.file("Cargo.toml"), manifest)?;
        fs::copy(root.join("Cargo.lock"), directory.file("Cargo.lock"))?;
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile-500");
        Ok(Self { directory, target })
    }

    /// Checks it with so many steps; the seconds that this took.
    fn check(&self, steps: usize) -> Outcome<f64> {
        fs::write(self.directory.file("src/lib.rs"), source(steps)?)?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["check", "--offline", "--quiet"])
            .env("CARGO_TARGET_DIR", &self.target)
            .current_dir(&self.directory);
        let begun = now();
        let status = command.status()?;
        let took = begun.elapsed().as_secs_f64();
        if status.success() {
            Ok(took)
        } else {
            Err(format!("a function of {steps} steps does not compile").into())
        }
    }
}

fn source(steps: usize) -> Outcome<String> {
    let mut source = "use belts::{Event, step};\nuse serde::{Deserialize, Serialize};\n\n\
                      #[derive(Serialize, Deserialize, Event)]\npub struct Ordered {\n    pub n: u64,\n}\n\n\
                      async fn charge(n: u64) -> belts::Result<u64> {\n    Ok(n)\n}\n\n\
                      #[belts::function(id = \"many-steps\", on = Ordered)]\n\
                      pub async fn many_steps(order: Ordered) -> belts::Result<u64> {\n    let sum = order.n;\n"
        .to_owned();
    for step in 0..steps {
        writeln!(
            source,
            "    let sum = step!(\"charge-{step}\", charge(order.n + sum)).await?;"
        )?;
    }
    source.push_str("    Ok(sum)\n}\n");
    Ok(source)
}
