//! `belts new`: what it writes, and what it refuses. That it builds and passes its tests is the example `new`.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use super::{Said, program, said};

/// The clone that this is.
const CLONE: &str = env!("CARGO_MANIFEST_DIR");

async fn new(folder: &Path, more: &[&str]) -> Said {
    let mut arguments = vec!["new", folder.to_str().unwrap()];
    arguments.extend(more);
    said(program(&arguments, &[]).output().await.unwrap())
}

#[tokio::test]
async fn a_project_is_written_that_cargo_reads() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("web-shop");
    let told = new(&folder, &["--path", CLONE]).await.good();
    assert!(told.contains("cargo test") && told.contains("belts publish order-placed"));
    let ignored = fs::read_to_string(folder.join(".gitignore")).unwrap();
    assert!(ignored.contains("/target\n") && ignored.contains("/belts.db"));
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(&folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&metadata.stderr);
    assert!(metadata.status.success(), "{text}");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let package = &metadata["packages"][0];
    assert_eq!(package["name"], "web-shop");
    let known = fs::read_to_string(Path::new(CLONE).join("belts/Cargo.toml")).unwrap();
    let belts = package["dependencies"].as_array().unwrap().iter();
    let belts: Vec<&Value> = belts.filter(|it| it["name"] == "belts").collect();
    assert_eq!(belts.len(), 2, "for the program, and for its tests");
    for dependency in belts {
        let path = Path::new(dependency["path"].as_str().unwrap());
        assert!(path.join("src/lib.rs").exists(), "{dependency}");
        for feature in dependency["features"].as_array().unwrap() {
            let line = format!("\n{} = [", feature.as_str().unwrap());
            assert!(known.contains(&line), "{feature} is a feature of belts");
        }
    }
    // Without a clone it is the release of this version.
    let folder = place.path().join("released");
    new(&folder, &[]).await.good();
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(manifest.contains(&format!("belts = {{ version = \"{version}\", features")));
}

#[tokio::test]
async fn nothing_is_overwritten_and_names_are_those_of_crates() {
    let place = tempfile::tempdir().unwrap();
    let full = place.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine.txt"), "mine").unwrap();
    let text = new(&full, &[]).await.usage();
    assert!(text.contains("is not empty"), "{text}");
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    new(&empty, &[]).await.good();
    for (name, why) in [
        ("Shop", "lower-case letters"),
        ("2shop", "with a letter first"),
        ("shöp", "lower-case letters"),
        ("my shop", "lower-case letters"),
        ("async", "a meaning of its own"),
        ("test", "a meaning of its own"),
        ("belts", "a meaning of its own"),
    ] {
        let folder = place.path().join(name);
        let text = new(&folder, &[]).await.usage();
        assert!(text.contains(why), "{name}: {text}");
        assert!(!folder.exists(), "{name}");
    }
    let text = new(&place.path().join("shop"), &["--path", "/nowhere"]).await;
    assert!(text.failed().contains("there is no belts in `/nowhere`"));
    let inside = Path::new(CLONE).join("target/made-by-a-test");
    let text = new(&inside, &["--path", CLONE]).await.usage();
    assert!(
        text.contains("in the clone itself") && !inside.exists(),
        "{text}"
    );
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let text = new(&file.join("shop"), &[]).await.failed();
    assert!(text.contains("error: cannot"), "{text}");
}

#[tokio::test]
async fn a_program_hears_what_was_made() {
    let place = tempfile::tempdir().unwrap();
    let said = new(&place.path().join("shop"), &["--json"]).await;
    said.good();
    assert_eq!(said.lines()[0]["created"], "shop");
}
