//! Runs test cases and prints what libtest would, since this binary starts itself again and cannot have libtest's `main`.

use std::process::ExitCode;

use belts::{Clock as _, SystemClock};

use crate::Failure;

/// A test case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Why it cannot run here.
    pub(crate) ignored: Option<&'static str>,
    /// Passes with a line of figures, which may be empty.
    pub(crate) run: fn() -> Result<String, Failure>,
}

/// Flags of libtest that are followed by a value.
const WITH_VALUE: [&str; 7] = [
    "--test-threads",
    "--skip",
    "--format",
    "--color",
    "--logfile",
    "--shuffle-seed",
    "-Z",
];

#[derive(Default)]
struct Args {
    filters: Vec<String>,
    skip: Vec<String>,
    exact: bool,
    list: bool,
    ignored: Ignored,
}

/// What becomes of cases that cannot run here.
#[derive(Default, PartialEq, Eq)]
enum Ignored {
    #[default]
    AreTold,
    RunAlone,
    RunToo,
}

impl Args {
    fn parse(mut args: impl Iterator<Item = String>) -> Self {
        let mut parsed = Self::default();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--exact" => parsed.exact = true,
                "--list" => parsed.list = true,
                "--ignored" => parsed.ignored = Ignored::RunAlone,
                "--include-ignored" => parsed.ignored = Ignored::RunToo,
                "--skip" => parsed.skip.extend(args.next()),
                flag if WITH_VALUE.contains(&flag) => drop(args.next()),
                flag if flag.starts_with('-') => parsed
                    .skip
                    .extend(flag.strip_prefix("--skip=").map(str::to_owned)),
                _ => parsed.filters.push(arg),
            }
        }
        parsed
    }

    fn wants(&self, case: &Case) -> bool {
        let fits = |filter: &String| {
            if self.exact {
                case.name == filter
            } else {
                case.name.contains(filter.as_str())
            }
        };
        (self.ignored != Ignored::RunAlone || case.ignored.is_some())
            && (self.filters.is_empty() || self.filters.iter().any(fits))
            && !self.skip.iter().any(fits)
    }

    fn ignores(&self, case: &Case) -> Option<&'static str> {
        case.ignored.filter(|_| self.ignored == Ignored::AreTold)
    }
}

pub(crate) fn main(cases: &[Case]) -> ExitCode {
    let args = Args::parse(std::env::args().skip(1));
    let wanted: Vec<_> = cases.iter().filter(|case| args.wants(case)).collect();
    if args.list {
        for case in wanted {
            println!("{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    println!(
        "\nrunning {} test{}",
        wanted.len(),
        if wanted.len() == 1 { "" } else { "s" }
    );
    let start = SystemClock.now();
    let (mut failures, mut ignored) = (Vec::new(), 0);
    for case in &wanted {
        let name = case.name;
        if let Some(reason) = args.ignores(case) {
            println!("test {name} ... ignored, {reason}");
            ignored += 1;
            continue;
        }
        match (case.run)() {
            Ok(figures) if figures.is_empty() => println!("test {name} ... ok"),
            Ok(figures) => println!("test {name} ... ok\n{figures}"),
            Err(failure) => {
                println!("test {name} ... FAILED");
                failures.push((name, failure));
            }
        }
    }
    for (name, failure) in &failures {
        println!("\n---- {name} ----\n{failure}");
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; {ignored} ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failures.is_empty() { "ok" } else { "FAILED" },
        wanted.len() - failures.len() - ignored,
        failures.len(),
        cases.len() - wanted.len(),
        SystemClock.now().since(start).as_secs_f64(),
    );
    // 101 is what libtest says.
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(101)
    }
}
