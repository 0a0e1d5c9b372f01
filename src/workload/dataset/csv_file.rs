//! CSV with a header: one column holds the prompts, another may hold system prompts.

use std::sync::Arc;

use super::Rows;
use super::values::prompt_column;
use crate::workload::row::Row;

pub(super) fn read(text: &str, delimiter: u8, rows: &mut Rows) -> Result<(), String> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| told(&e))?;
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    let column = match (prompt_column(&names), names.len()) {
        (Some(column), _) => column,
        (None, 1) => 0,
        (None, _) => {
            let shown: Vec<String> = names.iter().take(12).map(|n| format!("“{n}”")).collect();
            return Err(format!(
                "line 1 names no column “prompt”, “question”, “instruction” or “text”: it has {}",
                shown.join(", ")
            ));
        }
    };
    let system = names
        .iter()
        .position(|n| n.trim().eq_ignore_ascii_case("system"));
    for record in reader.records() {
        let record = record.map_err(|e| told(&e))?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut row = Row::of(record.get(column).unwrap_or_default());
        let system = system.and_then(|at| record.get(at)).map(str::trim);
        row.system = system.filter(|s| !s.is_empty()).map(Arc::from);
        rows.push(row).map_err(|e| format!("line {line} {e}"))?;
    }
    Ok(())
}

fn told(error: &csv::Error) -> String {
    match error.position() {
        Some(at) => format!("line {} is no row of this CSV ({error})", at.line()),
        None => format!("is no CSV ({error})"),
    }
}
