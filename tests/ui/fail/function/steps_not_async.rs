// A helper is async.
#[belts::steps]
fn helper(id: &str) -> usize {
    id.len()
}

fn main() {}
