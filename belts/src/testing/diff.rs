//! A readable difference between the sequence that a test expects and the actual one.

use std::fmt::Write as _;

/// The difference line by line: `-` is missing, `+` is extra. `done` says what was done to the actual ones.
pub(crate) fn diff(done: &str, expected: &[&str], actual: &[&str]) -> String {
    // Lengths of the longest common subsequences of the tails of both lists.
    let mut common = vec![vec![0_usize; actual.len() + 1]; expected.len() + 1];
    for row in (0..expected.len()).rev() {
        for column in (0..actual.len()).rev() {
            common[row][column] = if expected[row] == actual[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let (mut row, mut column, mut text) = (0, 0, String::new());
    while row < expected.len() || column < actual.len() {
        let same = row < expected.len() && column < actual.len() && expected[row] == actual[column];
        // Writing to a string cannot fail.
        let _ = if same {
            row += 1;
            column += 1;
            writeln!(text, "    {}", expected[row - 1])
        } else if column == actual.len()
            || (row < expected.len() && common[row + 1][column] >= common[row][column + 1])
        {
            row += 1;
            writeln!(text, "  - {}   (expected, not {done})", expected[row - 1])
        } else {
            column += 1;
            writeln!(text, "  + {}   ({done}, not expected)", actual[column - 1])
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn a_changed_step_shows_both_sides_between_what_stays() {
        let text = diff(
            "recorded",
            &["check", "charge", "ship"],
            &["check", "refund", "ship"],
        );
        assert_eq!(
            text,
            "    check\n  - charge   (expected, not recorded)\n  + refund   (recorded, not expected)\n    ship\n"
        );
    }

    #[test]
    fn nothing_recorded_is_all_missing() {
        assert_eq!(
            diff("recorded", &["a"], &[]),
            "  - a   (expected, not recorded)\n"
        );
    }
}
