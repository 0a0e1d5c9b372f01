//! Columns under one another.

/// Texts in columns as wide as their widest: the first to the left, the others to the right.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    n_left: usize,
}

impl Table {
    pub(super) fn new(heads: &[&str]) -> Self {
        Self::with_left(heads.iter().map(|h| (*h).to_owned()).collect(), 1)
    }

    /// With so many columns to the left.
    pub(super) fn with_left(heads: Vec<String>, n_left: usize) -> Self {
        let rows = vec![heads];
        Self { rows, n_left }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Indented by two, each row in a line.
    pub(super) fn text(&self) -> String {
        let n = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..n).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate();
            let cells = cells.map(|(i, (cell, width))| {
                if i < self.n_left {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            format!("  {}\n", line.trim_end())
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_one_another() {
        let mut table = Table::new(&["Goal", "n"]);
        table.row(vec!["p95 ≤ 5".to_owned(), "100".to_owned()]);
        assert_eq!(table.text(), "  Goal       n\n  p95 ≤ 5  100\n");
    }
}
