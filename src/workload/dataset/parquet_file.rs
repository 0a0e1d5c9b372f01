//! Parquet, as most datasets of the Hub come: each row is the JSON object that it would be in JSON Lines.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row as Record};
use serde_json::{Map, Value};

use super::Rows;
use super::values::row_of;

pub(super) fn read(bytes: Bytes, rows: &mut Rows) -> Result<(), String> {
    // What the reader itself cannot take in a damaged file may be a panic.
    catch_unwind(AssertUnwindSafe(|| read_rows(bytes, rows)))
        .unwrap_or_else(|_panic| Err("is damaged, Parquet cannot be read from it".to_owned()))
}

fn read_rows(bytes: Bytes, rows: &mut Rows) -> Result<(), String> {
    let cannot = |e: parquet::errors::ParquetError| format!("is no Parquet that can be read ({e})");
    let reader = SerializedFileReader::new(bytes).map_err(cannot)?;
    for (record, number) in reader.get_row_iter(None).map_err(cannot)?.zip(1_u64..) {
        let record = record.map_err(|e| format!("row {number} cannot be read ({e})"))?;
        let row = row_of(object(&record)).map_err(|e| format!("row {number} {e}"))?;
        rows.push(row).map_err(|e| format!("row {number} {e}"))?;
    }
    Ok(())
}

fn object(record: &Record) -> Value {
    let fields = record.get_column_iter();
    let fields = fields.map(|(name, field)| (name.clone(), value(field)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// Texts, numbers, lists and objects; what no prompt is made of (dates, decimals, pictures) is null.
fn value(field: &Field) -> Value {
    match field {
        Field::Bool(is) => (*is).into(),
        Field::Byte(n) => (*n).into(),
        Field::Short(n) => (*n).into(),
        Field::Int(n) => (*n).into(),
        Field::Long(n) => (*n).into(),
        Field::UByte(n) => (*n).into(),
        Field::UShort(n) => (*n).into(),
        Field::UInt(n) => (*n).into(),
        Field::ULong(n) => (*n).into(),
        Field::Float(n) => (*n).into(),
        Field::Double(n) => (*n).into(),
        Field::Str(text) => text.as_str().into(),
        // Older writers do not say that a column is text.
        Field::Bytes(bytes) => bytes.as_utf8().map_or(Value::Null, Value::from),
        Field::Group(record) => object(record),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => {
            let pairs = map.entries().iter();
            let named = pairs.filter_map(|(name, field)| match name {
                Field::Str(name) => Some((name.clone(), value(field))),
                _ => None,
            });
            Value::Object(named.collect())
        }
        _ => Value::Null,
    }
}
