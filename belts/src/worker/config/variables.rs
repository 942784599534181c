//! The variables of the environment, each read as what it is.

#[cfg(feature = "http")]
use crate::{
    environment::{self, ADDR, INSECURE, INSPECTION, INSPECTION_TOKEN, SIGNING_KEYS, URL},
    http::{InspectionToken, url::check_url},
    signature::SigningKey,
};
use crate::{
    environment::{CONCURRENCY, ENCRYPTION_KEYS, Lookup, MAX_CRASHES},
    error::{Error, ErrorKind, Result},
};

pub(super) fn read_max_crashes(value: &str) -> Result<u32> {
    value
        .parse()
        .ok()
        .filter(|crashes| *crashes > 0)
        .ok_or_else(|| {
            config(format!(
                "{MAX_CRASHES} is `{value}`, and must be a whole number from 1"
            ))
        })
}

pub(super) fn read_concurrency(value: &str) -> Result<usize> {
    value.parse().ok().filter(|runs| *runs > 0).ok_or_else(|| {
        config(format!(
            "{CONCURRENCY} is `{value}`, and must be a whole number from 1"
        ))
    })
}

/// The keys that encrypt what users write.
#[cfg(feature = "encryption")]
pub(crate) fn read_encryption_keys(lookup: Lookup<'_>) -> Result<Option<crate::seal::Keyring>> {
    let keys = ENCRYPTION_KEYS.read(lookup).map_err(config)?;
    let keys = keys.map(|keys| crate::seal::Keyring::parse(&keys));
    keys.transpose()
        .map_err(|wrong| config(format!("{ENCRYPTION_KEYS}: {wrong}")))
}

/// Without the feature nothing would be encrypted, although somebody has asked for it.
#[cfg(not(feature = "encryption"))]
pub(super) fn refuse_encryption_keys(lookup: Lookup<'_>) -> Result<()> {
    match ENCRYPTION_KEYS.read(lookup).map_err(config)? {
        None => Ok(()),
        Some(_) => Err(config(format!(
            "{ENCRYPTION_KEYS} is set, and belts was built without the feature `encryption`: turn it on in Cargo.toml"
        ))),
    }
}

#[cfg(feature = "http")]
pub(super) fn read_addr(lookup: Lookup<'_>) -> Result<String> {
    let addr = ADDR.read_or_default(lookup).map_err(config)?;
    let right = addr.parse::<std::net::SocketAddr>().is_ok()
        || addr.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains([':', '/', ' ']) && port.parse::<u16>().is_ok()
        });
    if right {
        Ok(addr)
    } else {
        Err(config(format!(
            "{ADDR} is `{addr}`, and must be a host and a port such as `127.0.0.1:8787`"
        )))
    }
}

#[cfg(feature = "http")]
pub(super) fn read_url(lookup: Lookup<'_>) -> Result<Option<String>> {
    let url = URL.read(lookup).map_err(config)?;
    if let Some(url) = &url {
        check_url(url).map_err(|expected| config(format!("{URL} {expected}")))?;
    }
    Ok(url)
}

#[cfg(feature = "http")]
pub(super) fn read_keys(lookup: Lookup<'_>) -> Result<Vec<SigningKey>> {
    let keys = SIGNING_KEYS
        .read(lookup)
        .map_err(config)?
        .unwrap_or_default();
    let keys = keys.split(',').map(str::trim).filter(|key| !key.is_empty());
    SigningKey::read_all(keys).map_err(|wrong| config(format!("{SIGNING_KEYS}: {wrong}")))
}

#[cfg(feature = "http")]
pub(super) fn read_inspection_token(lookup: Lookup<'_>) -> Result<Option<InspectionToken>> {
    INSPECTION_TOKEN
        .read(lookup)
        .map_err(config)?
        .map(|token| InspectionToken::new(&token))
        .transpose()
        .map_err(|wrong| config(format!("{INSPECTION_TOKEN} {wrong}")))
}

#[cfg(feature = "http")]
pub(super) fn read_inspection(lookup: Lookup<'_>) -> Result<bool> {
    match INSPECTION.read(lookup).map_err(config)?.as_deref() {
        None => Ok(false),
        Some("local") => Ok(true),
        Some(value) => Err(config(format!(
            "{INSPECTION} is `{value}`, and must be `local` or not set; a token is set by {INSPECTION_TOKEN}"
        ))),
    }
}

#[cfg(feature = "http")]
pub(super) fn read_insecure(lookup: Lookup<'_>) -> Result<bool> {
    match INSECURE.read(lookup).map_err(config)?.as_deref() {
        None | Some("0" | "false" | "no" | "off") => Ok(false),
        Some("1" | "true" | "yes" | "on") => Ok(true),
        Some(value) => Err(config(format!(
            "{INSECURE} is `{value}`, and must be `1` or `0`"
        ))),
    }
}

/// Whether the environment allows to take deliveries without a signing key.
#[cfg(feature = "http")]
pub(crate) fn insecure_by_env() -> Result<bool> {
    read_insecure(&environment::of_process)
}

pub(super) fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}
