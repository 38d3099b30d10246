//! Which table a cost is read from, what its columns hold, and the short names that people use for them.

use grid_model::table::charges::{self, Column, Kind};

/// A table that filters are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Relation {
    /// What providers billed.
    #[default]
    Charges,
    /// What was unusual.
    Anomalies,
    /// When something will be full or spent.
    Forecasts,
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
            Self::Anomalies => "anomalies",
            Self::Forecasts => "forecasts",
            Self::Recommendations => "recommendations",
        }
    }

    /// The columns of a table of findings; none of charges, which have more than can be chosen by.
    fn findings(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Charges => &[],
            Self::Anomalies => &OF_ANOMALIES,
            Self::Forecasts => &OF_FORECASTS,
            Self::Recommendations => &OF_RECOMMENDATIONS,
        }
    }

    /// What an expression by a plain name is in SQL, and what it holds.
    pub fn expression(self, name: &str) -> Option<(&'static str, Kind)> {
        if self != Self::Charges {
            return self.findings().iter().find(|(known, _)| *known == name).copied();
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
            Self::Anomalies | Self::Forecasts | Self::Recommendations => name == "labels",
        }
    }

    /// Every plain name, for messages.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let of_charges = if self == Self::Charges { &SHORT[..] } else { &[] };
        let columns = if self == Self::Charges { Column::ALL } else { &[] };
        let of_findings = self.findings().iter().map(|(name, _)| *name);
        of_charges.iter().map(|(short, _)| *short).chain(columns.iter().map(|c| c.name())).chain(of_findings)
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
    /// column has (`team`). The error says what else there is.
    pub fn parse(relation: Relation, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let quoted = |prefix: &str| {
            let inner = text.strip_prefix(prefix)?.strip_prefix("['")?.strip_suffix("']")?;
            Some(inner.replace("''", "'"))
        };
        let tag = text.strip_prefix("tag:").map(str::to_owned).or_else(|| quoted(charges::TAGS));
        if let Some(tag) = tag {
            return Self::of_tag(tag);
        }
        match relation.expression(text) {
            Some((sql, Kind::Text)) => Ok(Self { name: text.to_owned(), sql: sql.to_owned(), tag: None }),
            Some((_, Kind::Amount)) => Err(format!("{text} is a number: costs are grouped by text")),
            Some((_, Kind::Time)) => Err(format!("{text} is a time: the trend groups by time")),
            None if !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-./:@".contains(c)) => {
                Self::of_tag(text.to_owned())
            }
            None => Err(format!("{text:?} is no column and no name of a tag; write tags['...'] for an unusual one")),
        }
    }

    fn of_tag(tag: String) -> Result<Self, String> {
        if tag.is_empty() || tag.len() > TAG_BYTES_MAX {
            return Err(format!("the name of a tag has 1 to {TAG_BYTES_MAX} bytes"));
        }
        let sql = format!("{}[{}]", charges::TAGS, quote(&tag));
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
        for bad in ["billed_cost", "charge_period_start", "", "a'b", "tag:", "tags['']"] {
            assert!(Dimension::parse(Relation::Charges, bad).is_err(), "{bad}");
        }
    }
}
