//! Tables of SQL that do not rest in the store: whoever keeps their rows lends them for a statement. One file per table, as in [`crate::table`].

pub mod actions;
pub mod audit;
pub mod plans;
pub mod releases;
pub mod resources;
pub mod savings;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

/// Rows of a table, in Arrow's form.
pub type Batch = RecordBatch;

/// A table that is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lent {
    /// Recommendations that were accepted, on their way.
    Actions,
    /// Who did what to environments, plans and releases.
    Audit,
    /// What was planned.
    Plans,
    /// What was, is and will be carried out.
    Releases,
    /// What drivers have found in their accounts.
    Resources,
    /// What accepted recommendations promised, and what came of it.
    Savings,
}

impl Lent {
    /// All of them, by name.
    pub const ALL: [Self; 6] =
        [Self::Actions, Self::Audit, Self::Plans, Self::Releases, Self::Resources, Self::Savings];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Actions => "actions",
            Self::Audit => "audit",
            Self::Plans => "plans",
            Self::Releases => "releases",
            Self::Resources => "resources",
            Self::Savings => "savings",
        }
    }

    /// The table of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// Its columns.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Actions => actions::schema(),
            Self::Audit => audit::schema(),
            Self::Plans => plans::schema(),
            Self::Releases => releases::schema(),
            Self::Resources => resources::schema(),
            Self::Savings => savings::schema(),
        }
    }

    /// No rows of it.
    pub fn empty(self) -> Batch {
        RecordBatch::new_empty(self.schema())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    #[test]
    fn names_are_nobody_elses() {
        for table in Lent::ALL {
            assert_eq!(Lent::parse(table.name()), Some(table));
            assert_eq!(Table::parse(table.name()), None, "{}", table.name());
            assert_eq!(table.empty().num_rows(), 0);
        }
        assert!(Lent::ALL.windows(2).all(|two| two[0].name() < two[1].name()));
    }
}
