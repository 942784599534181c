//! The command line of the program.

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Parser, Subcommand, builder::PossibleValuesParser};
use clap_complete::Shell;

use crate::{
    clock::{Clock as _, SystemClock, Timestamp},
    inspect::when,
    store::{RunStatus, Tag},
};

/// Shows and changes runs of durable functions
#[derive(Debug, Parser)]
#[command(name = "belts", version, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) place: PlaceArgs,

    /// Prints JSON, one object per line
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Who makes a change, as shown in the log and on the run; by default the user and host
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

    /// A worker that serves HTTP, such as `https://app.example/belts` [env: `BELTS_WORKER`]; its token is read from
    /// `BELTS_INSPECTION_TOKEN`
    #[arg(long, global = true, value_name = "URL")]
    pub(super) worker: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Writes a small project into a new folder: an event, a function, tests, and a program that serves them
    New {
        /// The folder, whose last part names the project
        #[arg(value_name = "NAME")]
        folder: PathBuf,
        /// A clone of the repository of belts, to build with in place of a release
        #[arg(long, value_name = "CLONE")]
        path: Option<PathBuf>,
    },
    /// Lists runs, newest first
    Runs(ListArgs),
    /// Shows a run with its steps: how long each took, and why it failed
    Run {
        /// The run's id
        id: String,
        /// Also shows the event's payload and the recorded results
        #[arg(long)]
        values: bool,
    },
    /// Prints a run with its event and its journal as JSON, which a test can replay
    Export {
        /// The run's id
        #[arg(value_name = "RUN")]
        id: String,
    },
    /// Cancels runs that have not ended, with their attached children: those with these ids, or all that match the filters
    Cancel(CancelArgs),
    /// Resumes failed or cancelled runs; what they have recorded stays
    Rerun(RerunArgs),
    /// Lists functions with the events that start them, and how many of their runs have not ended
    Functions {
        /// Only those that no running worker has: they were removed, or their program is not running
        #[arg(long)]
        orphaned: bool,
    },
    /// Pauses a function: its runs wait, in every process, until it is resumed
    Pause {
        /// The function's id
        #[arg(value_name = "FUNCTION")]
        id: String,
    },
    /// Resumes a function that was paused: what is due of it goes on
    Resume {
        /// The function's id
        #[arg(value_name = "FUNCTION")]
        id: String,
    },
    /// Cancels the runs of a function that no running worker has, so that nothing waits for it any more; asks first
    Forget {
        /// The function's id
        #[arg(value_name = "FUNCTION")]
        id: String,
        /// Does not ask before cancelling runs
        #[arg(long)]
        yes: bool,
    },
    /// Lists what the clock starts, and changes it
    Schedules {
        #[command(subcommand)]
        command: Option<ScheduleCommand>,
    },
    /// Publishes an event
    Publish(PublishArgs),
    /// Completes a callback, as whoever has its URL could
    Complete(CompleteArgs),
    /// Says what came of a step that waits for that: nobody knows whether it has happened
    Settle(SettleArgs),
    /// Removes runs that have ended, with everything they recorded, and events that started nothing
    Purge {
        /// Those that ended before this: an age, such as `30d`, or a date
        #[arg(long, value_name = "TIME", value_parser = moment)]
        before: Timestamp,
    },
    /// Encrypts everything in a store with the first of the keys in `BELTS_ENCRYPTION_KEYS`, also what was not encrypted
    Reencrypt,
    /// Serves the dashboard of a store on this machine, and prints a link that signs in once
    Ui {
        /// The port to listen on; by default one that is free
        #[arg(long, value_name = "PORT")]
        port: Option<u16>,
    },
    /// Prints a shell completion script
    Completions {
        /// The shell: `bash`, `elvish`, `fish`, `powershell` or `zsh`
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// Shows the next ticks: of one schedule, or of all
    Next {
        /// The name of the schedule
        name: Option<String>,
        /// How many
        #[arg(short = 'n', long, value_name = "TICKS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=100))]
        count: u32,
    },
    /// Pauses a schedule: it does not tick until it is resumed
    Pause {
        /// The name of the schedule
        name: String,
    },
    /// Resumes a schedule: its ticks count from now on
    Resume {
        /// The name of the schedule
        name: String,
    },
    /// Starts a run now, whatever the plan
    Trigger {
        /// The name of the schedule
        name: String,
    },
    /// Removes a schedule that was put at run time, or whose function no running worker has
    Remove {
        /// The name of the schedule
        name: String,
    },
    /// Makes a schedule, or changes it
    Put(PutArgs),
}

#[derive(Debug, ClapArgs)]
pub(super) struct PutArgs {
    /// The name of the schedule, such as `tenant-7`
    pub(super) name: String,

    /// The id of the function that it starts, which takes a `Tick`
    pub(super) function: String,

