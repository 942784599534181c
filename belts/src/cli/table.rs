//! A text table that fits the terminal.

use super::print::{Out, plain};

/// Rows under a heading. If the terminal is too narrow, the last column is cut.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// The column that determines the colour of its cell.
    painted: usize,
}

/// Between two columns.
const GAP: &str = "  ";
/// The minimum width of the last column.
const LEAST: usize = 10;

impl Table {
    pub(super) fn new(heading: &[&str], painted: usize) -> Self {
        Self {
            rows: vec![heading.iter().map(ToString::to_string).collect()],
            painted,
        }
    }

    pub(super) fn row(&mut self, cells: &[String]) {
        self.rows
            .push(cells.iter().map(|cell| plain(cell)).collect());
    }

    pub(super) fn text(&self, out: Out) -> String {
        let widths = self.widths();
        let last = widths.len().saturating_sub(1);
        let before: usize = widths[..last].iter().map(|width| width + GAP.len()).sum();
        let room = out
            .width
            .map(|width| width.saturating_sub(before).max(LEAST));
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (place, cell) in row.iter().enumerate() {
                let shown = match (place == last, room) {
                    (true, Some(room)) => cut(cell, room),
                    (true, None) => cell.clone(),
                    (false, _) => {
                        let padding = widths[place].saturating_sub(cell.chars().count());
                        format!("{cell}{}{GAP}", " ".repeat(padding))
                    }
                };
                line += &if place == self.painted {
                    out.painted(&shown, cell)
                } else {
                    shown
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let of = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..columns).map(of).collect()
    }
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_gives_way_to_the_terminal() {
        let mut table = Table::new(&["RUN", "STATUS", "ERROR"], 1);
        table.row(&[
            "r-1".into(),
            "failed".into(),
            "card\x1b[2J declined by the bank".into(),
        ]);
        table.row(&["r-20".into(), "completed".into(), String::new()]);
        let mut out = Out::new(false);
        out.width = None;
        let wide = "RUN   STATUS     ERROR\nr-1   failed     card\\u{1b}[2J declined by the bank\nr-20  completed\n";
        assert_eq!(table.text(out), wide);
        out.width = Some(30);
        let narrow = "RUN   STATUS     ERROR\nr-1   failed     card\\u{1b}[2…\nr-20  completed\n";
        assert_eq!(table.text(out), narrow);
    }
}
