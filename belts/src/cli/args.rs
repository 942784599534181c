//! What the program can be asked for.

use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, builder::PossibleValuesParser};
use clap_complete::Shell;

use crate::{
    clock::{Clock as _, SystemClock, Timestamp},
    inspect::when,
    store::RunStatus,
};

/// Shows runs of durable functions, and changes them
#[derive(Debug, Parser)]
#[command(name = "belts", version, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) place: PlaceArgs,

    /// Prints JSON, one object in each line
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Who asks for a change, as it stands in the log and with the run; the user and host where nothing is said
    #[arg(long = "as", global = true, value_name = "NAME")]
    pub(super) actor: Option<String>,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// Where the runs are.
#[derive(Debug, ClapArgs)]
pub(super) struct PlaceArgs {
    /// The store with the runs, such as `sqlite://belts.db` [env: `BELTS_STORE`]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "worker")]
    pub(super) store: Option<String>,

    /// A worker that serves HTTP, such as `https://app.example/belts` [env: `BELTS_WORKER`]; its token is taken from
    /// `BELTS_INSPECTION_TOKEN`
    #[arg(long, global = true, value_name = "URL")]
    pub(super) worker: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists runs, newest first
    Runs(ListArgs),
    /// Shows a run with its steps: how long each took, and why it failed
    Run {
        /// The run's id
        id: String,
        /// Shows the event's payload and what was recorded too
        #[arg(long)]
        values: bool,
    },
    /// Cancels runs that have not ended
    Cancel {
        /// The runs' ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Has failed or cancelled runs go on: what they have recorded stays
    Rerun(RerunArgs),
    /// Lists functions with the events that start them, and how many of their runs have not ended
    Functions {
        /// Only those that no living worker has: they were removed, or their program does not run
        #[arg(long)]
        orphaned: bool,
    },
    /// Cancels the runs of a function that no living worker has, so that nothing waits for it any more
    Forget {
        /// The function's id
        #[arg(value_name = "FUNCTION")]
        id: String,
        /// Does not ask before it cancels runs
        #[arg(long)]
        yes: bool,
    },
    /// Publishes an event
    Publish(PublishArgs),
    /// Removes runs that have ended, with all that they recorded
    Purge {
        /// Those that ended before this: so long ago, such as `30d`, or a date
        #[arg(long, value_name = "TIME", value_parser = moment)]
        before: Timestamp,
    },
    /// Prints a script with which a shell completes commands
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) which: Which,

    /// Only runs of this event
    #[arg(long, value_name = "ID")]
    pub(super) event: Option<String>,

    /// The most runs
    #[arg(long, value_name = "RUNS", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,

    /// Goes on after an earlier list, which says what to write here
    #[arg(long, value_name = "MARK")]
    pub(super) page: Option<String>,
}

/// Conditions of runs.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(super) struct Which {
    /// Only runs of this function
    #[arg(long, value_name = "ID")]
    pub(super) function: Option<String>,

    /// Only runs that stand like this; several, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(RunStatus::ALL.map(RunStatus::as_str)))]
    pub(super) status: Vec<String>,

    /// Only runs that ended, or whose event came, since this: so long ago, such as `24h`, or a date
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) since: Option<Timestamp>,

    /// Only runs that ended, or whose event came, before this
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) until: Option<Timestamp>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RerunArgs {
    /// The runs' ids
    #[arg(conflicts_with_all = ["status", "function", "since", "until"])]
    pub(super) ids: Vec<String>,

    #[command(flatten)]
    pub(super) which: Which,

    /// Drops what was recorded from this step on, so that it is done again
    #[arg(long, value_name = "STEP")]
    pub(super) from: Option<String>,

    /// Does not ask before it changes runs that were not named
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct PublishArgs {
    /// The event's type
    #[arg(value_name = "TYPE")]
    pub(super) event_type: String,

    /// The event as a JSON object without its type; `@file` takes it from a file, `-` from standard input
    #[arg(value_name = "JSON")]
    pub(super) payload: String,

    /// Publishes once for each type and key, however often this is called
    #[arg(long, value_name = "KEY")]
    pub(super) key: Option<String>,

    /// Starts the functions so much later, such as `10m`
    #[arg(long, value_name = "TIME", value_parser = delay)]
    pub(super) delay: Option<Duration>,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    when::moment(text, SystemClock.now())
}

fn delay(text: &str) -> Result<Duration, String> {
    when::duration(text).ok_or_else(|| "write a time such as `90s`, `10m` or `24h`".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_fit_together() {
        super::Args::command().debug_assert();
    }
}
