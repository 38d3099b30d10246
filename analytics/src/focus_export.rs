//! Charges as data sets of FOCUS 1.4, as one statement each: columns under FOCUS' names and in its order, numbers plain, instants in UTC with
//! `Z`, tags as JSON text. Rendered as CSV, what [`crate::render`] writes is FOCUS' own form.
//!
//! `CostAndUsage` is `charges` itself. `BillingPeriod` and `InvoiceDetail` are summed from it: what a charge does not say (terms of payment,
//! the invoice's date) is null there. Source of the columns: FOCUS 1.4, data sets CostAndUsage, BillingPeriod, InvoiceDetail.

use grid_model::Timestamp;
use grid_model::table::charges::Column;

/// The version that is written.
pub const FOCUS_VERSION: &str = "1.4";
/// Columns that FOCUS does not know that one export may have.
pub const EXTRA_COLUMNS_MAX: usize = 1000;

/// A data set of FOCUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataSet {
    /// One row per charge: 65 columns.
    CostAndUsage,
    /// One row per billing period and invoice issuer: 6 columns.
    BillingPeriod,
    /// One row per line of an invoice, as far as charges tell.
    InvoiceDetail,
}

impl DataSet {
    /// Every data set.
    pub const ALL: [Self; 3] = [Self::CostAndUsage, Self::BillingPeriod, Self::InvoiceDetail];

    /// `cost-and-usage`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CostAndUsage => "cost-and-usage",
            Self::BillingPeriod => "billing-period",
            Self::InvoiceDetail => "invoice-detail",
        }
    }

    /// From its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// Which charges are exported, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FocusExport {
    /// Charges that begin at this time or later.
    pub from: Option<Timestamp>,
    /// Charges that begin before this time.
    pub to: Option<Timestamp>,
    /// Imports of this dataset only.
    pub dataset: Option<String>,
    /// Further columns, by the names that they have in `x_columns`.
    pub extra: Vec<String>,
}

impl FocusExport {
    /// The statement whose rows are a data set.
    pub fn statement(&self, set: DataSet) -> String {
        match set {
            DataSet::CostAndUsage => self.cost_and_usage(),
            DataSet::BillingPeriod => self.billing_period(),
            DataSet::InvoiceDetail => self.invoice_detail(),
        }
    }

    /// The statement that lists the names of all further columns.
    pub fn extra_statement(&self) -> String {
        format!(
            "SELECT DISTINCT name FROM (SELECT unnest(map_keys(x_columns)) AS name FROM charges{}) AS named ORDER BY name LIMIT {}",
            self.filter(&[]),
            EXTRA_COLUMNS_MAX + 1
        )
    }

    fn cost_and_usage(&self) -> String {
        let dropped = |c: &Column| matches!(c, Column::ProviderName | Column::PublisherName);
        let own = Column::ALL.iter().filter(|c| !dropped(c)).map(|c| format!("{} AS \"{}\"", c.name(), c.focus_name()));
        // No tags are null, as in a bill.
        let tags = "CASE WHEN cardinality(tags) > 0 THEN to_json(tags) END AS \"Tags\"".to_owned();
        let extra = self.extra.iter().map(|name| {
            let shown = if name.starts_with("x_") { name.clone() } else { format!("x_{name}") };
            format!("x_columns[{}] AS {}", text(name), identifier(&shown))
        });
        let columns: Vec<String> = own.chain([tags]).chain(extra).collect();
        format!("SELECT {} FROM charges{}", columns.join(", "), self.filter(&[]))
    }

    fn billing_period(&self) -> String {
        // Closed is a period that is over, was read after its end, and has every charge on an invoice.
        format!(
            "SELECT min(started) AS \"BillingPeriodCreated\", billing_period_end AS \"BillingPeriodEnd\",
                max(started) AS \"BillingPeriodLastUpdated\", billing_period_start AS \"BillingPeriodStart\",
                CASE WHEN count(invoice_id) = count(*) AND max(started) >= billing_period_end THEN 'Closed' ELSE 'Open' END
                    AS \"BillingPeriodStatus\",
                {ISSUER} AS \"InvoiceIssuerName\"
            FROM charges JOIN {IMPORTS} USING (import_id){}
            GROUP BY billing_period_start, billing_period_end, {ISSUER}
            ORDER BY billing_period_start, {ISSUER}",
            self.filter(&[])
        )
    }

