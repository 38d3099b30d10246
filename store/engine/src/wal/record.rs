//! One request's rows as bytes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow::ipc::{self, MetadataVersion, reader, root_as_message};
use grid_model::table::samples;
use grid_model::{Table, TenantId};

/// Bytes of a record's header: length u32, version u16, reserved u16, sequence u64, payload CRC u32, header CRC u32.
pub const HEADER_BYTES: usize = 24;
/// Version of the payload's encoding.
const VERSION: u16 = 1;

/// A record read back.
#[derive(Debug)]
pub struct Record {
    /// Position in the order of all writes.
    pub seq: u64,
    /// Whose rows.
    pub tenant: TenantId,
    /// The rows.
    pub batches: Vec<(Table, RecordBatch)>,
}

/// Why bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The bytes end inside the record: the write was torn.
    #[error("the record is cut short")]
    Torn,
    /// A checksum does not match.
    #[error("the {0} checksum does not match")]
    Checksum(&'static str),
    /// The record was written by a newer Grid.
    #[error("the record has version {0}, this binary reads {VERSION}")]
    Version(u16),
    /// The payload does not parse although its checksum matches.
    #[error("the payload does not parse: {0}")]
    Payload(String),
}

/// Encodes a request's rows; the header comes with the sequence, see [`header`].
pub fn encode_payload(
    tenant: &TenantId,
    batches: &[(Table, RecordBatch)],
) -> Result<Vec<u8>, arrow::error::ArrowError> {
    let mut out = Vec::with_capacity(256 + batches.iter().map(|(_, b)| b.get_array_memory_size() / 2).sum::<usize>());
    out.push(tenant.as_str().len() as u8);
    out.extend_from_slice(tenant.as_str().as_bytes());
    out.extend_from_slice(&(batches.len() as u16).to_le_bytes());
    let generator = IpcDataGenerator::default();
    let options = IpcWriteOptions::default();
    for (table, batch) in batches {
        let mut dictionaries = DictionaryTracker::new(false);
        #[expect(deprecated, reason = "the replacement takes a context that is not exported")]
        let (_, encoded) = generator.encoded_batch(batch, &mut dictionaries, &options)?;
        out.push(shape_code(*table, batch));
        out.extend_from_slice(&(encoded.ipc_message.len() as u32).to_le_bytes());
        out.extend_from_slice(&(encoded.arrow_data.len() as u32).to_le_bytes());
        out.extend_from_slice(&encoded.ipc_message);
        out.extend_from_slice(&encoded.arrow_data);
    }
    Ok(out)
}

/// The header of a payload.
pub fn header(seq: u64, payload: &[u8], payload_crc: u32) -> [u8; HEADER_BYTES] {
    let mut h = [0; HEADER_BYTES];
    h[0..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    h[4..6].copy_from_slice(&VERSION.to_le_bytes());
    h[8..16].copy_from_slice(&seq.to_le_bytes());
    h[16..20].copy_from_slice(&payload_crc.to_le_bytes());
    let crc = crc32c::crc32c(&h[..20]);
    h[20..24].copy_from_slice(&crc.to_le_bytes());
    h
}

/// Reads the record at the start of `bytes`; answers it with the bytes that it took.
pub fn read(bytes: &Buffer) -> Result<(Record, usize), RecordError> {
    let (head, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(RecordError::Torn)?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if crc32c::crc32c(&head[..20]) != word(20) {
        return Err(RecordError::Checksum("header"));
    }
    let version = u16::from_le_bytes([head[4], head[5]]);
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    let length = word(0) as usize;
    if rest.len() < length {
        return Err(RecordError::Torn);
    }
    if crc32c::crc32c(&rest[..length]) != word(16) {
        return Err(RecordError::Checksum("payload"));
    }
    let mut seq = [0; 8];
    seq.copy_from_slice(&head[8..16]);
    let payload = bytes.slice_with_length(HEADER_BYTES, length);
    let (tenant, batches) = decode_payload(&payload).map_err(RecordError::Payload)?;
    Ok((Record { seq: u64::from_le_bytes(seq), tenant, batches }, HEADER_BYTES + length))
}

type Rows = (TenantId, Vec<(Table, RecordBatch)>);

fn decode_payload(payload: &Buffer) -> Result<Rows, String> {
    let mut at = 0;
    let mut take = |n: usize| -> Result<Buffer, String> {
        if payload.len().saturating_sub(at) < n {
            return Err(format!("{n} bytes expected at offset {at}"));
        }
        let part = payload.slice_with_length(at, n);
        at += n;
        Ok(part)
    };
    let tenant_len = take(1)?[0] as usize;
    let tenant_bytes = take(tenant_len)?;
    let tenant = std::str::from_utf8(&tenant_bytes).map_err(|e| e.to_string())?;
    let tenant = TenantId::parse(tenant).map_err(|e| e.to_string())?;
    let count = take(2)?;
    let count = u16::from_le_bytes([count[0], count[1]]);
    let mut batches = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let head = take(9)?;
        let word = |i: usize| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]) as usize;
        let (table, schema) = shape_of_code(head[0]).ok_or_else(|| format!("unknown table code {}", head[0]))?;
        let message = take(word(1))?;
        let data = take(word(5))?;
        batches.push((table, read_batch(&message, &data, schema)?));
    }
    Ok((tenant, batches))
}

