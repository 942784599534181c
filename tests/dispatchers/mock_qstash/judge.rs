//! What both SDKs are asked: whether they believe a token, and what a message with every option looks like.

use std::time::Duration;

use belts_qstash_mock::{Faults, Forge, Keys, Message, Mock, Verdict, When};

use super::{destination::*, peers::Peer, sign::BODY};

/// The SDK agrees with a strict receiver, but accepts the tokens named in `lax` and refuses those in `harsh`.
pub(crate) async fn forged(peer: &mut Peer, forge: &Forge, lax: &[&str], harsh: &[&str]) {
    for forged in forge.all() {
        let strict = forged.strict == Verdict::Accept;
        let expected = (strict || lax.contains(&forged.name)) && !harsh.contains(&forged.name);
        let said = peer.verify(&Keys::default(), &forged).await;
        assert_eq!(said.is_ok(), expected, "{}: {said:?}", forged.name);
    }
}

/// The SDK believes the vectors of the protocol.
pub(crate) async fn vectors(peer: &mut Peer) {
    let keys = Keys::default();
    for (body, key) in [
        (BODY, &keys.current),
        (BODY, &keys.next),
        ("", &keys.current),
    ] {
        let forge = Forge::new(
            &keys,
            "https://app.example.com/belts",
            body.as_bytes(),
            1_700_000_100,
        );
        let mut forged = forge.named("good, current key");
        forged.token = belts_qstash_mock::sign(key, &super::sign::claims(body));
        peer.verify(&keys, &forged).await.unwrap();
    }
}

/// The SDK believes each delivery as it arrived, with the keys of before a rotation too, and none that was changed.
pub(crate) async fn deliveries(mock: &Mock, peer: &mut Peer) {
    let keys = mock.keys();
    let url = always(500).await + "/belts?x=1&y=a%20b";
    mock.set_faults(Faults {
        deliver_twice: When::Attempts(vec![0]),
        ..Faults::default()
    });
    let first = delivered(mock, &url, &[("upstash-retries", "1")]).await;
    mock.rotate_keys();
    let second = delivered(mock, &url, &[("upstash-retries", "0")]).await;
    let all = [first, second].concat();
    assert_eq!(all.len(), 5);
    for delivery in &all {
        peer.verify_delivery(&keys, delivery).await.unwrap();
    }
    mock.set_faults(Faults {
        change_body: When::Always,
        ..Faults::default()
    });
    let changed = delivered(mock, &url, &[("upstash-retries", "0")]).await;
    assert!(
        peer.verify_delivery(&mock.keys(), &changed[0])
            .await
            .is_err()
    );
    mock.rotate_keys();
    mock.set_faults(Faults::default());
    let late = delivered(mock, &url, &[("upstash-retries", "0")]).await;
    assert!(
        peer.verify_delivery(&keys, &late[0]).await.is_err(),
        "two rotations lock it out"
    );
}

/// The message has the options that both SDKs were told to send.
pub(crate) fn is_every_option(message: &Message) {
    let options = &message.options;
    assert_eq!(options.method, "PUT");
    let header = |wanted: &str| {
        options
            .headers
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(
        (header("authorization"), header("my-header")),
        (Some("Bearer user"), Some("v"))
    );
    assert_eq!(
        (options.delay, options.not_before),
        (Some(Duration::from_secs(90)), Some(1_700_000_000))
    );
    assert_eq!(
        (options.retries, options.timeout),
        (0, Some(Duration::from_secs(30)))
    );
    assert_eq!(
        options.retry_delay.as_ref().unwrap().delay(1),
        Duration::from_secs(2)
    );
    assert_eq!(
        (
            options.deduplication_id.as_deref(),
            options.content_based_deduplication
        ),
        (Some("d1"), true)
    );
    let callback = options.callback.as_ref().unwrap();
    assert_eq!(
        (callback.url.as_str(), callback.options.retries),
        ("https://cb.example/c", 0)
    );
    assert_eq!(
        options.failure_callback.as_ref().unwrap().url,
        "https://cb.example/f"
    );
    let flow = options.flow_control.as_ref().unwrap();
    assert_eq!(
        (flow.key.as_str(), flow.limits.parallelism, flow.limits.rate),
        ("k", Some(2), Some(10))
    );
    assert_eq!(flow.limits.period, Some(Duration::from_secs(60)));
    assert_eq!(options.labels[0], "l1");
    assert_eq!(
        (options.redact.body, options.redact.named.as_slice()),
        (true, &["authorization".to_owned()][..])
    );
}
