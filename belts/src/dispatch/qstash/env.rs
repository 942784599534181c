//! The settings of a QStash dispatcher in the variables that the service's console shows.

use super::{Qstash, QstashBuilder, error, receiver};
use crate::{
    environment::{self, Lookup},
    error::Result,
};

impl Qstash {
    /// A dispatcher configured by the variables that the service's console shows: `QSTASH_TOKEN`, and `QSTASH_URL`,
    /// `QSTASH_CURRENT_SIGNING_KEY` and `QSTASH_NEXT_SIGNING_KEY` if they are set.
    ///
    /// With `QSTASH_REGION=US_EAST_1` or `EU_CENTRAL_1` the token is `US_EAST_1_QSTASH_TOKEN`, and the URL
    /// `US_EAST_1_QSTASH_URL`. Deliveries of a region are verified with its own keys, such as
    /// `US_EAST_1_QSTASH_CURRENT_SIGNING_KEY`, if they are set.
    ///
    /// ```no_run
    /// # fn example() -> belts::Result<()> {
    /// let qstash = belts::dispatch::Qstash::from_env("https://app.example/belts")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of kind [`Config`](crate::ErrorKind::Config): a variable is missing or wrong; the error names it. And as
    /// [`QstashBuilder::build`].
    pub fn from_env(destination: impl Into<String>) -> Result<Self> {
        read(destination.into(), &environment::of_process)?.build()
    }
}

/// The regions whose keys are looked for, and where their service is.
const REGIONS: [(&str, &str); 2] = [
    ("US_EAST_1", "https://qstash-us-east-1.upstash.io"),
    ("EU_CENTRAL_1", "https://qstash-eu-central-1.upstash.io"),
];

/// Reads the variables.
pub(super) fn read(destination: String, lookup: Lookup<'_>) -> Result<QstashBuilder> {
    let region = variable(lookup, "QSTASH_REGION")?.map(|region| receiver::region(&region));
    let prefix = region
        .as_ref()
        .map_or_else(String::new, |region| format!("{region}_"));
    let token_name = format!("{prefix}QSTASH_TOKEN");
    let token = variable(lookup, &token_name)?.ok_or_else(|| {
        error::config(format!(
            "needs the variable {token_name}: the token that the console of QStash shows"
        ))
    })?;
    let mut builder = Qstash::builder(token, destination).token_name(&token_name);
    let url_name = format!("{prefix}QSTASH_URL");
    builder = match (variable(lookup, &url_name)?, &region) {
        (Some(url), _) => {
            super::urls::read_base(&url)
                .map_err(|wrong| error::config(format!("cannot use {url_name}: it {wrong}")))?;
            builder.url(url)
        }
        (None, None) => builder,
        (None, Some(region)) => builder.url(url_of(region)?),
    };
    if let Some((current, next)) = keys(lookup, "")? {
        builder = builder.signing_keys(current, next);
    }
    let others = region
        .iter()
        .filter(|region| REGIONS.iter().all(|(known, _)| known != region));
    for region in REGIONS
        .iter()
        .map(|(region, _)| *region)
        .chain(others.map(String::as_str))
    {
        if let Some((current, next)) = keys(lookup, &format!("{region}_"))? {
            builder = builder.region_signing_keys(region, current, next);
        }
    }
    Ok(builder)
}

fn url_of(region: &str) -> Result<&'static str> {
    let known = REGIONS.iter().find(|(known, _)| *known == region);
    known.map(|(_, url)| *url).ok_or_else(|| {
        error::config(format!(
            "does not know the region that QSTASH_REGION names, `{region}`: use US_EAST_1 or EU_CENTRAL_1, or set {region}_QSTASH_URL"
        ))
    })
}

