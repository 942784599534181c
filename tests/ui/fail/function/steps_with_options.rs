// Helpers have no options.
use belts::step;

#[belts::steps(retries = 3)]
async fn helper(id: &str) -> belts::Result<usize> {
    step!("length", id.len()).await
}

fn main() {}
