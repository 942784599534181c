//! The page on the program against its arguments.

use clap::{Arg, ArgAction, Command, CommandFactory as _, ValueEnum as _};

use super::Args;

#[test]
fn the_arguments_fit_together() {
    Args::command().debug_assert();
}

/// Help without its capital, as in the middle of a row.
fn lower(help: Option<&clap::builder::StyledStr>) -> String {
    let help = help.expect("help").to_string();
    let mut letters = help.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

/// `ID`, `ID…`, `--yes` or `--since TIME`.
fn shown(arg: &Arg) -> String {
    let name = arg.get_value_names().unwrap_or_default().join(" ");
    match (arg.get_long(), arg.get_action()) {
        (None, ArgAction::Append) => format!("{name}…"),
        (None, _) => name,
        (Some(long), ArgAction::SetTrue) => format!("--{long}"),
        (Some(long), _) => format!("--{long} {name}"),
    }
}

fn own_arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_global_set())
}

/// Every command with its whole name, those below others behind them.
fn commands(program: &Command) -> Vec<(String, &Command)> {
    let mut all = Vec::new();
    for command in program.get_subcommands() {
        all.push((command.get_name().to_owned(), command));
        for below in command.get_subcommands() {
            all.push((
                format!("{} {}", command.get_name(), below.get_name()),
                below,
            ));
        }
    }
    all
}

fn command_row(name: &str, command: &Command) -> String {
    let arguments: Vec<String> = own_arguments(command)
        .map(|arg| match (arg.is_required_set(), shown(arg)) {
            (true, shown) => format!(" {shown}"),
            (false, shown) => format!(" [{shown}]"),
        })
        .collect();
    let arguments = arguments.concat();
    let about = lower(command.get_about());
    format!("| `belts {name}{arguments}` | {about} |")
}

/// One row for what several commands have in common.
fn argument_rows(program: &Command) -> Vec<String> {
    let mut rows: Vec<(String, String, Vec<String>)> = Vec::new();
    for (name, command) in commands(program) {
        for arg in own_arguments(command) {
            let (shown, help) = (shown(arg), lower(arg.get_help()));
            let text = match arg.get_default_values() {
                [default] => format!("{help}; {} by default", default.display()),
                _ => help,
            };
            let of = format!("`{name}`");
            match rows.iter_mut().find(|row| row.0 == shown && row.1 == text) {
                Some(row) => row.2.push(of),
                None => rows.push((shown, text, vec![of])),
            }
        }
    }
    rows.into_iter()
        .map(|(shown, text, of)| format!("| `{shown}` | {} | {text} |", of.join(", ")))
        .collect()
}

fn assert_listed(header: &str, expected: &[String]) {
    let page = include_str!("../../../docs/inspection.md").lines();
    let listed: Vec<&str> = page
        .skip_while(|line| *line != header)
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(
        listed,
        expected,
        "the table below {header} should read:\n{}",
        expected.join("\n")
    );
}

#[test]
fn the_page_on_inspection_lists_every_command_and_argument_as_help_does() {
    let program = Args::command();
    let commands: Vec<String> = commands(&program)
        .iter()
        .map(|(name, command)| command_row(name, command))
        .collect();
    assert_listed("| command | what it does |", &commands);
    assert_listed("| argument | of | meaning |", &argument_rows(&program));
}

#[test]
fn the_help_names_every_shell() {
    let program = Args::command();
    let completions = program.find_subcommand("completions").expect("the command");
    let help = lower(own_arguments(completions).next().and_then(Arg::get_help));
    for shell in clap_complete::Shell::value_variants() {
        assert!(help.contains(&format!("`{shell}`")), "{help}");
    }
}

#[test]
fn the_page_on_inspection_names_the_options_of_every_command() {
    let page = include_str!("../../../docs/inspection.md");
    let program = Args::command();
    let global = program.get_arguments().filter(|arg| arg.is_global_set());
    for arg in global {
        let long = format!("`--{}", arg.get_long().expect("an option"));
        assert!(page.contains(&long), "{long}");
    }
}
