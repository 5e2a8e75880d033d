//! Rows of an answer: a table for people, JSON or CSV for programs.

use std::io::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::{CliError, OutputArgs};
use crate::http::view::Moment;

/// What stands in one cell.
pub(super) enum Field {
    /// Words.
    Text(String),
    /// A number: four digits in a table, all of them in CSV.
    Number(f64),
    /// A count.
    Count(u64),
    /// Nothing.
    Nothing,
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<f64> for Field {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Field {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<Moment> for Field {
    fn from(at: Moment) -> Self {
        Self::Text(at.to_string())
    }
}

impl<T: Into<Field>> From<Option<T>> for Field {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

impl Field {
    fn exact(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Nothing => String::new(),
        }
    }

    fn short(&self) -> String {
        match self {
            Self::Number(number) if *number != 0.0 && number.abs() < 1e-3 => format!("{number:.2e}"),
            Self::Number(number) => format!("{number:.3}"),
            Self::Nothing => "-".to_owned(),
            other => other.exact(),
        }
    }
}

/// One column: its name, and what stands in it.
pub(super) struct Column<T>(pub(super) &'static str, pub(super) fn(&T) -> Field);

/// Prints items in the form asked for. A table without rows is the sentence `when_empty`.
pub(super) fn print<T: Serialize>(
    output: OutputArgs,
    items: &[T],
    columns: &[Column<T>],
    when_empty: &str,
) -> Result<(), CliError> {
    if items.is_empty() && !output.json && !output.csv {
        writeln!(std::io::stdout(), "{when_empty}")?;
        return Ok(());
    }
    let header = columns.iter().map(|column| column.0.to_owned()).collect();
    print_rows(output, items, header, |item| columns.iter().map(|column| (column.1)(item)).collect())
}

/// As [`print()`], for rows whose columns are known only now.
pub(super) fn print_rows<T: Serialize>(
    output: OutputArgs,
    items: &[T],
    header: Vec<String>,
    cells: impl Fn(&T) -> Vec<Field>,
) -> Result<(), CliError> {
    let mut to = std::io::stdout().lock();
    if output.json {
        serde_json::to_writer_pretty(&mut to, items).map_err(std::io::Error::from)?;
        writeln!(to)?;
    } else if output.csv {
        let mut csv = csv::Writer::from_writer(to);
        let failed = |e: csv::Error| CliError::Io(std::io::Error::from(e));
        csv.write_record(&header).map_err(failed)?;
        for item in items {
            csv.write_record(cells(item).iter().map(Field::exact)).map_err(failed)?;
        }
        csv.flush()?;
    } else {
        writeln!(to, "{}", table(header, items.iter().map(cells)))?;
    }
    Ok(())
}

/// Columns that hold a number stand to the right.
fn table(header: Vec<String>, rows: impl Iterator<Item = Vec<Field>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let mut is_number = vec![false; header.len()];
    table.set_header(header);
    for row in rows {
        for (is_number, field) in is_number.iter_mut().zip(&row) {
            *is_number |= matches!(field, Field::Number(_) | Field::Count(_));
        }
        table.add_row(row.iter().map(Field::short));
    }
    for (index, _) in is_number.iter().enumerate().filter(|(_, is_number)| **is_number) {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_short_where_csv_is_exact() {
        let check = |field: Field, short: &str, exact: &str| {
            assert_eq!((field.short().as_str(), field.exact().as_str()), (short, exact));
        };
        check(Field::from(1.23456), "1.235", "1.23456");
        check(Field::from(0.000_012_345), "1.23e-5", "0.000012345");
        check(Field::from(0.0), "0.000", "0");
        check(Field::from(None::<f64>), "-", "");
        check(Field::from(12_u64), "12", "12");
    }
}
