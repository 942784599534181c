//! The program `belts`: its arguments, where the runs are, and its output.
//!
//! Each command is written once, against `Place`, which is a store or a worker.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

mod actor;
mod args;
mod bulk;
mod complete;
mod direct;
mod functions;
mod named;
mod open;
mod pages;
mod place;
mod print;
mod project;
mod publish;
mod reencrypt;
mod remote;
mod runs;
mod schedules;
mod settle;
mod table;
mod ui;
mod wrong;

use args::{Args, Command};
use print::Out;
use wrong::Wrong;

/// Runs the command in this process's arguments.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => Err(Wrong::failed("cannot start", error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => wrong.tell(),
    }
}

async fn run(args: Args) -> Result<(), Wrong> {
    let out = Out::new(args.json);
    if let Command::Completions { shell } = args.command {
        return completions(shell);
    }
    if let Command::New { folder, path } = &args.command {
        return project::new(folder, path.as_deref(), out);
    }
    match &args.command {
        Command::Cancel(asked) => asked.check()?,
        Command::Rerun(asked) => asked.check()?,
        _ => {}
    }
    let actor = actor::actor(args.actor.as_deref());
    if let Command::Ui { port } = args.command {
        return ui::ui(args.place, port.unwrap_or(0), &actor).await;
    }
    let place = args.place.open(&actor).await?;
    let place = &*place;
    match args.command {
        Command::Runs(asked) => runs::list(place, &asked, out).await,
        Command::Run { id, values } => runs::show(place, &id, values, out).await,
        Command::Export { id } => runs::export(place, &id).await,
        Command::Cancel(asked) if asked.ids.is_empty() => bulk::cancel(place, &asked, out).await,
        Command::Cancel(asked) => runs::cancel(place, &asked.ids, out).await,
        Command::Rerun(asked) => runs::rerun(place, &asked, out).await,
        Command::Purge { before } => runs::purge(place, before, out).await,
        Command::Functions { orphaned } => functions::list(place, orphaned, out).await,
        Command::Pause { id } => functions::pause(place, &id, out).await,
        Command::Resume { id } => functions::resume(place, &id, out).await,
        Command::Forget { id, yes } => functions::forget(place, &id, yes, out).await,
        Command::Schedules { command } => schedules::run(place, command, out).await,
        Command::Publish(asked) => publish::publish(place, asked, out).await,
        Command::Complete(asked) => complete::complete(place, asked, out).await,
        Command::Settle(asked) => settle::settle(place, asked, out).await,
        Command::Reencrypt => reencrypt::reencrypt(place, out).await,
        Command::New { .. } | Command::Ui { .. } | Command::Completions { .. } => Ok(()),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<(), Wrong> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "belts", &mut script);
    print::write(&String::from_utf8_lossy(&script))
}
