//! Rows that are durable in the WAL and do not yet rest in Parquet, queryable at once.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use grid_model::{Table, TenantId, Timestamp};

/// Batches of one table that gather before they are joined into one: keeps the number of batches a query sees small
/// while copying each row only a few times.
const FAN_IN: usize = 8;
/// Rows beyond which a batch is not joined any more.
const JOINED_ROWS_MAX: usize = 64 * 1024;

/// Rows by tenant and table, in the order of their writes.
#[derive(Debug, Default)]
pub struct Buffer {
    tables: BTreeMap<(TenantId, Table), Vec<RecordBatch>>,
    /// Bytes of all batches.
    pub bytes: usize,
    /// Rows of all batches.
    pub rows: u64,
    /// First and last sequence held, if any.
    pub seqs: Option<(u64, u64)>,
    /// When the oldest row arrived.
    pub since: Option<Timestamp>,
}

impl Buffer {
    /// Appends one request's rows.
    pub fn push(&mut self, seq: u64, now: Timestamp, tenant: &TenantId, batches: Vec<(Table, RecordBatch)>) {
        self.seqs = Some(self.seqs.map_or((seq, seq), |(first, _)| (first, seq)));
        self.since.get_or_insert(now);
        for (table, batch) in batches {
            self.bytes += batch.get_array_memory_size();
            self.rows += batch.num_rows() as u64;
            let list = self.tables.entry((tenant.clone(), table)).or_default();
            list.push(batch);
            join_tail(list);
        }
    }

    /// The batches of one table in the order of their writes.
    pub fn batches(&self, tenant: &TenantId, table: Table) -> &[RecordBatch] {
        self.tables.get(&(tenant.clone(), table)).map_or(&[], Vec::as_slice)
    }

    /// Everything, by tenant and table.
    pub fn iter(&self) -> impl Iterator<Item = (&TenantId, Table, &[RecordBatch])> {
        self.tables.iter().map(|((tenant, table), batches)| (tenant, *table, batches.as_slice()))
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.seqs.is_none()
    }
}

/// Joins the last [`FAN_IN`] batches of like size and schema, as often as that applies.
fn join_tail(list: &mut Vec<RecordBatch>) {
    while list.len() >= FAN_IN {
        let tail = &list[list.len() - FAN_IN..];
        let (first, last) = (&tail[0], &tail[FAN_IN - 1]);
        let rows: usize = tail.iter().map(RecordBatch::num_rows).sum();
        let alike = tail.iter().all(|b| b.schema_ref() == first.schema_ref());
        // Only like sizes are joined: else each small batch would copy a big one again.
        if !alike || rows > JOINED_ROWS_MAX || first.num_rows() > FAN_IN * last.num_rows().max(1) {
            return;
        }
        let Ok(joined) = concat_batches(first.schema_ref(), tail) else { return };
        list.truncate(list.len() - FAN_IN);
        list.push(joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::record::tests::log_batch;

    #[test]
    fn joining_keeps_order_and_rows() {
        let mut buffer = Buffer::default();
        let tenant = TenantId::default_tenant();
        for i in 0..1000_u64 {
            buffer.push(i, Timestamp(0), &tenant, vec![(Table::Logs, log_batch(&[&i.to_string()]))]);
        }
        let batches = buffer.batches(&tenant, Table::Logs);
        assert!(batches.len() < 3 * FAN_IN, "{} batches", batches.len());
        let bodies: Vec<String> = batches
            .iter()
            .flat_map(|b| {
                let body = arrow::array::AsArray::as_string::<i32>(b.column_by_name("body").expect("body"));
                body.iter().map(|s| s.unwrap_or("").to_owned()).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(bodies, (0..1000).map(|i| i.to_string()).collect::<Vec<_>>());
        assert_eq!(buffer.seqs, Some((0, 999)));
    }
}
