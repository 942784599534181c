//! Whether an event takes the types that a function asks for, known at compile time.

/// Whether every type of the lists in `wanted` is in `held`; for compile-time checks of `on`.
pub const fn holds(held: &[&str], wanted: &[&[&str]]) -> bool {
    let mut list = 0;
    while list < wanted.len() {
        let mut item = 0;
        while item < wanted[list].len() {
            if !contains(held, wanted[list][item]) {
                return false;
            }
            item += 1;
        }
        list += 1;
    }
    true
}

const fn contains(held: &[&str], wanted: &str) -> bool {
    let mut index = 0;
    while index < held.len() {
        if same(held[index].as_bytes(), wanted.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}
