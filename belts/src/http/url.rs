//! URLs and hosts of workers.

use std::net::IpAddr;

/// Whether a URL can be where the router is mounted; if not, what it must be. It may hold a secret all the same, so nobody
/// repeats it.
pub(crate) fn check_url(url: &str) -> Result<(), &'static str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .unwrap_or_default();
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    if host.is_empty() && !rest.starts_with('[')
        || url.contains(['?', '#', '@'])
        || url.contains(char::is_whitespace)
    {
        return Err(
            "must be the whole URL such as `https://app.example/belts`, without user, password or query",
        );
    }
    Ok(())
}

/// Whether a host name means the machine itself.
pub(crate) fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || address(host).is_some_and(|address| address.to_canonical().is_loopback())
}

pub(super) fn address(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok()
}
