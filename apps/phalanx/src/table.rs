//! Columns that line up, with ink that does not count.

use crate::paint::{Ink, Paint};

/// One cell.
pub struct Cell {
    text: String,
    ink: Ink,
}

/// A table with a heading.
pub struct Table {
    rows: Vec<Vec<Cell>>,
}

/// A cell in an ink.
pub fn cell(ink: Ink, text: impl Into<String>) -> Cell {
    Cell { text: text.into(), ink }
}

/// A plain cell.
pub fn plain(text: impl Into<String>) -> Cell {
    cell(Ink::Plain, text)
}

impl Table {
    /// A table with these columns.
    pub fn new(heads: &[&str]) -> Table {
        Table { rows: vec![heads.iter().map(|head| cell(Ink::Dim, *head)).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as lines.
    pub fn render(&self, paint: Paint) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        self.rows.iter().map(|row| line(row, &widths, paint)).collect()
    }
}

fn line(row: &[Cell], widths: &[usize], paint: Paint) -> String {
    let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
    let mut line = String::new();
    for (number, (cell, width)) in row.iter().zip(widths).enumerate().take(last + 1) {
        line += &paint.ink(cell.ink, &cell.text);
        if number < last {
            line += &" ".repeat(width - cell.text.chars().count() + 2);
        }
    }
    line.push('\n');
    line
}
