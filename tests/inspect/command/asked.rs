//! Somebody at a terminal, who is asked before runs are cancelled.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{bulk::Yard, *};

/// Both ends of a terminal.
fn terminal() -> (File, File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let person = openpt(flags).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let program = OpenOptions::new()
        .read(true)
        .write(true)
        // It is not to become the terminal of the tests.
        .custom_flags(flags.bits().cast_signed())
        .open(OsStr::from_bytes(name.as_bytes()))
        .unwrap();
    (person.into(), program)
}

/// What the program says to somebody who gives this answer.
async fn answered(arguments: &[&str], answer: &str) -> Said {
    let (mut person, its) = terminal();
    person.write_all(answer.as_bytes()).unwrap();
    let mut command = program(arguments, &[]);
    command.stdin(Stdio::from(its));
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    said(output.unwrap().unwrap())
}

#[tokio::test]
async fn somebody_at_a_terminal_is_asked() {
    let yard = Yard::new().await;
    let url = yard.url();
    let command = ["cancel", "--function", "mine", "--store", &url];
    for answer in ["n\n", "\n", "Y e s\n", "yes please\n", "\u{4}"] {
        let refused = answered(&command, answer).await;
        assert_eq!(refused.out, "", "{answer:?}");
        assert_eq!(
            refused.failed(),
            "FUNCTION  STATUS   RUNS\nmine      pending  1,204\nCancel 1,204 runs? [y/N] error: nothing was changed\n",
            "{answer:?}"
        );
    }
    assert_eq!(yard.unfinished("mine").await, 1_204);
    let one = ["--event", "e-mine-7"];
    let one = answered(&[&command[..], &one].concat(), "yes\n").await;
    assert!(one.err.ends_with("Cancel 1 run? [y/N] "), "{}", one.err);
    assert_eq!(one.good(), "cancelled 1 run\n");
    let some = ["--limit", "3"];
    let some = answered(&[&command[..], &some].concat(), "y\n").await;
    assert!(
        some.err.contains("Cancel 3 of 1,203 runs? [y/N] "),
        "{}",
        some.err
    );
    assert_eq!(some.good(), "cancelled 3 runs\n");
    assert_eq!(yard.unfinished("mine").await, 1_200);
}
