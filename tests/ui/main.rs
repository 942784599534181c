//! What the macros accept, and what they say of what they do not.
//!
//! Each file holds one case; `TRYBUILD=overwrite` writes what is said anew, to be read before it is kept.

#[test]
fn macros_accept_and_refuse() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*/*.rs");
}
