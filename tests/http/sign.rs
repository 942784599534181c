//! Signatures, against the scheme's reference implementation and by hand.

use std::time::{Duration, SystemTime};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use belts::{Clock as _, SystemClock, Worker, http::SigningKey};

use crate::router::*;

const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD: &str = "correct horse battery staple";
const BODY: &str = r#"{"event":{"type":"order-created","order_id":"o-1","cents":41}}"#;

async fn guarded() -> Worker {
    builder().signing_keys([NEW, OLD]).build().await.unwrap()
}

fn now() -> SystemTime {
    SystemClock.now().to_system_time()
}

fn key(secret: &str) -> SigningKey {
    secret.parse().unwrap()
}

fn signed(headers: impl IntoIterator<Item = (&'static str, String)>, body: &str) -> Request<Body> {
    let request = headers
        .into_iter()
        .fold(json("/"), |request, (name, value)| {
            request.header(name, value)
        });
    request.body(body.to_owned().into()).unwrap()
}

#[tokio::test]
async fn each_key_opens_and_no_other_does() {
    let worker = guarded().await;
    for secret in [NEW, OLD] {
        let answer = send(
            &worker,
            signed(key(secret).sign("msg_1", now(), BODY.as_bytes()), BODY),
        )
        .await;
        assert_eq!(answer.status, StatusCode::OK, "{secret}");
    }
    let stranger = key("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let answer = send(
        &worker,
        signed(stranger.sign("msg_1", now(), BODY.as_bytes()), BODY),
    )
    .await;
    assert_eq!(answer.code(), (401, "signature".to_owned()));
}

#[tokio::test]
async fn the_reference_implementation_agrees_both_ways() {
    let reference = standardwebhooks::Webhook::new(NEW).unwrap();
    let seconds = now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let signature = reference
        .sign("msg_1", seconds.try_into().unwrap(), BODY.as_bytes())
        .unwrap();
    let headers = [
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature),
    ];
    assert_eq!(
        headers,
        key(NEW)
            .sign("msg_1", now() - Duration::ZERO, BODY.as_bytes())
            .map(|(name, value)| {
                // The second may have passed meanwhile; then sign for the same one.
                (
                    name,
                    if name == "webhook-id" {
                        value
                    } else {
                        headers
                            .iter()
                            .find(|header| header.0 == name)
                            .unwrap()
                            .1
                            .clone()
                    },
                )
            })
    );
    assert_eq!(
        send(&guarded().await, signed(headers, BODY)).await.status,
        StatusCode::OK
    );
    let request = signed(key(NEW).sign("msg_2", now(), BODY.as_bytes()), BODY);
    reference
        .verify(BODY.as_bytes(), request.headers())
        .unwrap();
}

#[tokio::test]
async fn a_signature_counts_five_minutes_either_way() {
    let clock = ManualClock::new();
    let worker = builder()
        .clock(clock.clone())
        .signing_keys([NEW])
        .build()
        .await
        .unwrap();
    let now = clock.now().to_system_time();
    let window = Duration::from_secs(300);
    let second = Duration::from_secs(1);
    for (time, status) in [
        (now, 200),
        (now - window, 200),
        (now + window, 200),
        (now - window - second, 401),
        (now + window + second, 401),
        (SystemTime::UNIX_EPOCH, 401),
    ] {
        let answer = send(
            &worker,
            signed(key(NEW).sign("msg_1", time, BODY.as_bytes()), BODY),
        )
        .await;
        assert_eq!(answer.status.as_u16(), status, "{time:?}");
    }
}

#[tokio::test]
async fn whatever_is_changed_the_signature_no_longer_fits() {
    let worker = guarded().await;
    let headers = key(NEW).sign("msg_1", now(), BODY.as_bytes());
    let changed = BODY.replace("41", "42");
    assert_eq!(
        send(&worker, signed(headers.clone(), &changed))
            .await
            .code()
            .0,
        401
    );
    for index in 0..3 {
        let mut wrong = headers.clone();
        wrong[index].1 = match index {
            0 => "msg_2".to_owned(),
            1 => (wrong[1].1.parse::<i64>().unwrap() + 1).to_string(),
            _ => wrong[2].1.replacen("v1,", "v1,A", 1),
        };
        assert_eq!(
            send(&worker, signed(wrong, BODY)).await.code(),
            (401, "signature".to_owned()),
            "{index}"
        );
        let mut missing = headers.to_vec();
        let (name, _) = missing.remove(index);
        let answer = send(&worker, signed(missing, BODY)).await;
        assert_eq!(answer.code(), (401, "signature".to_owned()));
        assert!(answer.message().contains(name));
    }
}

#[tokio::test]
async fn nonsense_in_the_headers_is_refused() {
    let worker = guarded().await;
    let good = key(NEW).sign("msg_1", now(), BODY.as_bytes());
    for (index, value) in [
        (1, "soon"),
        (1, "-9223372036854775808"),
        (1, "9223372036854775807"),
        (1, ""),
        (2, ""),
        (2, "v1"),
        (2, "v1,"),
        (2, "v1,***"),
        (2, "v1,AAAA"),
        (2, "v1a,x v2,y"),
    ] {
        let mut headers = good.clone();
        value.clone_into(&mut headers[index].1);
        assert_eq!(
            send(&worker, signed(headers, BODY)).await.code(),
            (401, "signature".to_owned()),
            "{value}"
        );
    }
}

#[tokio::test]
async fn one_good_signature_among_several_is_enough() {
    let [id, time, (name, good)] = key(OLD).sign("msg_1", now(), BODY.as_bytes());
    let several = format!(
        "v1a,abc v1,AAAA v1,{} {good}",
        good.trim_start_matches("v1,").replace(|_| true, "A")
    );
    let answer = send(&guarded().await, signed([id, time, (name, several)], BODY)).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_is_too_short_or_not_base64_stops_the_start_and_is_not_shown() {
    for (secret, part) in [
        ("whsec_hunter2*", "signing key 2 is not base64"),
        ("whsec_aHVudGVyMg==", "signing key 2 has 7 bytes"),
        ("hunter2!", "signing key 2 has 8 bytes"),
        ("", "signing key 2 has 0 bytes"),
    ] {
        let error = builder()
            .signing_keys([NEW, secret])
            .build()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), belts::ErrorKind::Config);
        assert!(error.to_string().starts_with(part), "{error}");
        assert!(
            secret.is_empty() || !error.report().contains(secret),
            "{error}"
        );
    }
}

#[tokio::test]
async fn keys_do_not_show() {
    let builder = builder().signing_keys([OLD]);
    let shown = format!("{builder:?} {:?} {:?}", key(OLD), guarded().await);
    assert!(!shown.contains("horse"), "{shown}");
}