    fn invoice_detail(&self) -> String {
        let line = "coalesce(invoice_detail_id, concat_ws('/', invoice_id, billing_account_id, charge_category, billing_currency))";
        format!(
            "SELECT sum(billed_cost) AS \"BilledCost\", billing_account_id AS \"BillingAccountId\",
                billing_currency AS \"BillingCurrency\", billing_period_end AS \"BillingPeriodEnd\",
                billing_period_start AS \"BillingPeriodStart\", charge_category AS \"ChargeCategory\",
                min(started) AS \"InvoiceDetailCreated\", CAST(NULL AS VARCHAR) AS \"InvoiceDetailDescription\",
                CAST(NULL AS VARCHAR) AS \"InvoiceDetailGrain\", {line} AS \"InvoiceDetailId\",
                max(started) AS \"InvoiceDetailLastUpdated\", invoice_id AS \"InvoiceId\",
                CAST(NULL AS TIMESTAMP) AS \"InvoiceIssueDate\",
                CASE WHEN max(started) >= billing_period_end THEN 'Issued' ELSE 'Open' END AS \"InvoiceIssueStatus\",
                {ISSUER} AS \"InvoiceIssuerName\", CAST(NULL AS TIMESTAMP) AS \"PaymentDueDate\",
                CAST(NULL AS VARCHAR) AS \"PaymentTerms\", CAST(NULL AS VARCHAR) AS \"ReferenceInvoiceId\"
            FROM charges JOIN {IMPORTS} USING (import_id){}
            GROUP BY {ISSUER}, invoice_id, {line}, billing_account_id, billing_currency, billing_period_start,
                billing_period_end, charge_category
            ORDER BY {ISSUER}, invoice_id, {line}, billing_period_start",
            self.filter(&["invoice_id IS NOT NULL"])
        )
    }

    fn filter(&self, further: &[&str]) -> String {
        let mut all: Vec<String> = further.iter().map(|f| (*f).to_owned()).collect();
        all.extend(self.from.map(|t| format!("charge_period_start >= TIMESTAMP '{t}'")));
        all.extend(self.to.map(|t| format!("charge_period_start < TIMESTAMP '{t}'")));
        all.extend(
            self.dataset
                .as_ref()
                .map(|d| format!("import_id IN (SELECT import_id FROM grid.imports WHERE dataset = {})", text(d))),
        );
        if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
    }
}

/// Who writes the invoice; bills that do not say are their provider's own.
const ISSUER: &str = "coalesce(invoice_issuer_name, service_provider_name)";
/// When each import was made: `grid.imports` has a row per currency.
const IMPORTS: &str = "(SELECT DISTINCT import_id, started FROM grid.imports) AS made";

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_the_columns_of_the_version_in_its_order() {
        let export = FocusExport { extra: vec!["x_Team".into(), "Id".into(), "it's".into()], ..FocusExport::default() };
        let statement = export.statement(DataSet::CostAndUsage);
        let names: Vec<&str> =
            statement.split(" AS \"").skip(1).filter_map(|rest| rest.split_once('"').map(|(name, _)| name)).collect();
        assert_eq!(names.len(), 65 + 3);
        assert!(names[..65].is_sorted(), "{names:?}");
        assert_eq!(names[65..], ["x_Team", "x_Id", "x_it's"]);
        assert!(statement.contains("x_columns['it''s']"), "{statement}");
    }

    #[test]
    fn filters_are_quoted() {
        let export = FocusExport {
            from: Some(Timestamp(1_725_148_800_000_000_000)),
            dataset: Some("a'; DROP".into()),
            ..FocusExport::default()
        };
        let filter = export.filter(&[]);
        assert!(filter.starts_with(" WHERE charge_period_start >= TIMESTAMP '2024-09-01T00:00:00"), "{filter}");
        assert!(filter.ends_with("dataset = 'a''; DROP')"), "{filter}");
    }
}
