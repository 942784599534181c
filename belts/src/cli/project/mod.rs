//! The command `new`: a small project that builds, tests and runs.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    print::{self, Out},
    wrong::Wrong,
};

const MAIN: &str = include_str!("main.rs");
const IGNORED: &str = "/target\n/belts.db*\n";
/// Names of crates that cargo does not take, or that mean another crate in the project.
const TAKEN: [&str; 13] = [
    "alloc",
    "belts",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "proc_macro",
    "serde",
    "std",
    "test",
    "tokio",
    "tracing_subscriber",
];

#[derive(Serialize)]
struct Created<'a> {
    created: &'a str,
}

/// Writes the project into a folder that is new, or empty.
pub(super) fn new(folder: &Path, clone: Option<&Path>, out: Out) -> Result<(), Wrong> {
    let name = folder.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        Wrong::usage(format!(
            "`{}` has no name for a project in it",
            folder.display()
        ))
    })?;
    check_name(name)?;
    let belts = match clone {
        Some(clone) => from_clone(folder, clone)?,
        None => format!("version = \"{}\"", env!("CARGO_PKG_VERSION")),
    };
    make_folder(folder)?;
    let files = [
        ("Cargo.toml", manifest(name, &belts)),
        ("src/main.rs", MAIN.to_owned()),
        (".gitignore", IGNORED.to_owned()),
    ];
    for (file, text) in files {
        write(&folder.join(file), &text)?;
    }
    if out.json {
        return print::object(&Created { created: name });
    }
    let place = print::plain(&folder.display().to_string());
    print::write(&format!(
        "created {place}: one event, one function of three steps, and its tests\n\n  \
         cd {place}\n  \
         cargo test   # with a crash at every point\n  \
         cargo run    # prints the address of the dashboard\n  \
         belts publish order-placed '{{\"order\":\"o-1\",\"cents\":1290}}'   # from another terminal\n\n\
         Kill it while it packs, and start it again.\n"
    ))
}

/// Refuses names that cargo would refuse later, or that mean something else in the project.
fn check_name(name: &str) -> Result<(), Wrong> {
    let is_usual = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let shown = print::plain(name);
    if !name.chars().all(is_usual) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(Wrong::usage(format!(
            "`{shown}` is no name for a crate: write lower-case letters, digits, `-` and `_`, with a letter first"
        )));
    }
    let word = name.replace('-', "_");
    if TAKEN.contains(&word.as_str()) || is_keyword(&word) {
        return Err(Wrong::usage(format!(
            "`{shown}` cannot be the name of a crate here: it has a meaning of its own; choose another, such as `{shown}-app`"
        )));
    }
    Ok(())
}

/// Whether a word is one of the language.
fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 51] = [
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
        "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
        "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
        "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type",
        "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
    ];
    KEYWORDS.contains(&word)
}

/// How the project finds belts in a clone of its repository.
fn from_clone(folder: &Path, clone: &Path) -> Result<String, Wrong> {
    let belts = fs::canonicalize(clone.join("belts")).map_err(|error| {
        Wrong::failed(
            &format!("there is no belts in `{}`", clone.display()),
            error,
        )
    })?;
    // The clone is a workspace, and cargo takes every package below it for a part of it.
    let root = belts.parent().unwrap_or(&belts);
    let above = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let above = above
        .ancestors()
        .find_map(|above| fs::canonicalize(above).ok());
    if above.is_some_and(|above| above.starts_with(root)) {
        return Err(Wrong::usage(format!(
            "the project would be in the clone itself, and cargo would take it for a part of belts; write `belts new ../{} --path .`",
            folder
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or("shop"),
        )));
    }
    let text = belts
        .to_str()
        .filter(|text| !text.contains(['"', '\\', '\n']));
    let text = text
        .ok_or_else(|| Wrong::usage("the path of the clone cannot be written into a manifest"))?;
    Ok(format!("path = \"{text}\""))
}

fn make_folder(folder: &Path) -> Result<(), Wrong> {
    let shown = folder.display();
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => {
            return Err(Wrong::usage(format!(
                "the folder `{shown}` is not empty; name one that is new"
            )));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Wrong::failed(&format!("cannot write to `{shown}`"), error)),
    }
    let source: PathBuf = folder.join("src");
    fs::create_dir_all(source)
        .map_err(|error| Wrong::failed(&format!("cannot make the folder `{shown}`"), error))
}

/// Writes a file that is not there.
fn write(path: &Path, text: &str) -> Result<(), Wrong> {
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    made.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Wrong::failed(&format!("cannot write `{}`", path.display()), error))
}

fn manifest(name: &str, belts: &str) -> String {
    let rust = env!("CARGO_PKG_RUST_VERSION");
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"
rust-version = "{rust}"

[dependencies]
# Add "postgres" or "redis" to its features to keep the runs there: BELTS_STORE says where.
belts = {{ {belts}, features = ["dashboard"] }}
serde = {{ version = "1", features = ["derive"] }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}
# Shows what happens; belts logs by `tracing`.
tracing-subscriber = "0.3"

[dev-dependencies]
belts = {{ {belts}, features = ["testing"] }}
"#
    )
}
