//! What counts as a dependency, on sources small enough to see through.

use crate::{circles, sources::Sources};

/// The circles of a crate, each as its files.
fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let sources = Sources::written(files);
    let files = |circle: crate::Circle<'_>| circle.files.iter().map(|&file| file.into()).collect();
    circles(&sources).into_iter().map(files).collect()
}

#[test]
fn two_files_that_use_each_other_are_a_circle() {
    let circle = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "pub struct B; fn f() { super::a::A; }"),
    ];
    assert_eq!(found(&circle), [["a.rs", "b.rs"]]);
}

#[test]
fn a_name_belongs_to_the_file_that_defines_it() {
    let through_the_parent = [
        ("lib.rs", "mod a;"),
        (
            "a/mod.rs",
            "mod b; mod c; pub use b::B; use c::C; fn f(_: C) {}",
        ),
        ("a/b.rs", "pub struct B;"),
        ("a/c.rs", "use super::B; pub struct C(B, crate::a::B);"),
    ];
    assert!(found(&through_the_parent).is_empty());
    let of_the_parent = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod c; pub struct B; use c::C; fn f(_: C) {}"),
        ("a/c.rs", "use super::B; pub struct C(B);"),
    ];
    assert_eq!(found(&of_the_parent), [["a/c.rs", "a/mod.rs"]]);
}

#[test]
fn handing_a_name_on_is_no_use_of_it() {
    let handed_on = [
        ("lib.rs", "mod a; pub use a::A; pub struct Root;"),
        ("a.rs", "pub struct A(crate::Root);"),
    ];
    assert!(found(&handed_on).is_empty());
}

#[test]
fn names_are_found_through_globs_modules_and_macros() {
    let found_all = |b: &str| {
        let files = [
            ("lib.rs", "mod a; mod b; pub(crate) use a as renamed;"),
            ("a.rs", "pub struct A(super::b::B);"),
            ("b.rs", b),
        ];
        found(&files).len() == 1
    };
    assert!(found_all("use crate::a::*; pub struct B; fn f(_: A) {}"));
    assert!(found_all(
        "use crate::renamed; pub struct B; fn f(_: renamed::A) {}"
    ));
    assert!(found_all(
        "use crate::a; pub struct B; fn f() { write!(b, 1, [a::A::new()]) }"
    ));
    assert!(found_all("pub struct B; fn f() { use crate::a::A as _; }"));
    assert!(!found_all(
        "use crate::a; pub struct B; fn f() { write!(b, x.a::A, ::a::A) }"
    ));
}

#[test]
fn tests_may_use_what_they_like() {
    let tests = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub struct A(crate::b::B);"),
        (
            "b.rs",
            "pub struct B; #[cfg(test)] mod tests { use crate::a::A; } #[cfg(test)] fn f(_: crate::a::A) {}",
        ),
    ];
    assert!(found(&tests).is_empty());
}
