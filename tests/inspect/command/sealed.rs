//! Encrypted stores in a shell: values with keys, what is told without them, and `belts reencrypt`.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use belts::{
    Keyring,
    store::{Sqlite, Store as _},
};
use serde_json::json;

use super::*;

const NEW: [u8; 32] = [11; 32];
const OLD: [u8; 32] = [1; 32];

fn variable(keys: &[(&str, [u8; 32])]) -> String {
    let keys = keys
        .iter()
        .map(|(id, key)| format!("{id}:{}", STANDARD.encode(key)));
    keys.collect::<Vec<_>>().join(",")
}

/// A store in which a run has failed, and one has completed.
struct Vault {
    _directory: tempfile::TempDir,
    url: String,
    store: Arc<Sqlite>,
    worker: Worker,
}

impl Vault {
    async fn new(name: &str, keys: Option<Keyring>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("belts.db");
        let store = Arc::new(Sqlite::open(&path).await.unwrap());
        let mut builder = Worker::builder().shared_store(store.clone());
        if let Some(keys) = keys {
            builder = builder.encryption(keys);
        }
        let worker = with_failed_run(builder.inspection_token(TOKEN), name).await;
        Self {
            _directory: directory,
            url: format!("sqlite://{}", path.display()),
            store,
            worker,
        }
    }
}

#[tokio::test]
async fn values_are_shown_with_the_keys_and_told_of_without() {
    let vault = Vault::new("sealed-shown", Some(Keyring::new("2026-11", NEW))).await;
    let keys = variable(&[("2026-11", NEW)]);
    let with = [("BELTS_ENCRYPTION_KEYS", &*keys)];
    let at = At(&["--store", &vault.url], &with);
    let shown = at.belts(&["run", "failed", "--values"]).await.good();
    assert!(
        shown.contains(r#"{"shop":"sealed-shown","cents":20}"#),
        "{shown}"
    );
    assert!(shown.contains("declined"), "{shown}");
    let other = variable(&[("2026-12", NEW)]);
    for without in [&[][..], &[("BELTS_ENCRYPTION_KEYS", &*other)]] {
        let at = At(&["--store", &vault.url], without);
        let shown = at.belts(&["run", "failed", "--values"]).await.good();
        assert!(
            shown.contains(r#"payload          "sealed with key 2026-11""#),
            "{shown}"
        );
        assert!(
            shown.contains("sealed with key 2026-11, with which"),
            "{shown}"
        );
        assert!(
            !shown.contains("declined") && !shown.contains("sealed-shown"),
            "{shown}"
        );
        let listed = at.belts(&["runs"]).await.good();
        assert!(listed.contains("sealed with key 2026-11"), "{listed}");
        let json = at
            .belts(&["--json", "run", "failed", "--values"])
            .await
            .lines()
            .remove(0);
        assert_eq!(json["payload"], json!("sealed with key 2026-11"));
        assert_eq!(json["steps"][0]["output"], json!("sealed with key 2026-11"));
    }
}

#[tokio::test]
async fn a_worker_shows_values_to_whoever_may_see_them() {
    let vault = Vault::new("sealed-http", Some(Keyring::new("2026-11", NEW))).await;
    let (url, _serving) = served(&vault.worker).await;
    let token = [("BELTS_INSPECTION_TOKEN", TOKEN)];
    let at = At(&["--worker", &url], &token);
    let shown = at.belts(&["run", "failed", "--values"]).await.good();
    assert!(shown.contains(r#""shop":"sealed-http""#), "{shown}");
    let lacking = Worker::builder().shared_store(vault.store.clone());
    let lacking = lacking.inspection_token(TOKEN).build().await.unwrap();
    let (url, _serving) = served(&lacking).await;
    let at = At(&["--worker", &url], &token);
    let shown = at.belts(&["run", "failed", "--values"]).await.good();
    assert!(shown.contains("sealed with key 2026-11"), "{shown}");
    assert!(!shown.contains("sealed-http"), "{shown}");
    let told = at.belts(&["reencrypt"]).await.usage();
    assert!(told.contains("--store <URL>"), "{told}");
}

#[tokio::test]
async fn reencrypt_seals_everything_with_the_first_key() {
    for (name, keys) in [
        ("sealed-old", Some(Keyring::new("2026-01", OLD))),
        ("sealed-plain", None),
    ] {
        let vault = Vault::new(name, keys).await;
        let both = variable(&[("2026-11", NEW), ("2026-01", OLD)]);
        let at = [("BELTS_ENCRYPTION_KEYS", &*both)];
        let at = At(&["--store", &vault.url], &at);
        let done = at.belts(&["reencrypt"]).await;
        let told = "encrypted 4 values of 1 run, 1 event and 0 schedules\n";
        assert_eq!(done.good(), told);
        assert!(done.err.contains("so far"), "{}", done.err);
        let stored = vault.store.run("failed").await.unwrap().unwrap();
        let new = br#"{"belts.sealed":1,"key":"2026-11""#;
        assert!(stored.payload.starts_with(new) && stored.result.unwrap().starts_with(new));
        let again = at.belts(&["--json", "reencrypt"]).await.lines().remove(0);
        let nothing =
            json!({"events": 1, "runs": 1, "schedules": 0, "changed": 0, "closed": 0, "keys": []});
        assert_eq!(again, nothing);
        let new = variable(&[("2026-11", NEW)]);
        let at = [("BELTS_ENCRYPTION_KEYS", &*new)];
        let at = At(&["--store", &vault.url], &at);
        let shown = at.belts(&["run", "failed", "--values"]).await.good();
        assert!(shown.contains("declined"), "{shown}");
    }
}

#[tokio::test]
async fn reencrypt_tells_of_what_does_not_open() {
    let vault = Vault::new("sealed-lost", Some(Keyring::new("2026-01", OLD))).await;
    let new = variable(&[("2026-11", NEW)]);
    let at = [("BELTS_ENCRYPTION_KEYS", &*new)];
    let at = At(&["--store", &vault.url], &at);
    let told = at.belts(&["reencrypt"]).await;
    assert_eq!(told.code, 1);
    assert!(
        told.err.contains("4 values did not open") && told.err.contains("2026-01"),
        "{}",
        told.err
    );
}

#[tokio::test]
async fn keys_that_cannot_be_are_told_of_without_them() {
    let vault = Vault::new("sealed-wrong", None).await;
    let url = ["--store", &*vault.url];
    let told = At(&url, &[]).belts(&["reencrypt"]).await.usage();
    assert!(told.contains("set BELTS_ENCRYPTION_KEYS"), "{told}");
    let wrong = [("BELTS_ENCRYPTION_KEYS", "2026-11:c2VjcmV0")];
    let told = At(&url, &wrong).belts(&["runs"]).await.usage();
    assert!(
        told.contains("BELTS_ENCRYPTION_KEYS: entry 1, `2026-11`, has 6 bytes"),
        "{told}"
    );
    assert!(!told.contains("c2Vj") && !told.contains("secret"), "{told}");
}
