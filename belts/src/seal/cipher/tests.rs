use super::*;
use crate::store::StepKind;

fn ring(id: &str, key: u8) -> Sealer {
    Sealer::new(&Keyring::new(id, [key; 32])).expect("one key")
}

const HERE: Place<'_> = Place::Result { run_id: "r-1" };

#[test]
fn any_value_comes_back() {
    let keys = ring("a", 1);
    let long = b"again and again ".repeat(1000);
    let values = [&b""[..], b"{}", b"\x00\xff", &long];
    for (label, value) in [None, Some("o-17"), Some("")]
        .into_iter()
        .flat_map(|label| values.map(|value| (label, value)))
    {
        let sealed = keys.seal(HERE, label, value).expect("it is sealed");
        assert_eq!(sealed::key_of(&sealed), Some("a"));
        assert!(serde_json::from_slice::<serde_json::Value>(&sealed).is_ok());
        let opened = keys.open(HERE, &sealed).expect("it opens");
        assert_eq!((opened.label.as_deref(), &*opened.value), (label, value));
    }
    let sealed = keys.seal(HERE, None, &long).expect("it is sealed");
    assert!(sealed.len() < long.len() / 10, "{}", sealed.len());
}

#[test]
fn a_value_opens_in_its_place_alone() {
    let keys = ring("a", 1);
    let entry = |run_id, path, kind| Place::Entry { run_id, path, kind };
    let event = |id, event_type| Place::Event { id, event_type };
    let places = [
        HERE,
        Place::Result { run_id: "r-2" },
        entry("r-1", "pay", StepKind::Step),
        entry("r-2", "pay", StepKind::Step),
        entry("r-1", "ship", StepKind::Step),
        entry("r-1", "pay", StepKind::Wait),
        event("r-1", "paid"),
        event("r-1", "shipped"),
        event("r-1paid", ""),
    ];
    for (at, place) in places.iter().enumerate() {
        let sealed = keys.seal(*place, None, b"{}").expect("it is sealed");
        for (other, moved) in places.iter().enumerate() {
            assert_eq!(
                keys.open(*moved, &sealed).is_some(),
                at == other,
                "{place:?} {moved:?}"
            );
        }
    }
}

#[test]
fn another_key_of_the_same_id_opens_nothing() {
    let sealed = ring("a", 1).seal(HERE, None, b"{}").expect("it is sealed");
    assert_eq!(ring("a", 2).open(HERE, &sealed), None);
    assert_eq!(ring("b", 1).open(HERE, &sealed), None);
}

#[test]
fn whatever_is_cut_or_changed_opens_no_more() {
    let keys = ring("a", 1);
    let sealed = keys.seal(HERE, None, b"{}").expect("it is sealed");
    for cut in 0..sealed.len() {
        assert_eq!(keys.open(HERE, &sealed[..cut]), None, "{cut}");
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(keys.open(HERE, &changed), None, "{at}");
    }
}

#[test]
fn two_seals_of_one_value_have_nothing_in_common() {
    let keys = ring("a", 1);
    let [one, other] = [(); 2].map(|()| keys.seal(HERE, None, b"{}").expect("it is sealed"));
    assert_ne!(one, other);
}

#[test]
fn a_value_is_no_larger_than_is_asked_for() {
    let keys = ring("a", 1);
    for value in [vec![0; 1 << 20], vec![0; 1000]] {
        let sealed = keys.seal(HERE, None, &value).expect("it is sealed");
        let open = |most| keys.open_within(HERE, &sealed, most).is_some();
        assert_eq!((open(value.len()), open(value.len() - 1)), (true, false));
    }
}

#[test]
fn hashes_outlive_a_new_key_in_front() {
    let before = ring("a", 1);
    let after = Sealer::new(&Keyring::new("b", [2; 32]).and_old("a", [1; 32])).expect("two keys");
    let pinned = Sealer::new(&Keyring::new("b", [2; 32]).and_hash([1; 32])).expect("two keys");
    let other = ring("b", 2);
    let hashes = [&before, &after, &pinned, &other].map(|keys| keys.hashed("o-17"));
    assert_eq!((&hashes[0], &hashes[0]), (&hashes[1], &hashes[2]));
    assert_ne!(hashes[0], hashes[3]);
    assert_ne!(before.hashed("o-18"), hashes[0]);
    assert!(!hashes[0].contains("o-17"));
    let digest = EventDigest::of("t", b"{}");
    assert_ne!(before.hasher.digest(digest), digest);
    assert_eq!(before.hasher.digest(digest), after.hasher.digest(digest));
    assert!(
        after
            .earlier_digests(digest)
            .any(|earlier| earlier == other.hasher.digest(digest))
    );
}
