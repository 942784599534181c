//! The cookie of whoever has signed in: until when, and under which name. It is signed with a key that follows from the token, so every
//! process with that token knows it, and a new token ends it.

use std::{fmt::Write as _, time::Duration};

use axum::http::{HeaderMap, HeaderValue, header};
use hmac::{Hmac, KeyInit as _, Mac as _, digest::CtOutput};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::super::token::InspectionToken;
use crate::clock::Timestamp;

/// How long somebody stays signed in.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// The longest name that is kept, in characters.
const LONGEST_NAME: usize = 60;

/// A cookie that a browser sent.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The whole value, which nobody else knows.
    pub(super) value: String,
    /// What whoever signed in calls themselves.
    pub(super) name: String,
}

/// A new cookie of this name.
pub(super) fn signed_in(token: &InspectionToken, name: &str, now: Timestamp) -> String {
    let until = now.after(LIFE).as_millis();
    let name: String = name.trim().chars().take(LONGEST_NAME).collect();
    let said = format!(
        "{until}.{}.{}",
        Uuid::new_v4().simple(),
        hex(name.as_bytes())
    );
    let mac = hex(&mac(token, &said).finalize().into_bytes());
    format!("{said}.{mac}")
}

/// The session of a request, if it has one that stands.
pub(super) fn session(
    token: &InspectionToken,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<Session> {
    let name = name_of(token);
    cookies(headers, &name).find_map(|value| read(token, value, now))
}

fn read(token: &InspectionToken, value: &str, now: Timestamp) -> Option<Session> {
    let (said, given) = value.rsplit_once('.')?;
    mac(token, said).verify_slice(&unhex(given)?).ok()?;
    let mut parts = said.split('.');
    let until: i64 = parts.next()?.parse().ok()?;
    let name = String::from_utf8(unhex(parts.nth(1)?)?).ok()?;
    (now.as_millis() < until).then(|| Session {
        value: value.to_owned(),
        name,
    })
}

fn mac(token: &InspectionToken, said: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&token.derived("belts dashboard session 1"))
        .expect("a key of any length will do");
    mac.update(said.as_bytes());
    mac
}

/// The cookie's name. Workers with several tokens on one host, whose cookies browsers keep together, have several.
pub(super) fn name_of(token: &InspectionToken) -> String {
    format!(
        "belts-ui-{}",
        hex(&token.derived("belts dashboard cookie")[..6])
    )
}

/// The cookies of this name.
pub(super) fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let sent = headers.get_all(header::COOKIE).iter();
    let pairs = sent.filter_map(|line| line.to_str().ok());
    let pairs = pairs.flat_map(|line| line.split(';'));
    let named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named.filter_map(move |(own, value)| (own == name).then_some(value))
}

/// The header that has a browser keep a cookie until it is closed, at most so long; or forget it, if the value is empty. Without a path,
/// it holds where the page is, whatever prefix that has.
pub(super) fn set(name: &str, value: &str, secure: bool) -> Option<HeaderValue> {
    let seconds = if value.is_empty() { 0 } else { LIFE.as_secs() };
    let secure = if secure { "; Secure" } else { "" };
    let line = format!("{name}={value}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(line).ok()
}

/// What a form must have that was made for whoever has this cookie.
pub(super) fn form_token(cookie: &str) -> String {
    hex(&Sha256::digest(format!("belts dashboard form {cookie}")))
}

/// Compares in constant time.
pub(super) fn same(one: &str, other: &str) -> bool {
    let hash = |text: &str| CtOutput::<Sha256>::new(Sha256::digest(text));
    hash(one) == hash(other)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            u8::from_str_radix(
                std::str::from_utf8(pair).ok().filter(|it| it.len() == 2)?,
                16,
            )
            .ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> InspectionToken {
        InspectionToken::new(text).expect("a token")
    }

    fn sent(name: &str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let line = format!("other=1; {name}={value}");
        headers.insert(header::COOKIE, line.parse().expect("a header"));
        headers
    }

    #[test]
    fn a_session_stands_for_its_time_and_its_token() {
        let (own, other) = (token("0123456789abcdef"), token("fedcba9876543210"));
        let now = Timestamp::from_millis(1_000);
        let value = signed_in(&own, " Ada; \u{e9}\n", now);
        let headers = sent(&name_of(&own), &value);
        let session = session(&own, &headers, now).expect("it stands");
        assert_eq!(session.name, "Ada; \u{e9}");
        assert!(super::session(&own, &headers, now.after(LIFE)).is_none());
        assert!(super::session(&other, &sent(&name_of(&other), &value), now).is_none());
        // Whatever of it is changed, it is no session any more.
        for place in 0..value.len() {
            let mut forged = value.clone().into_bytes();
            forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).expect("text");
            let read = super::session(&own, &sent(&name_of(&own), &forged), now);
            assert!(read.is_none(), "{place}");
        }
    }
}
