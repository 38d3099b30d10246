//! Which table a cost is read from, what its columns hold, and the short names that people use for them.

use grid_model::table::allocations;
use grid_model::table::charges::{self, Column, Kind};

/// A table that filters are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Relation {
    /// What providers billed.
    #[default]
    Charges,
    /// Who pays for it, by the rules of `allocation.toml`: per currency the same sum, of effective cost.
    Allocations,
    /// What was unusual.
    Anomalies,
    /// When something will be full or spent.
    Forecasts,
    /// How things are used.
    Patterns,
    /// What to change.
    Recommendations,
}

/// Columns of tables of findings by which they are chosen.
const OF_ANOMALIES: [(&str, Kind); 14] = [
    ("kind", Kind::Text),
    ("subject", Kind::Text),
    ("state", Kind::Text),
    ("job", Kind::Text),
    ("incident_id", Kind::Text),
    ("currency", Kind::Text),
    ("title", Kind::Text),
    ("cause", Kind::Text),
    ("score", Kind::Amount),
    ("rank", Kind::Amount),
    ("impact", Kind::Amount),
    ("start_time", Kind::Time),
    ("end_time", Kind::Time),
    ("made_time", Kind::Time),
];
const OF_FORECASTS: [(&str, Kind); 8] = [
    ("kind", Kind::Text),
    ("subject", Kind::Text),
    ("currency", Kind::Text),
    ("unit", Kind::Text),
    ("earliest", Kind::Time),
    ("expected", Kind::Time),
    ("latest", Kind::Time),
    ("made_time", Kind::Time),
];
const OF_PATTERNS: [(&str, Kind); 17] = [
    ("kind", Kind::Text),
    ("subject", Kind::Text),
    ("measure", Kind::Text),
    ("unit", Kind::Text),
    ("driver", Kind::Text),
    ("hours", Kind::Amount),
    ("low", Kind::Amount),
    ("usual", Kind::Amount),
    ("high", Kind::Amount),
    ("regularity", Kind::Amount),
    ("growth", Kind::Amount),
    ("quiet_hours", Kind::Amount),
    ("top_hour", Kind::Amount),
    ("cluster", Kind::Amount),
    ("cluster_size", Kind::Amount),
    ("driver_share", Kind::Amount),
    ("made_time", Kind::Time),
];
const OF_RECOMMENDATIONS: [(&str, Kind); 18] = [
    ("action", Kind::Text),
    ("resource_id", Kind::Text),
    ("resource_kind", Kind::Text),
    ("provider", Kind::Text),
    ("account", Kind::Text),
    ("region", Kind::Text),
    ("team", Kind::Text),
    ("present", Kind::Text),
    ("proposed", Kind::Text),
    ("currency", Kind::Text),
    ("effort", Kind::Text),
    ("monthly_cost", Kind::Amount),
    ("saving", Kind::Amount),
    ("saving_low", Kind::Amount),
    ("saving_high", Kind::Amount),
    ("risk", Kind::Amount),
    ("created_time", Kind::Time),
    ("expires_time", Kind::Time),
];

/// Short names of expressions over `charges`.
const SHORT: [(&str, &str); 12] = [
    ("account", "coalesce(sub_account_id, billing_account_id)"),
    ("account_name", "coalesce(sub_account_name, sub_account_id, billing_account_name, billing_account_id)"),
    ("category", "charge_category"),
    ("commitment", "commitment_discount_id"),
    ("currency", "billing_currency"),
    ("pricing", "pricing_category"),
    ("provider", "coalesce(service_provider_name, provider_name)"),
    ("region", "region_id"),
    ("resource", "resource_id"),
    ("service", "service_name"),
    ("sku", "coalesce(sku_meter, sku_id, charge_description)"),
    ("zone", "availability_zone"),
];

/// Columns of `allocations`, and short names of some.
const ALLOCATED: [(&str, &str, Kind); 24] = [
    ("account", allocations::SUB_ACCOUNT_ID, Kind::Text),
    ("billing_currency", allocations::BILLING_CURRENCY, Kind::Text),
    ("billing_period_start", allocations::BILLING_PERIOD_START, Kind::Time),
    ("category", allocations::CHARGE_CATEGORY, Kind::Text),
    ("charge_category", allocations::CHARGE_CATEGORY, Kind::Text),
    ("cost", allocations::COST, Kind::Amount),
    ("currency", allocations::BILLING_CURRENCY, Kind::Text),
    ("environment", allocations::ENVIRONMENT, Kind::Text),
    ("import_id", allocations::IMPORT_ID, Kind::Text),
    ("kind", allocations::KIND, Kind::Text),
    ("owner", allocations::OWNER, Kind::Text),
    ("project", allocations::PROJECT, Kind::Text),
    ("provider", allocations::SERVICE_PROVIDER_NAME, Kind::Text),
    ("region", allocations::REGION_ID, Kind::Text),
    ("region_id", allocations::REGION_ID, Kind::Text),
    ("resource", allocations::RESOURCE_ID, Kind::Text),
    ("resource_id", allocations::RESOURCE_ID, Kind::Text),
    ("rule", allocations::RULE, Kind::Text),
    ("service", allocations::SERVICE_NAME, Kind::Text),
    ("service_name", allocations::SERVICE_NAME, Kind::Text),
    ("service_provider_name", allocations::SERVICE_PROVIDER_NAME, Kind::Text),
    ("sub_account_id", allocations::SUB_ACCOUNT_ID, Kind::Text),
    ("team", allocations::TEAM, Kind::Text),
    ("window_start", allocations::WINDOW_START, Kind::Time),
];

