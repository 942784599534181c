//! Reads `redis://host:6379?stream=orders&group=billing&visibility=30s`.

use crate::{
    dispatch::{Redis, RedisBuilder},
    url::options::{read_duration, take_options, with_host},
};

pub(super) fn read(url: &str) -> Result<RedisBuilder, String> {
    const OPTIONS: [&str; 6] = [
        "stream",
        "group",
        "visibility",
        "dead_letters",
        "key_prefix",
        "retry_for",
    ];
    with_host(url, "redis://:password@host:6379/0")?;
    let (url, values) = take_options(url, OPTIONS)?;
    let [
        stream,
        group,
        visibility,
        dead_letters,
        key_prefix,
        retry_for,
    ] = values;
    only_the_clients(&url, &OPTIONS)?;
    let mut builder = Redis::builder(url);
    if let Some(stream) = stream {
        builder = builder.stream(stream);
    }
    if let Some(group) = group {
        builder = builder.group(group);
    }
    if let Some(text) = visibility {
        builder = builder.visibility(read_duration("visibility", &text)?);
    }
    if let Some(text) = dead_letters {
        let most = text.parse();
        builder = builder.dead_letters(most.map_err(|_| {
            format!("has `dead_letters={text}`, and must have a number such as `10000`")
        })?);
    }
    if let Some(key_prefix) = key_prefix {
        builder = builder.key_prefix(key_prefix);
    }
    if let Some(text) = retry_for {
        builder = builder.retry_for(read_duration("retry_for", &text)?);
    }
    Ok(builder)
}

/// Says which options there are, where one is left that the client does not know: it would ignore it.
fn only_the_clients(url: &str, ours: &[&str]) -> Result<(), String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let mut names = query
        .split('&')
        .map(|option| option.split('=').next().unwrap_or_default());
    match names.find(|name| !matches!(*name, "" | "protocol")) {
        Some(name) => {
            let known = ours.join("`, `");
            Err(format!(
                "has the option `{name}`; there are `{known}` and `protocol`"
            ))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_redis_url_has_the_settings_of_the_builder() {
        let url = "rediss://:hunter2@host:6380/2?stream=orders&group=billing&visibility=45s&dead_letters=5&key_prefix=shop&protocol=resp3";
        let shown = format!("{:?}", super::read(url).expect("it is right"));
        for part in [
            "\"orders\"",
            "\"billing\"",
            "45s",
            "dead_letters: 5",
            "\"shop\"",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
