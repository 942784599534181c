//! The check that `BELTS_CHECK=1` asks for: its settings, and what it prints.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use super::{
    options::{MOST, Options},
    report::CheckReport,
};
use crate::{
    environment::{CHECK_ACCEPT, CHECK_ELSEWHERE, CHECK_MOST, Lookup, of_process},
    error::{Error, ErrorKind, Result},
};

/// After how many runs progress is shown.
const STEP: usize = 1_000;

pub(super) fn options() -> Result<Options> {
    let mut options = read(&of_process)?;
    options.progress = Some(Arc::new(|runs| {
        if runs.is_multiple_of(STEP) {
            // Where nobody can be told, the check goes on.
            let _ = writeln!(io::stderr(), "checked {runs} runs so far");
        }
    }));
    Ok(options)
}

fn read(lookup: Lookup<'_>) -> Result<Options> {
    let config = |text| Error::new(ErrorKind::Config, text);
    let most = match CHECK_MOST.read(lookup).map_err(config)? {
        None => MOST,
        Some(value) => value.parse().ok().filter(|most| *most > 0).ok_or_else(|| {
            config(format!(
                "{CHECK_MOST} is `{value}`, and must be a whole number from 1"
            ))
        })?,
    };
    let names = |value: Option<String>| {
        let value = value.unwrap_or_default();
        let names = value.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    };
    Ok(Options {
        most,
        elsewhere: names(CHECK_ELSEWHERE.read(lookup).map_err(config)?),
        accepted: names(CHECK_ACCEPT.read(lookup).map_err(config)?),
        whole_program: true,
        ..Options::default()
    })
}

pub(super) fn tell(report: &Result<CheckReport>) {
    // The code with which the process ends says as much.
    let _ = match report {
        Ok(report) => write!(io::stdout(), "{report}"),
        Err(error) => writeln!(io::stderr(), "cannot check: {}", error.report()),
    };
    let _ = io::stdout().flush();
}

#[cfg(test)]
mod tests {
    use std::env::VarError;

    use super::*;

    #[test]
    fn settings_are_read_and_wrong_ones_name_their_variable() {
        let lookup = |most: &'static str| {
            move |name: &str| match name {
                "BELTS_CHECK_MOST" => Ok(most.to_owned()),
                "BELTS_CHECK_ELSEWHERE" => Ok("billing/*, audit,".to_owned()),
                "BELTS_CHECK_ACCEPT" => Ok("ship, ship/mail".to_owned()),
                _ => Err(VarError::NotPresent),
            }
        };
        let options = read(&lookup("50")).expect("they are right");
        assert_eq!(options.most, 50);
        for (id, is_elsewhere) in [
            ("billing/pay", true),
            ("audit", true),
            ("auditor", false),
            ("ship", false),
        ] {
            assert_eq!(options.is_elsewhere(id), is_elsewhere, "{id}");
        }
        assert!(options.is_accepted("ship", "mail"));
        assert!(!options.is_accepted("ship", "label") && !options.is_accepted("shi", "p"));
        for wrong in ["0", "all", "-1"] {
            let error = read(&lookup(wrong)).err().expect(wrong);
            assert!(error.to_string().starts_with("BELTS_CHECK_MOST is"));
        }
    }
}
