//! Looking at the rows of a bill as they stand, before they are mapped.

/// Sees every row of a source: its cells as the source has them, whatever becomes of the row.
pub trait RowObserver: Send {
    /// The names of the columns, in the order of the cells: before the first row, and whenever they change.
    fn header(&mut self, columns: &[String]);

    /// A row: its number, counted from 1 after the header, and its cells by the number of their column.
    fn row<'r>(&mut self, number: u64, cell: &dyn Fn(usize) -> Option<&'r str>);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;

    use super::*;
    use crate::bill::{BillOptions, BillReader};

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl RowObserver for Seen {
        fn header(&mut self, columns: &[String]) {
            self.0.push(columns.len().to_string());
        }

        fn row<'r>(&mut self, number: u64, cell: &dyn Fn(usize) -> Option<&'r str>) {
            self.0.push(format!("{number}:{:?},{:?},{:?}", cell(0), cell(1), cell(99)));
        }
    }

    #[test]
    fn every_row_is_seen_as_it_stands_rejected_ones_too() {
        let header = "BilledCost,ChargeCategory,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,\
            BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ServiceName";
        let rest =
            "Usage,1,1,1,a,USD,2024-09-01T00:00:00Z,2024-10-01T00:00:00Z,2024-09-01T00:00:00Z,2024-09-02T00:00:00Z,s";
        let csv = format!("{header}\n1,{rest}\nNULL,{rest}\n 1.50 ,{rest}\n");
        let mut bill = BillReader::bytes(Bytes::from(csv), BillOptions::default()).unwrap();
        let mut seen = Seen::default();
        while bill.next_batch_seen(Some(&mut seen)).unwrap().is_some() {}
        let cell = |n: u64, text: &str| format!("{n}:Some({text:?}),Some(\"Usage\"),None");
        assert_eq!(seen.0, ["12".to_owned(), cell(1, "1"), cell(2, "NULL"), cell(3, " 1.50 ")]);
        assert_eq!(bill.finish().rejected, 1);
    }
}
