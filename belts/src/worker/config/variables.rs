//! The variables of the environment, each read as what it is.

use std::env::VarError;

use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "http")]
use crate::{
    http::{InspectionToken, url::check_url},
    signature::SigningKey,
};

pub(super) fn variable(lookup: Lookup<'_>, name: &str) -> Result<Option<String>> {
    match lookup(name) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(config(format!("{name} is not valid UTF-8"))),
    }
}

pub(super) fn read_max_crashes(value: &str) -> Result<u32> {
    value
        .parse()
        .ok()
        .filter(|crashes| *crashes > 0)
        .ok_or_else(|| {
            config(format!(
                "BELTS_MAX_CRASHES is `{value}`, and must be a whole number from 1"
            ))
        })
}

pub(super) fn read_concurrency(value: &str) -> Result<usize> {
    value.parse().ok().filter(|runs| *runs > 0).ok_or_else(|| {
        config(format!(
            "BELTS_CONCURRENCY is `{value}`, and must be a whole number from 1"
        ))
    })
}

#[cfg(feature = "http")]
pub(super) fn read_addr(lookup: Lookup<'_>) -> Result<String> {
    let Some(addr) = variable(lookup, "BELTS_ADDR")? else {
        return Ok("127.0.0.1:8787".to_owned());
    };
    let right = addr.parse::<std::net::SocketAddr>().is_ok()
        || addr.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains([':', '/', ' ']) && port.parse::<u16>().is_ok()
        });
    if right {
        Ok(addr)
    } else {
        Err(config(format!(
            "BELTS_ADDR is `{addr}`, and must be a host and a port such as `127.0.0.1:8787`"
        )))
    }
}

#[cfg(feature = "http")]
pub(super) fn read_url(lookup: Lookup<'_>) -> Result<Option<String>> {
    let url = variable(lookup, "BELTS_URL")?;
    if let Some(url) = &url {
        check_url(url).map_err(|expected| config(format!("BELTS_URL {expected}")))?;
    }
    Ok(url)
}

#[cfg(feature = "http")]
pub(super) fn read_keys(lookup: Lookup<'_>) -> Result<Vec<SigningKey>> {
    let keys = variable(lookup, "BELTS_SIGNING_KEYS")?.unwrap_or_default();
    let keys = keys.split(',').map(str::trim).filter(|key| !key.is_empty());
    SigningKey::read_all(keys).map_err(|wrong| config(format!("BELTS_SIGNING_KEYS: {wrong}")))
}

#[cfg(feature = "http")]
pub(super) fn read_inspection_token(lookup: Lookup<'_>) -> Result<Option<InspectionToken>> {
    variable(lookup, "BELTS_INSPECTION_TOKEN")?
        .map(|token| InspectionToken::new(&token))
        .transpose()
        .map_err(|wrong| config(format!("BELTS_INSPECTION_TOKEN {wrong}")))
}

#[cfg(feature = "http")]
pub(super) fn read_inspection(lookup: Lookup<'_>) -> Result<bool> {
    match variable(lookup, "BELTS_INSPECTION")?.as_deref() {
        None => Ok(false),
        Some("local") => Ok(true),
        Some(value) => Err(config(format!(
            "BELTS_INSPECTION is `{value}`, and must be `local` or not set; a token is set by BELTS_INSPECTION_TOKEN"
        ))),
    }
}

#[cfg(feature = "http")]
pub(super) fn read_insecure(lookup: Lookup<'_>) -> Result<bool> {
    match variable(lookup, "BELTS_INSECURE")?.as_deref() {
        None | Some("0" | "false" | "no" | "off") => Ok(false),
        Some("1" | "true" | "yes" | "on") => Ok(true),
        Some(value) => Err(config(format!(
            "BELTS_INSECURE is `{value}`, and must be `1` or `0`"
        ))),
    }
}

/// Whether the environment allows to take deliveries without a signing key.
#[cfg(feature = "http")]
pub(crate) fn insecure_by_env() -> Result<bool> {
    read_insecure(&|name| std::env::var(name))
}

/// How a variable is looked up; tests do not use the environment.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Result<String, VarError>;

pub(super) fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}
