//! Which URLs there may be: the service's own, the destination of the messages, and those that are called back.

use url::Url;

/// The service, where no region is said: the same as `https://qstash-eu-central-1.upstash.io`.
pub(super) const DEFAULT_BASE: &str = "https://qstash.upstash.io";
/// What a base URL of old ends in.
const LEGACY_PATH: &str = "/v2/publish";

/// The base URL of the service in its normal form, without a slash behind.
pub(super) fn read_base(text: &str) -> Result<String, String> {
    let url = read(text, "https://qstash-us-east-1.upstash.io")?;
    if url.query().is_some() {
        return Err("must have no query".to_owned());
    }
    let base = url.as_str().trim_end_matches('/');
    let base = base.strip_suffix(LEGACY_PATH).unwrap_or(base);
    Ok(base.trim_end_matches('/').to_owned())
}

/// Checks where messages go. It stands unescaped in the path of the request, and the token of a delivery names it letter for
/// letter, so it has to be the same on both sides.
pub(super) fn check_destination(base: &str, text: &str) -> Result<(), String> {
    let url = read(text, "https://app.example/belts")?;
    if url.fragment().is_some() {
        return Err("must have no `#`: what is behind it never leaves a client".to_owned());
    }
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| is_taken(name)) {
        return Err(format!(
            "must not have `{name}` in its query: QStash would take it for an option of its own"
        ));
    }
    let start = publish_url(base, "");
    let target = Url::parse(&publish_url(base, text)).map_err(|_| "is no URL".to_owned())?;
    match target.as_str().strip_prefix(&start) {
        Some(sent) if sent == text => Ok(()),
        Some(sent) if Url::parse(sent).is_ok_and(|sent| sent.host() == url.host()) => Err(format!(
            "must be written as it goes over the wire, `{}`",
            without_query(sent)
        )),
        _ => Err("must have no `..` in its path, and a host in ASCII".to_owned()),
    }
}

/// Checks a URL that is to be called back.
pub(super) fn check_callback(text: &str) -> Result<(), String> {
    read(text, "https://app.example/done").map(|_| ())
}

/// Where a message is published.
pub(super) fn publish_url(base: &str, destination: &str) -> String {
    format!("{base}/v2/publish/{destination}")
}

/// A URL as a log may have it: a query may hold secrets.
pub(super) fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// Whether a token for `subject` is one for `url`. Without a path, a URL with and without a slash is the same.
pub(super) fn is_same(subject: &str, url: &str) -> bool {
    let is_bare = |url: &str| url.splitn(4, '/').nth(3).is_none_or(str::is_empty);
    subject == url
        || is_bare(subject)
            && is_bare(url)
            && !url.contains('?')
            && subject.trim_end_matches('/') == url.trim_end_matches('/')
}

fn is_taken(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("upstash-") || name == "qstash_token"
}

/// The texts may hold secrets, so they are not repeated.
fn read(text: &str, example: &str) -> Result<Url, String> {
    let whole = || format!("must be a whole URL such as `{example}`");
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(whole());
    }
    let url = Url::parse(text).map_err(|_| whole())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(whole());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user or password".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_loses_its_slash_and_the_path_of_old() {
        for text in [
            "https://qstash.upstash.io",
            "https://qstash.upstash.io/",
            "https://QSTASH.upstash.io/v2/publish",
            "https://qstash.upstash.io/v2/publish/",
        ] {
            assert_eq!(read_base(text), Ok(DEFAULT_BASE.to_owned()), "{text}");
        }
        assert_eq!(
            read_base("http://127.0.0.1:8080/"),
            Ok("http://127.0.0.1:8080".to_owned())
        );
        for wrong in [
            "",
            "qstash.upstash.io",
            "ftp://host",
            "https://h?token=hunter2",
        ] {
            let message = read_base(wrong).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_destination_is_what_goes_over_the_wire() {
        let check = |text| check_destination(DEFAULT_BASE, text);
        for right in [
            "https://app.example/belts",
            "https://app.example",
            "http://localhost:8787/a%2Fb?x=1&y=a%20b",
            "https://app.example/?",
        ] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        let wrong = [
            ("app.example/belts", "must be a whole URL"),
            ("ftp://app.example", "must be a whole URL"),
            ("https://app.example/a b", "must be a whole URL"),
            ("https://app.example/#x", "no `#`"),
            ("https://ada:hunter2@app.example/", "no user or password"),
            ("https://app.example/a/../belts", "must be written as"),
            ("https://app.example/ä", "`https://app.example/%C3%A4`"),
            ("https://app.example/../../../x", "no `..`"),
            (
                "https://app.example/?upstash-Retries=3",
                "`upstash-Retries`",
            ),
            (
                "https://app.example/?a=b&qstash_token=hunter2",
                "`qstash_token`",
            ),
        ];
        for (text, part) in wrong {
            let message = check(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn only_a_url_without_a_path_may_have_a_slash_more() {
        assert!(is_same("https://app.example/", "https://app.example"));
        assert!(is_same("https://app.example", "https://app.example/"));
        assert!(is_same(
            "https://app.example/belts?x=1",
            "https://app.example/belts?x=1"
        ));
        assert!(!is_same(
            "https://app.example/belts/",
            "https://app.example/belts"
        ));
        assert!(!is_same("https://app.example", "https://app.example//"));
        assert!(!is_same("https://app.example.evil", "https://app.example"));
        assert!(!is_same("", "https://app.example"));
    }
}