/// Both keys or none, since with only one a rotation would lock the worker out.
fn keys(lookup: Lookup<'_>, prefix: &str) -> Result<Option<(String, String)>> {
    let names = ["CURRENT", "NEXT"].map(|which| format!("{prefix}QSTASH_{which}_SIGNING_KEY"));
    let missing = |missing: &str, other: &str| {
        Err(error::config(format!(
            "needs the variable {missing} beside {other}"
        )))
    };
    match (variable(lookup, &names[0])?, variable(lookup, &names[1])?) {
        (Some(current), Some(next)) => {
            super::verify::KeyPair::read(&current, &next).map_err(|wrong| {
                error::config(format!(
                    "cannot use {} and {}: the {wrong}",
                    names[0], names[1]
                ))
            })?;
            Ok(Some((current, next)))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => missing(&names[0], &names[1]),
        (Some(_), None) => missing(&names[1], &names[0]),
    }
}

fn variable(lookup: Lookup<'_>, name: &str) -> Result<Option<String>> {
    environment::read(lookup, name)
        .map_err(|wrong| error::config(format!("cannot read a variable: {wrong}")))
}

#[cfg(test)]
mod tests {
    use std::env::VarError;

    use super::*;
    use crate::{dispatch::Dispatcher as _, error::ErrorKind};

    const CURRENT: &str = "sig_current_hunter2";
    const NEXT: &str = "sig_next_hunter2";

    fn build(variables: &[(&str, &str)]) -> Result<Qstash> {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found
                .map(|(_, value)| (*value).to_owned())
                .ok_or(VarError::NotPresent)
        };
        read("https://app.example/belts".to_owned(), &lookup)?.build()
    }

    #[test]
    fn a_token_is_enough_to_publish() {
        let qstash = build(&[("QSTASH_TOKEN", "hunter2")]).unwrap();
        assert_eq!(
            format!("{qstash:?}"),
            "QStash at qstash.upstash.io, to https://app.example/belts"
        );
        assert!(!qstash.capabilities().signs && qstash.capabilities().durable);
    }

    #[test]
    fn the_variables_of_the_region_count() {
        let qstash = build(&[
            ("QSTASH_REGION", "us-east-1"),
            ("QSTASH_TOKEN", "of the EU"),
            ("US_EAST_1_QSTASH_TOKEN", "hunter2"),
            ("US_EAST_1_QSTASH_CURRENT_SIGNING_KEY", CURRENT),
            ("US_EAST_1_QSTASH_NEXT_SIGNING_KEY", NEXT),
        ]);
        let qstash = qstash.unwrap();
        assert!(format!("{qstash:?}").contains("qstash-us-east-1.upstash.io"));
        assert!(qstash.capabilities().signs);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let token = ("QSTASH_TOKEN", "hunter2");
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[], "needs the variable QSTASH_TOKEN"),
            (&[("QSTASH_TOKEN", " ")], "needs the variable QSTASH_TOKEN"),
            (
                &[token, ("QSTASH_REGION", "US_EAST_1")],
                "US_EAST_1_QSTASH_TOKEN",
            ),
            (
                &[("QSTASH_REGION", "mars"), ("MARS_QSTASH_TOKEN", "hunter2")],
                "MARS_QSTASH_URL",
            ),
            (&[token, ("QSTASH_URL", "hunter2")], "cannot use QSTASH_URL"),
            (
                &[token, ("QSTASH_CURRENT_SIGNING_KEY", CURRENT)],
                "the variable QSTASH_NEXT_SIGNING_KEY",
            ),
            (
                &[token, ("QSTASH_NEXT_SIGNING_KEY", NEXT)],
                "the variable QSTASH_CURRENT_SIGNING_KEY",
            ),
            (
                &[
                    token,
                    ("QSTASH_CURRENT_SIGNING_KEY", "hunter2"),
                    ("QSTASH_NEXT_SIGNING_KEY", NEXT),
                ],
                "the current signing key must begin with `sig_`",
            ),
        ];
        for (variables, part) in cases {
            let error = build(variables).expect_err(part);
            let message = error.report();
            assert_eq!(error.kind(), ErrorKind::Config, "{message}");
            assert!(message.contains(part), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
