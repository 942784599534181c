//! Tells the tests which servers there are, since a test can be ignored only when it is compiled.
//!
//! `has_postgres` and `has_redis`: a server that a test may use. `own_postgres` and `own_redis`: one that it may start and
//! stop as well. `has_pgbouncer`: a pooler to put before one of these. `has_nginx`: a proxy that it may start. `has_node` and
//! `has_python`: a runtime with its installer of packages, for clients that are not ours.
//! With `BELTS_TEST_ALL` all of them are set, so that what is missing fails the tests.

use std::{env, path::PathBuf};

#[path = "servers/installed.rs"]
mod installed;

fn main() {
    println!("cargo::rerun-if-changed=tests/support/build.rs");
    println!("cargo::rerun-if-changed=tests/support/servers/installed.rs");
    println!("cargo::rerun-if-env-changed=BELTS_TEST_ALL");
    println!("cargo::rerun-if-env-changed={}", installed::POSTGRES_BIN);
    let postgres = installed::postgres().map(|directory| directory.join("postgres"));
    tell("postgres", installed::POSTGRES_URL, postgres);
    tell("redis", installed::REDIS_URL, installed::redis());
    tell_runtime("pgbouncer", installed::pgbouncer());
    tell_runtime("nginx", installed::nginx());
    tell_runtime("node", installed::node());
    tell_runtime("python", installed::python());
}

fn tell_runtime(runtime: &str, program: Option<PathBuf>) {
    println!("cargo::rustc-check-cfg=cfg(has_{runtime})");
    if env::var_os("BELTS_TEST_ALL").is_some() || program.is_some() {
        println!("cargo::rustc-cfg=has_{runtime}");
    }
    watch(program);
}

fn tell(server: &str, url: &str, program: Option<PathBuf>) {
    println!("cargo::rustc-check-cfg=cfg(has_{server}, own_{server})");
    println!("cargo::rerun-if-env-changed={url}");
    let all = env::var_os("BELTS_TEST_ALL").is_some();
    if all || program.is_some() {
        println!("cargo::rustc-cfg=own_{server}");
    }
    if all || program.is_some() || env::var_os(url).is_some() {
        println!("cargo::rustc-cfg=has_{server}");
    }
    watch(program);
}

fn watch(program: Option<PathBuf>) {
    match program {
        Some(program) => println!("cargo::rerun-if-changed={}", program.display()),
        None => watch_for_installation(),
    }
}

/// Has this script run again when a program was installed: then a directory of programs changed.
fn watch_for_installation() {
    println!("cargo::rerun-if-env-changed=PATH");
    for directory in installed::path().filter(|directory| directory.is_dir()) {
        println!("cargo::rerun-if-changed={}", directory.display());
    }
}
