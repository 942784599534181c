//! Makes tokens that a receiver must accept or refuse: good ones, old ones, and forged ones.

mod cases;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use super::sign::{Claims, Keys, signing_input, token};

/// Makes the tokens of a delivery that the receiver should and should not believe.
#[derive(Debug, Clone)]
pub struct Forge {
    keys: Keys,
    url: String,
    body: Vec<u8>,
    now: u64,
}

/// A token, the circumstances in which it is shown, and what must come of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Forged {
    /// What is special about it.
    pub name: &'static str,
    /// The value of `Upstash-Signature`.
    pub token: String,
    /// The body that arrives with it.
    pub body: Vec<u8>,
    /// The destination that the receiver takes itself for; it may not know.
    pub url: Option<String>,
    /// How many seconds of difference between clocks the receiver tolerates.
    pub tolerance: u64,
    /// The receiver's time, in seconds since 1970.
    pub now: u64,
    /// How often it is shown.
    pub times: u32,
    /// What a strict receiver says, every time.
    pub strict: Verdict,
    /// Why.
    pub because: &'static str,
}

/// What a receiver says of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The delivery is the service's.
    Accept,
    /// It may be anybody's.
    Refuse,
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

impl Forge {
    /// Tokens for deliveries of this body to this destination; `now` is in seconds since 1970.
    pub fn new(keys: &Keys, url: &str, body: &[u8], now: u64) -> Self {
        Self {
            keys: keys.clone(),
            url: url.to_owned(),
            body: body.to_vec(),
            now,
        }
    }

    /// The token of this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn named(&self, name: &str) -> Forged {
        let found = self.all().into_iter().find(|forged| forged.name == name);
        found.unwrap_or_else(|| panic!("there is no token named {name}"))
    }

    fn claims(&self) -> Value {
        json!(Claims::new(&self.url, &self.body, self.now, "jwt_forged"))
    }

    /// A good token; each case changes something about it.
    fn good(&self) -> Forged {
        self.signed(&self.keys.current, HS256, &self.claims())
    }

    fn signed(&self, key: &str, header: &str, claims: &Value) -> Forged {
        self.shown(token(key, header, &claims.to_string()))
    }

    /// A token in ordinary circumstances.
    fn shown(&self, token: String) -> Forged {
        Forged {
            name: "",
            token,
            body: self.body.clone(),
            url: Some(self.url.clone()),
            tolerance: 0,
            now: self.now,
            times: 1,
            strict: Verdict::Refuse,
            because: "",
        }
    }

    /// Good but for this claim, which is gone or another.
    fn claim(&self, name: &str, value: Option<Value>) -> Forged {
        let mut claims = self.claims();
        if let Some(claims) = claims.as_object_mut() {
            claims.remove(name);
            claims.extend(value.map(|value| (name.to_owned(), value)));
        }
        self.signed(&self.keys.current, HS256, &claims)
    }

    /// Signed with the right key, by an algorithm that the service does not use.
    fn hs512(&self) -> Forged {
        let input = signing_input(r#"{"alg":"HS512","typ":"JWT"}"#, &self.claims().to_string());
        let mut mac = Hmac::<Sha512>::new_from_slice(self.keys.current.as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(input.as_bytes());
        self.shown(format!(
            "{input}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        ))
    }

    fn unsigned(&self) -> Forged {
        let input = signing_input(r#"{"alg":"none","typ":"JWT"}"#, &self.claims().to_string());
        self.shown(format!("{input}."))
    }

    /// The hash in the other alphabet. The body gets spaces until it differs from the hash in the right one.
    fn standard_base64(&self) -> Forged {
        let mut salted = self.clone();
        loop {
            let hash = STANDARD.encode(Sha256::digest(&salted.body));
            if hash.contains(['+', '/']) {
                return salted.claim("body", Some(json!(hash)));
            }
            salted.body.push(b' ');
        }
    }
}

impl Forged {
    /// What it is called, what is to be said of it, and why.
    fn named(self, name: &'static str, strict: Verdict, because: &'static str) -> Self {
        Self {
            name,
            strict,
            because,
            ..self
        }
    }

    /// Shown to a receiver that knows that clocks differ.
    fn tolerated(self) -> Self {
        Self {
            tolerance: 5,
            ..self
        }
    }
}
