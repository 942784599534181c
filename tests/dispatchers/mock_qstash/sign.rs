//! Signatures: the vectors of the protocol, letter for letter, and keys that change.

use belts_qstash_mock::{Claims, Keys, body_hash, sign};

use super::destination::*;

const CLAIMS: &str = "eyJhdWQiOiIiLCJib2R5IjoiZ19NM0MyUzFiUS01bnNVZy1ZeW5ZWW5qVm1KNEc1OWJtLU9GWW1pb2VYRT0iLCJleHAiOjE3MDAwMDAzMDAsImlhdCI6MTcwMDAwMDAwMCwiaXNzIjoiVXBzdGFzaCIsImp0aSI6Imp3dF82N2t4WEQ2VUJBazdEcVU2aHp1SE1EZFhGWGZQIiwibmJmIjoxNzAwMDAwMDAwLCJzdWIiOiJodHRwczovL2FwcC5leGFtcGxlLmNvbS9iZWx0cyJ9";
const EMPTY: &str = "eyJhdWQiOiIiLCJib2R5IjoiNDdERVFwajhIQlNhLV9USW1XLTVKQ2V1UWVSa201Tk1wSldaRzNoU3VGVT0iLCJleHAiOjE3MDAwMDAzMDAsImlhdCI6MTcwMDAwMDAwMCwiaXNzIjoiVXBzdGFzaCIsImp0aSI6Imp3dF82N2t4WEQ2VUJBazdEcVU2aHp1SE1EZFhGWGZQIiwibmJmIjoxNzAwMDAwMDAwLCJzdWIiOiJodHRwczovL2FwcC5leGFtcGxlLmNvbS9iZWx0cyJ9";
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// The body of the vectors.
pub(crate) const BODY: &str = r#"{"event":{"type":"order.created","id":"é"}}"#;

pub(crate) fn claims(body: &str) -> Claims {
    Claims::new(
        "https://app.example.com/belts",
        body.as_bytes(),
        1_700_000_000,
        "jwt_67kxXD6UBAk7DqU6hzuHMDdXFXfP",
    )
}

#[test]
fn the_vectors_of_the_protocol_come_out_to_the_letter() {
    let keys = Keys::default();
    let token = |claims, signature| format!("{HEADER}.{claims}.{signature}");
    assert_eq!(
        body_hash(BODY.as_bytes()),
        "g_M3C2S1bQ-5nsUg-YynYYnjVmJ4G59bm-OFYmioeXE="
    );
    assert_eq!(
        sign(&keys.current, &claims(BODY)),
        token(CLAIMS, "lkit8WLP2YLbC_z2QRnuAF55JWH5O5AgjPOuNQXVlCY")
    );
    assert_eq!(
        sign(&keys.next, &claims(BODY)),
        token(CLAIMS, "oy2PvR6473tbKjLJyO6fVp_YNjLcYPtLlzaQ2-lH1NA")
    );
    assert_eq!(
        body_hash(b""),
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU="
    );
    assert_eq!(
        sign(&keys.current, &claims("")),
        token(EMPTY, "QV5NijZLyDs83r_Jg28xxAKrVZ-G1JGRQ6gIY46VZMw")
    );
}

#[tokio::test]
async fn each_attempt_is_signed_anew_with_the_current_key() {
    let mock = fast().clock(|| 1_700_000_000_000).start().unwrap();
    let url = always(500).await + "/belts";
    let deliveries = delivered(&mock, &url, &[("upstash-retries", "1")]).await;
    for (number, delivery) in (1..).zip(&deliveries) {
        let jti = format!("jwt_{number:028}");
        let claims = Claims::new(&url, b"hello", 1_700_000_000, &jti);
        assert_eq!(
            delivery.header("upstash-signature"),
            sign(&mock.keys().current, &claims)
        );
    }
    assert_eq!(deliveries.len(), 2);
}

#[tokio::test]
async fn a_rotation_makes_the_next_key_the_current_one() {
    let mock = fast().start().unwrap();
    let before = mock.keys();
    let said = get(&mock, "/v2/keys").await;
    assert_eq!(
        (&said.body["current"], &said.body["next"]),
        (&before.current.clone().into(), &before.next.clone().into())
    );
    let said = ask(&mock, "POST", "/v2/keys/rotate", &[], "").await;
    assert_eq!(said.body["current"], before.next);
    assert_eq!(said.body["next"], mock.keys().next);
    assert_ne!(mock.keys().next, before.next);
}

#[tokio::test]
async fn the_signature_names_the_public_url_where_a_proxy_delivers() {
    let real = always(200).await;
    let mock = fast()
        .clock(|| 1_700_000_000_000)
        .route("https://app.example.com", &real)
        .start()
        .unwrap();
    let deliveries = delivered(&mock, "https://app.example.com/belts?x=1", &[]).await;
    let claims = Claims::new(
        "https://app.example.com/belts?x=1",
        b"hello",
        1_700_000_000,
        &format!("jwt_{:028}", 1),
    );
    assert_eq!(deliveries[0].status(), 200);
    assert_eq!(
        deliveries[0].header("upstash-signature"),
        sign(&mock.keys().current, &claims)
    );
}