    /// When it ticks, as a cron expression of five or six fields
    #[arg(
        long,
        value_name = "EXPRESSION",
        required_unless_present = "every",
        conflicts_with = "every"
    )]
    pub(super) cron: Option<String>,

    /// The time zone of the expression; UTC by default
    #[arg(long, value_name = "ZONE", conflicts_with = "every")]
    pub(super) tz: Option<String>,

    /// How often it ticks, such as `15m`
    #[arg(long, value_name = "TIME", value_parser = delay)]
    pub(super) every: Option<Duration>,

    /// What becomes of ticks at whose time no worker was there
    #[arg(long, default_value = "latest", value_parser = ["latest", "skip", "all"])]
    pub(super) missed: String,

    /// What becomes of a tick while the run of the last one goes on
    #[arg(long, default_value = "skip", value_parser = ["skip", "queue", "allow", "cancel"])]
    pub(super) overlap: String,

    /// How much later a run may start, such as `30s`
    #[arg(long, value_name = "TIME", value_parser = delay)]
    pub(super) jitter: Option<Duration>,

    /// What its runs are given, as JSON
    #[arg(long, value_name = "JSON")]
    pub(super) data: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) which: Which,

    /// Only runs of this event
    #[arg(long, value_name = "ID")]
    pub(super) event: Option<String>,

    /// Only runs that this run has called or started
    #[arg(long, value_name = "RUN")]
    pub(super) parent: Option<String>,

    /// The maximum number of runs
    #[arg(long, value_name = "RUNS", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,

    /// Continues an earlier list, which shows the value to use
    #[arg(long, value_name = "MARK")]
    pub(super) page: Option<String>,
}

/// Filters for runs.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(super) struct Which {
    /// Only runs of this function
    #[arg(long, value_name = "ID")]
    pub(super) function: Option<String>,

    /// Only runs with this status, or one of several separated by commas
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(RunStatus::ALL.map(RunStatus::as_str)))]
    pub(super) status: Vec<String>,

    /// Only runs with this tag, as in `customer=c-17`; given again, runs with all of them
    #[arg(long, value_name = "NAME=VALUE", value_parser = tag)]
    pub(super) tag: Vec<Tag>,

    /// Only runs that ended, or whose event was published, since this: an age, such as `24h`, or a date
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) since: Option<Timestamp>,

    /// Only runs that ended, or whose event was published, before this
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) until: Option<Timestamp>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CancelArgs {
    /// The runs' ids
    #[arg(value_name = "ID", conflicts_with_all = ["status", "function", "tag", "since", "until", "event", "parent", "limit"])]
    pub(super) ids: Vec<String>,

    #[command(flatten)]
    pub(super) which: Which,

    /// Only runs of this event
    #[arg(long, value_name = "ID")]
    pub(super) event: Option<String>,

    /// Only runs that this run has called or started
    #[arg(long, value_name = "RUN")]
    pub(super) parent: Option<String>,

    /// Cancels at most so many runs, the newest first; attached children come on top
    #[arg(long, value_name = "RUNS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: Option<u32>,

    /// Does not ask before changing runs that were selected by filters
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RerunArgs {
    /// The runs' ids
    #[arg(value_name = "ID", conflicts_with_all = ["status", "function", "tag", "since", "until"])]
    pub(super) ids: Vec<String>,

    #[command(flatten)]
    pub(super) which: Which,

    /// Discards everything recorded from this step on, so that it is done again
    #[arg(long, value_name = "STEP")]
    pub(super) from: Option<String>,

    /// Does not ask before changing runs that were selected by filters
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct PublishArgs {
    /// The event's type
    #[arg(value_name = "TYPE")]
    pub(super) event_type: String,

    /// The event as a JSON object without its type; `@file` reads it from a file, `-` from standard input
    #[arg(value_name = "JSON")]
    pub(super) payload: String,

    /// Publishes once per type and key, however often this is called
    #[arg(long, value_name = "KEY")]
    pub(super) key: Option<String>,

    /// Starts the functions after this delay, such as `10m`
    #[arg(long, value_name = "TIME", value_parser = delay)]
    pub(super) delay: Option<Duration>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CompleteArgs {
    /// The callback's id
    pub(super) id: String,

    /// The value as JSON; `@file` reads it from a file, `-` from standard input
    #[arg(
        value_name = "JSON",
        required_unless_present = "fail",
        allow_negative_numbers = true,
        conflicts_with = "fail"
    )]
    pub(super) value: Option<String>,

    /// Has it fail, with this text, instead of a value
    #[arg(long, value_name = "TEXT")]
    pub(super) fail: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SettleArgs {
    /// The run's id
    #[arg(value_name = "RUN")]
    pub(super) id: String,

    /// The step, by its path as `belts run` shows it
    #[arg(value_name = "STEP")]
    pub(super) step: String,

    /// It has happened, and this is its result as JSON; `@file` reads it from a file, `-` from standard input
    #[arg(
        long,
        value_name = "JSON",
        required_unless_present_any = ["retry", "fail"],
        allow_negative_numbers = true,
        conflicts_with_all = ["retry", "fail"]
    )]
    pub(super) value: Option<String>,

    /// Has it evaluated again
    #[arg(long, conflicts_with = "fail")]
    pub(super) retry: bool,

    /// Has it fail, with this text
    #[arg(long, value_name = "TEXT")]
    pub(super) fail: Option<String>,
}

fn tag(text: &str) -> Result<Tag, String> {
    Tag::parse(text)
        .filter(|tag| !tag.value.is_empty())
        .ok_or_else(|| "a tag is a name and a value, as in `customer=c-17`".to_owned())
}

fn moment(text: &str) -> Result<Timestamp, String> {
    when::moment(text, SystemClock.now())
}

fn delay(text: &str) -> Result<Duration, String> {
    when::duration(text).ok_or_else(|| "write a time such as `90s`, `10m` or `24h`".to_owned())
}

#[cfg(test)]
mod tests;