/// The cost that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Measure {
    /// With prepayments spread over what they pay for.
    #[default]
    Effective,
    /// As invoiced.
    Billed,
    /// At negotiated prices, without commitments.
    Contracted,
    /// At public prices.
    List,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 4] = [Self::Effective, Self::Billed, Self::Contracted, Self::List];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Effective => "effective",
            Self::Billed => "billed",
            Self::Contracted => "contracted",
            Self::List => "list",
        }
    }

    /// Its column of `charges`.
    pub fn column(self) -> &'static str {
        match self {
            Self::Effective => charges::EFFECTIVE_COST,
            Self::Billed => charges::BILLED_COST,
            Self::Contracted => charges::CONTRACTED_COST,
            Self::List => charges::LIST_COST,
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == text)
    }
}

impl Relation {
    /// The table's name in SQL.
    pub fn table(self) -> &'static str {
        match self {
            Self::Charges => "charges",
            Self::Allocations => "allocations",
            Self::Anomalies => "anomalies",
            Self::Forecasts => "forecasts",
            Self::Patterns => "patterns",
            Self::Recommendations => "recommendations",
        }
    }

    /// Reads the name of a table of costs.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Charges, Self::Allocations].into_iter().find(|r| r.table() == text)
    }

    /// The column that says when a cost arose, or when a finding began.
    pub fn time(self) -> &'static str {
        match self {
            Self::Charges => charges::CHARGE_PERIOD_START,
            Self::Allocations => allocations::WINDOW_START,
            Self::Anomalies => "start_time",
            Self::Forecasts | Self::Patterns => "made_time",
            Self::Recommendations => "created_time",
        }
    }

    /// The column of a cost; `None` if the table does not have it.
    pub fn cost(self, measure: Measure) -> Option<&'static str> {
        match (self, measure) {
            (Self::Charges, measure) => Some(measure.column()),
            (Self::Allocations, Measure::Effective) => Some(allocations::COST),
            _ => None,
        }
    }

    /// The map of text by key in which a name is looked for that no column has.
    fn map(self) -> &'static str {
        match self {
            Self::Charges => charges::TAGS,
            Self::Allocations => allocations::DIMENSIONS,
            Self::Anomalies | Self::Forecasts | Self::Patterns | Self::Recommendations => "labels",
        }
    }

    /// Names of a table other than charges: what each is in SQL, and what it holds.
    fn columns(self) -> Vec<(&'static str, &'static str, Kind)> {
        let findings: &[(&str, Kind)] = match self {
            Self::Charges => &[],
            Self::Allocations => return ALLOCATED.to_vec(),
            Self::Anomalies => &OF_ANOMALIES,
            Self::Forecasts => &OF_FORECASTS,
            Self::Patterns => &OF_PATTERNS,
            Self::Recommendations => &OF_RECOMMENDATIONS,
        };
        findings.iter().map(|(name, kind)| (*name, *name, *kind)).collect()
    }

    /// What an expression by a plain name is in SQL, and what it holds.
    pub fn expression(self, name: &str) -> Option<(&'static str, Kind)> {
        if self != Self::Charges {
            let mut columns = self.columns().into_iter();
            return columns.find(|(known, ..)| *known == name).map(|(_, sql, kind)| (sql, kind));
        }
        if let Some((_, sql)) = SHORT.iter().find(|(short, _)| *short == name) {
            return Some((sql, Kind::Text));
        }
        if name == charges::IMPORT_ID || name == charges::SOURCE {
            let own = if name == charges::SOURCE { charges::SOURCE } else { charges::IMPORT_ID };
            return Some((own, Kind::Text));
        }
        Column::ALL.iter().find(|c| c.name() == name).map(|c| (c.name(), c.kind()))
    }

    /// Whether a name is a map of text by key.
    pub fn is_map(self, name: &str) -> bool {
        match self {
            Self::Charges => [charges::TAGS, charges::X_COLUMNS].contains(&name),
            _ => name == self.map(),
        }
    }

    /// How a key that no column has is written, for messages.
    pub(crate) fn keyed(self, key: &str) -> String {
        let what = match self {
            Self::Charges => "a tag",
            Self::Allocations => "a dimension of a rule",
            Self::Anomalies | Self::Forecasts | Self::Patterns | Self::Recommendations => "a label",
        };
        format!("{what} is written {}['{key}']", self.map())
    }

    /// Every plain name, for messages.
    pub fn names(self) -> Vec<&'static str> {
        if self != Self::Charges {
            return self.columns().into_iter().map(|(name, ..)| name).collect();
        }
        SHORT.iter().map(|(short, _)| *short).chain(Column::ALL.iter().map(|c| c.name())).collect()
    }
}

