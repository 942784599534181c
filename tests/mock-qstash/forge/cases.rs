//! The tokens by name, what a strict receiver says of each, and why.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    Forge, Forged, HS256,
    Verdict::{Accept, Refuse},
};

impl Forge {
    /// All tokens.
    pub fn all(&self) -> Vec<Forged> {
        [
            self.by_key(),
            self.by_body(),
            self.by_time(),
            self.by_issuer(),
            self.by_form(),
        ]
        .concat()
    }

    fn by_key(&self) -> Vec<Forged> {
        let with = |key: &str| self.signed(key, HS256, &self.claims());
        vec![
            self.good()
                .named("good, current key", Accept, "it is what the service sends"),
            with(&self.keys.next).named("good, next key", Accept, "the keys may have been rotated"),
            with("sig_of_somebody").named("wrong key", Refuse, "only the service knows the keys"),
        ]
    }

    fn by_body(&self) -> Vec<Forged> {
        let digest = Sha256::digest(&self.body);
        let hex = digest
            .iter()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let unpadded = self.claim("body", Some(json!(URL_SAFE_NO_PAD.encode(digest))));
        let hex = self.claim("body", Some(json!(hex)));
        let mut longer = self.good();
        longer.body.push(b' ');
        vec![
            unpadded.named("body claim unpadded", Accept, "receivers strip the padding"),
            self.standard_base64().named(
                "body claim in standard base64",
                Refuse,
                "the alphabet is that of URLs",
            ),
            hex.named("body claim in hex", Refuse, "the claim is base64"),
            longer.named(
                "body differs by a space",
                Refuse,
                "the token is for another body",
            ),
            self.claim("body", None)
                .named("no body claim", Refuse, "the token is for any body"),
        ]
    }

    fn by_time(&self) -> Vec<Forged> {
        let past = || self.claim("exp", Some(json!(self.now.saturating_sub(1))));
        let soon = || self.claim("nbf", Some(json!(self.now + 3)));
        let never = self.claim("nbf", Some(json!(0)));
        let future = self.claim("iat", Some(json!(self.now + 3_600)));
        let float = self.claim(
            "exp",
            serde_json::from_str(&format!("{}.5", self.now + 300)).ok(),
        );
        vec![
            past().named("expired, no tolerance", Refuse, "its time is over"),
            past()
                .tolerated()
                .named("expired, tolerance", Accept, "clocks may differ so much"),
            soon().named("not yet, no tolerance", Refuse, "its time has not come"),
            soon()
                .tolerated()
                .named("not yet, tolerance", Accept, "clocks may differ so much"),
            never.named("nbf is 0", Accept, "the service sends it so since 2024"),
            self.claim("nbf", None)
                .named("no nbf", Refuse, "the service always sends one"),
            self.claim("exp", None)
                .named("no exp", Refuse, "it would be good for ever"),
            self.claim("iat", None)
                .named("no iat", Accept, "nothing depends on it"),
            self.claim("jti", None)
                .named("no jti", Accept, "nothing depends on it"),
            future.named(
                "iat in the future",
                Refuse,
                "it cannot have been issued yet",
            ),
            float.named(
                "exp is a float",
                Accept,
                "times in a JWT may have fractions",
            ),
        ]
    }

    fn by_issuer(&self) -> Vec<Forged> {
        let lower_case = self.claim("iss", Some(json!("upstash")));
        let slash = self.claim("sub", Some(json!(format!("{}/", self.url))));
        let no_audience = self.claim("aud", Some(json!("")));
        let mut other = self.claim("sub", Some(json!("https://other.example.com/")));
        other.url = None;
        vec![
            lower_case.named("issuer in lower case", Refuse, "the issuer is another one"),
            self.claim("sub", None).named(
                "no subject, URL known",
                Refuse,
                "it may be for another destination",
            ),
            other.named(
                "other subject, URL not known",
                Accept,
                "there is nothing to compare it with",
            ),
            slash.named(
                "subject with a slash behind",
                Refuse,
                "it is for another destination",
            ),
            no_audience.named("aud is empty", Accept, "the service sends it so"),
        ]
    }

    fn by_form(&self) -> Vec<Forged> {
        let untyped = self.signed(&self.keys.current, r#"{"alg":"HS256"}"#, &self.claims());
        let mut padded = self.good();
        padded.token.push('=');
        let mut twice = self.good();
        twice.times = 2;
        vec![
            self.hs512().named(
                "alg is HS512",
                Refuse,
                "the receiver chooses the algorithm, not the token",
            ),
            self.unsigned()
                .named("alg is none", Refuse, "nobody signed it"),
            untyped.named("no typ", Accept, "a JWT needs none"),
            padded.named("padded signature", Refuse, "a JWS has no padding"),
            twice.named(
                "the same token twice",
                Accept,
                "a delivery may arrive twice",
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::Keys, *};

    #[test]
    fn there_are_29_tokens_with_names_of_their_own() {
        let all = Forge::new(
            &Keys::default(),
            "https://app.example.com/belts",
            b"{}",
            1_700_000_000,
        )
        .all();
        let names: BTreeSet<_> = all.iter().map(|forged| forged.name).collect();
        assert_eq!((all.len(), names.len()), (29, 29));
    }
}