fn read_batch(message: &Buffer, data: &Buffer, schema: SchemaRef) -> Result<RecordBatch, String> {
    // Flatbuffers want their alignment; a slice of a file has none to offer.
    let aligned = message.to_vec();
    let message = root_as_message(&aligned).map_err(|e| e.to_string())?;
    let header = message.header_as_record_batch().ok_or("the message is no record batch")?;
    check_bounds(header, data.len())?;
    let data = Buffer::from(data.as_slice());
    // The layouts of all types are Arrow's to know: a buffer that is too short for its column still ends in a panic of its reader. It
    // touches nothing but what is built here.
    let read = || reader::read_record_batch(&data, header, schema, &HashMap::new(), None, &MetadataVersion::V5);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read))
        .map_err(|_| "a column's buffers are shorter than its rows".to_owned())?
        .map_err(|e| e.to_string())
}

/// Arrow's reader trusts what a message says of its buffers and panics where they are not. A checksum does not make a message true: it may have
/// been written by somebody else.
fn check_bounds(batch: ipc::RecordBatch<'_>, data_bytes: usize) -> Result<(), String> {
    let within = |n: i64| usize::try_from(n).ok().filter(|n| *n <= data_bytes);
    if batch.compression().is_some() || batch.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err("the batch is encoded in a way that is never written".into());
    }
    let rows = u32::try_from(batch.length()).map_err(|_| format!("a batch of {} rows", batch.length()))?;
    for node in batch.nodes().into_iter().flatten() {
        if !(0..=i64::from(i32::MAX)).contains(&node.length()) || !(0..=node.length()).contains(&node.null_count()) {
            return Err(format!("a column of {} rows, {} of them null", node.length(), node.null_count()));
        }
    }
    for buffer in batch.buffers().into_iter().flatten() {
        let end = buffer.offset().checked_add(buffer.length());
        if within(buffer.offset()).is_none() || within(buffer.length()).is_none() || end.and_then(within).is_none() {
            return Err(format!("{} bytes at {} of {data_bytes}", buffer.length(), buffer.offset()));
        }
    }
    // Every table has a column without nulls of at least eight bytes, so more rows than bytes cannot be.
    if rows as usize > data_bytes {
        return Err(format!("{rows} rows in {data_bytes} bytes"));
    }
    Ok(())
}

/// Table and schema variant of a batch as one byte. Codes are never reused.
fn shape_code(table: Table, batch: &RecordBatch) -> u8 {
    match table {
        Table::Samples if batch.num_columns() == samples::schema().fields().len() => 1,
        Table::Samples => 2,
        Table::Series => 3,
        Table::Exemplars => 4,
        Table::Metadata => 5,
        Table::Logs => 6,
        Table::Spans => 7,
        Table::Charges => 8,
        Table::Prices => 10,
        Table::Allocations => 9,
        Table::Anomalies => 11,
        Table::Forecasts => 12,
        Table::Recommendations => 13,
        Table::Patterns => 14,
    }
}

fn shape_of_code(code: u8) -> Option<(Table, SchemaRef)> {
    let table = match code {
        2 => return Some((Table::Samples, samples::number_schema())),
        1 => Table::Samples,
        3 => Table::Series,
        4 => Table::Exemplars,
        5 => Table::Metadata,
        6 => Table::Logs,
        7 => Table::Spans,
        8 => Table::Charges,
        10 => Table::Prices,
        9 => Table::Allocations,
        11 => Table::Anomalies,
        12 => Table::Forecasts,
        13 => Table::Recommendations,
        14 => Table::Patterns,
        _ => return None,
    };
    Some((table, Arc::clone(&table.schema())))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
    use grid_model::table::samples::{SampleValue, SamplesBuilder};
    use grid_model::{AttrValue, SeriesId, Timestamp};

    /// A log batch of the given lines, at times 0, 1, 2, ...
    pub(crate) fn log_batch(lines: &[&str]) -> RecordBatch {
        let mut b = LogsBuilder::default();
        for (i, line) in lines.iter().enumerate() {
            let row = LogRow { time: Timestamp(i as i64), body: Some(AttrValue::from(*line)), ..LogRow::default() };
            b.push(&LogOrigin::default(), &row);
        }
        b.finish()
    }

    fn encoded(seq: u64) -> (Vec<u8>, Vec<(Table, RecordBatch)>) {
        let mut numbers = SamplesBuilder::default();
        numbers.push_float(SeriesId(7), Timestamp(1), None, f64::from_bits(grid_model::histogram::STALE_NAN_BITS));
        let mut mixed = SamplesBuilder::default();
        mixed.push(SeriesId(7), Timestamp(1), None, SampleValue::Histogram(Box::default()));
        let batches = vec![
            (Table::Logs, log_batch(&["a", "", "ü"])),
            (Table::Samples, numbers.finish()),
            (Table::Samples, mixed.finish()),
        ];
        let payload = encode_payload(&TenantId::default_tenant(), &batches).unwrap();
        let mut bytes = header(seq, &payload, crc32c::crc32c(&payload)).to_vec();
        bytes.extend(payload);
        (bytes, batches)
    }

    #[test]
    fn a_record_reads_back() {
        let (bytes, batches) = encoded(42);
        let (record, taken) = read(&Buffer::from(bytes.clone())).unwrap();
        assert_eq!((record.seq, taken), (42, bytes.len()));
        assert_eq!(record.batches[0], batches[0]);
        assert_eq!(record.batches[2], batches[2]);
        let value = record.batches[1].1.column_by_name("value").unwrap().to_data();
        assert_eq!(value.buffers()[0].typed_data::<u64>()[0], grid_model::histogram::STALE_NAN_BITS);
    }

    #[test]
    fn no_cut_and_no_flipped_bit_goes_unnoticed() {
        let (bytes, _) = encoded(1);
        for cut in 0..bytes.len() {
            assert!(read(&Buffer::from(&bytes[..cut])).is_err(), "cut at {cut}");
        }
        for at in (0..bytes.len()).step_by(7) {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(read(&Buffer::from(bad)).is_err(), "bit at {at}");
        }
    }
}
