//! Gathers log records: every check that holds for a record of any format, and what is read from its attributes.

use grid_model::attr::{AttrValue, NESTING_MAX};
use grid_model::labels::Labels;
use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
use grid_model::{Attributes, Table};

use crate::growth::Growth;
use crate::label_pairs::clip;
use crate::limits::Limits;
use crate::{DecodeContext, Decoded, severity, trace_ids};

/// What one row of `logs` takes besides its texts and maps.
const ROW_BYTES: usize = 64;

/// Gathers the records of a request or file.
pub(crate) struct LogRows<'c> {
    ctx: &'c DecodeContext<'c>,
    pub(crate) out: Decoded,
    rows: LogsBuilder,
    growth: Growth,
}

impl<'c> LogRows<'c> {
    pub(crate) fn new(request_bytes: usize, ctx: &'c DecodeContext<'c>) -> Self {
        let growth = Growth::of_request(request_bytes);
        Self { ctx, out: Decoded::default(), rows: LogsBuilder::default(), growth }
    }

    /// For a file whose shared labels come from the operator, not from the file.
    pub(crate) fn of_own_file(ctx: &'c DecodeContext<'c>) -> Self {
        Self { ctx, out: Decoded::default(), rows: LogsBuilder::default(), growth: Growth::unbounded() }
    }

    /// Takes one record, or rejects it with a reason.
    pub(crate) fn push(&mut self, position: u64, origin: &LogOrigin, row: &LogRow) {
        match self.check(origin, row) {
            Ok(()) => {
                self.rows.push(origin, row);
                self.out.counts.logs += 1;
            }
            Err(reason) => self.out.rejects.push(position, reason),
        }
    }

    fn check(&mut self, origin: &LogOrigin, row: &LogRow) -> Result<(), String> {
        let limits = self.ctx.limits;
        limits.check_time(row.time, self.ctx.now)?;
        let body = row.body.as_ref().map_or(0, |b| b.as_str().map_or_else(|| b.to_json().len(), str::len));
        if body > limits.log_body_bytes_max {
            return Err(format!("body has {body} bytes, more than {}", limits.log_body_bytes_max));
        }
        let attributes = check_attributes(&row.attributes, limits)?;
        let labels: usize = origin.labels.iter().map(|(k, v)| k.len() + v.len() + 8).sum();
        self.growth.spend(ROW_BYTES + body + attributes + labels)
    }

    pub(crate) fn finish(mut self) -> Decoded {
        self.out.write.push(Table::Logs, self.rows.finish());
        self.out
    }
}

/// Checks the attributes of a record; answers their bytes at rest.
fn check_attributes(attributes: &Attributes, limits: &Limits) -> Result<usize, String> {
    if attributes.len() > limits.attributes_max {
        return Err(format!("record has {} attributes, more than {}", attributes.len(), limits.attributes_max));
    }
    let mut total = 0;
    for (key, value) in attributes {
        if key.len() > limits.label_name_bytes_max {
            let max = limits.label_name_bytes_max;
            return Err(format!("attribute name {:?} has {} bytes, more than {max}", clip(key), key.len()));
        }
        if nests_deeper_than(value, NESTING_MAX) {
            return Err(format!("attribute {:?} nests deeper than {NESTING_MAX}", clip(key)));
        }
        let bytes = value.as_str().map_or_else(|| value.to_json().len(), str::len);
        if bytes > limits.attribute_value_bytes_max {
            let max = limits.attribute_value_bytes_max;
            return Err(format!("value of attribute {:?} has {bytes} bytes, more than {max}", clip(key)));
        }
        total += key.len() + bytes + 8;
    }
    Ok(total)
}

fn nests_deeper_than(value: &AttrValue, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return true };
    match value {
        AttrValue::Array(items) => items.iter().any(|item| nests_deeper_than(item, below)),
        AttrValue::Map(entries) => entries.iter().any(|(_, item)| nests_deeper_than(item, below)),
        _ => false,
    }
}

/// Fills a row's ids and severity from its attributes and its stream's labels, where they say them.
pub(crate) fn read_attributes_of(row: &mut LogRow, labels: &Labels) {
    for (key, value) in &row.attributes {
        let Some(text) = value.as_str() else { continue };
        if row.trace_id.is_empty() && trace_ids::is_trace_key(key) {
            row.trace_id = trace_ids::trace_id(text).unwrap_or_default();
        } else if row.span_id.is_empty() && trace_ids::is_span_key(key) {
            row.span_id = trace_ids::span_id(text).unwrap_or_default();
        }
    }
    if !row.severity.is_empty() {
        return;
    }
    let of_row = row.attributes.iter().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)));
    let said = of_row.chain(labels.iter()).find(|(key, text)| severity::is_severity_key(key) && !text.is_empty());
    if let Some((_, text)) = said {
        row.severity_number = severity::number_of(text);
        row.severity = text.to_owned();
    }
}

/// Checks labels of a stream against the limits.
pub(crate) fn check_labels(labels: &Labels, limits: &Limits) -> Result<(), String> {
    if labels.len() > limits.labels_max {
        return Err(format!("stream has {} labels, more than {}", labels.len(), limits.labels_max));
    }
    for (name, value) in labels.iter() {
        if name.is_empty() {
            return Err("a label has an empty name".to_owned());
        }
        if name.len() > limits.label_name_bytes_max {
            let max = limits.label_name_bytes_max;
            return Err(format!("label name {:?} has {} bytes, more than {max}", clip(name), name.len()));
        }
        if value.len() > limits.label_value_bytes_max {
            let max = limits.label_value_bytes_max;
            return Err(format!("value of label {:?} has {} bytes, more than {max}", clip(name), value.len()));
        }
    }
    Ok(())
}
