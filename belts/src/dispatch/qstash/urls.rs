//! Validates URLs: of the service, of the destination of messages, and of callbacks.

use url::Url;

/// The service if no region is set: the same as `https://qstash-eu-central-1.upstash.io`.
pub(super) const DEFAULT_BASE: &str = "https://qstash.upstash.io";
/// The suffix of older base URLs.
const LEGACY_PATH: &str = "/v2/publish";

/// The base URL of the service in its normal form, without a trailing slash.
pub(super) fn read_base(text: &str) -> Result<String, String> {
    let url = read(text, "https://qstash-us-east-1.upstash.io")?;
    if url.query().is_some() {
        return Err("must not have a query".to_owned());
    }
    let base = url.as_str().trim_end_matches('/');
    let base = base.strip_suffix(LEGACY_PATH).unwrap_or(base);
    Ok(base.trim_end_matches('/').to_owned())
}

/// Checks the destination of messages. It is unescaped in the path of the request, and the token of a delivery repeats it letter
/// for letter, so it must be the same on both sides.
pub(super) fn check_destination(base: &str, text: &str) -> Result<(), String> {
    let url = read(text, "https://app.example/belts")?;
    if url.fragment().is_some() {
        return Err("must not contain `#`: a client never sends what follows it".to_owned());
    }
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| is_taken(name)) {
        return Err(format!(
            "must not have `{name}` in its query: QStash would treat it as one of its own options"
        ));
    }
    let start = publish_url(base, "");
    let target = Url::parse(&publish_url(base, text)).map_err(|_| "is not a URL".to_owned())?;
    match target.as_str().strip_prefix(&start) {
        Some(sent) if sent == text => Ok(()),
        Some(sent) if Url::parse(sent).is_ok_and(|sent| sent.host() == url.host()) => Err(format!(
            "must be written as it is sent, `{}`",
            without_query(sent)
        )),
        _ => Err("must not have `..` in its path, and its host must be ASCII".to_owned()),
    }
}

/// Checks the URL of a callback.
pub(super) fn check_callback(text: &str) -> Result<(), String> {
    read(text, "https://app.example/done").map(|_| ())
}

/// Where a message is published.
pub(super) fn publish_url(base: &str, destination: &str) -> String {
    format!("{base}/v2/publish/{destination}")
}

/// A URL for the log: a query may contain secrets.
pub(super) fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// Whether a token for `subject` is valid for `url`. Without a path, URLs with and without a slash are the same.
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

/// The URLs may contain secrets, so errors do not repeat them.
fn read(text: &str, example: &str) -> Result<Url, String> {
    let whole = || format!("must be a complete URL such as `{example}`");
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(whole());
    }
    let url = Url::parse(text).map_err(|_| whole())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(whole());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user or password".to_owned());
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
            ("app.example/belts", "must be a complete URL"),
            ("ftp://app.example", "must be a complete URL"),
            ("https://app.example/a b", "must be a complete URL"),
            ("https://app.example/#x", "not contain `#`"),
            (
                "https://ada:hunter2@app.example/",
                "not have a user or password",
            ),
            ("https://app.example/a/../belts", "must be written as"),
            ("https://app.example/ä", "`https://app.example/%C3%A4`"),
            ("https://app.example/../../../x", "not have `..`"),
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