/// Something that costs are grouped by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dimension {
    /// As the user calls it; the name of the answer's column.
    pub name: String,
    /// Its value in SQL: text, null where a charge has none.
    pub sql: String,
    /// The tag that it is, if it is one that no column is called.
    pub tag: Option<String>,
}

/// Longest name of a tag.
const TAG_BYTES_MAX: usize = 256;

impl Dimension {
    /// Reads a short name (`service`), a text column (`service_category`), a tag (`tag:team`, `tags['team']`), or the name of a tag that no
    /// column has (`team`); of allocations a column (`team`) or a dimension (`dimensions['product']`, `product`). The error says what else
    /// there is.
    pub fn parse(relation: Relation, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let quoted = |prefix: &str| {
            let inner = text.strip_prefix(prefix)?.strip_prefix("['")?.strip_suffix("']")?;
            Some(inner.replace("''", "'"))
        };
        let tag = text.strip_prefix("tag:").map(str::to_owned).or_else(|| quoted(relation.map()));
        if let Some(tag) = tag {
            return Self::of_tag(relation, tag);
        }
        match relation.expression(text) {
            Some((sql, Kind::Text)) => Ok(Self { name: text.to_owned(), sql: sql.to_owned(), tag: None }),
            Some((_, Kind::Amount)) => Err(format!("{text} is a number: costs are grouped by text")),
            Some((_, Kind::Time)) => Err(format!("{text} is a time: the trend groups by time")),
            None if !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-./:@".contains(c)) => {
                Self::of_tag(relation, text.to_owned())
            }
            None => {
                let map = relation.map();
                Err(format!("{text:?} is no column and no name of a tag; write {map}['...'] for an unusual one"))
            }
        }
    }

    fn of_tag(relation: Relation, tag: String) -> Result<Self, String> {
        if tag.is_empty() || tag.len() > TAG_BYTES_MAX {
            return Err(format!("the name of a tag has 1 to {TAG_BYTES_MAX} bytes"));
        }
        let sql = format!("{}[{}]", relation.map(), quote(&tag));
        Ok(Self { name: tag.clone(), sql, tag: Some(tag) })
    }
}

/// A text as a literal of SQL.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_columns() {
        let schema = allocations::schema();
        for (name, column, _) in ALLOCATED {
            assert!(schema.index_of(column).is_ok(), "{name}");
        }
        for relation in [Relation::Charges, Relation::Allocations] {
            assert!(relation.names().iter().all(|name| relation.expression(name).is_some()), "{relation:?}");
            assert!(relation.names().len() > 20, "{relation:?}");
        }
    }

    #[test]
    fn dimensions() {
        for (text, sql) in [
            ("service", "service_name"),
            ("service_category", "service_category"),
            ("account", "coalesce(sub_account_id, billing_account_id)"),
            ("team", "tags['team']"),
            ("tag:service", "tags['service']"),
            ("tags['it''s']", "tags['it''s']"),
            ("aws:createdBy", "tags['aws:createdBy']"),
        ] {
            assert_eq!(Dimension::parse(Relation::Charges, text).map(|d| d.sql), Ok(sql.to_owned()), "{text}");
        }
        for (text, sql) in [
            ("service", "service_name"),
            ("team", "team"),
            ("dimensions['product']", "dimensions['product']"),
            ("product", "dimensions['product']"),
        ] {
            assert_eq!(Dimension::parse(Relation::Allocations, text).map(|d| d.sql), Ok(sql.to_owned()), "{text}");
        }
        assert!(Dimension::parse(Relation::Allocations, "cost").is_err());
        for bad in ["billed_cost", "charge_period_start", "", "a'b", "tag:", "tags['']"] {
            assert!(Dimension::parse(Relation::Charges, bad).is_err(), "{bad}");
        }
    }
}
