//! The host and the options of a URL that names a server.

use std::time::Duration;

pub(crate) fn with_host(url: &str, example: &str) -> Result<(), String> {
    let scheme = url.split(':').next().unwrap_or_default();
    match url[scheme.len()..].strip_prefix("://") {
        Some(rest) if !rest.is_empty() => Ok(()),
        _ => Err(format!(
            "begins with `{scheme}:` and names no host; write `{example}`"
        )),
    }
}

/// Takes our own options out of the query; the client gets the others.
pub(crate) fn take_options<const N: usize>(
    url: &str,
    names: [&str; N],
) -> Result<(String, [Option<String>; N]), String> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut values = [const { None }; N];
    let mut others = Vec::new();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match names.iter().position(|known| *known == name) {
            None => others.push(option),
            Some(_) if value.is_empty() => {
                return Err(format!("has the option `{name}` without a value"));
            }
            Some(place) => values[place] = Some(value.to_owned()),
        }
    }
    let mut url = base.to_owned();
    if !others.is_empty() {
        url += "?";
        url += &others.join("&");
    }
    Ok((url, values))
}

pub(crate) fn read_duration(name: &str, text: &str) -> Result<Duration, String> {
    text.parse::<jiff::Span>()
        .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| {
            format!("has `{name}={text}`, and must have a time such as `7d`, `12h` or `30s`")
        })
}
