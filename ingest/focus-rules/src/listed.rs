//! Closed lists of values, some of more than a hundred: found by hash, where [`Row::keeps`] looks at one after the other.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::column::Column;
use crate::row::Row;
use crate::rule::Check;

type Set<T> = HashSet<T, RandomState>;

/// What a check of a closed list allows.
pub(crate) enum Listed {
    /// The check is another one.
    No,
    /// A value of a column.
    Values(Column, Set<&'static str>),
    /// A value of a column beside one of another: child and parent.
    Pairs(Column, Column, Set<(&'static str, &'static str)>),
}

impl Listed {
    pub(crate) fn of(check: &Check) -> Self {
        match *check {
            Check::OneOf(column, allowed) => Self::Values(column, allowed.iter().copied().collect()),
            Check::Child(column, tree) => {
                Self::Values(column, tree.iter().flat_map(|(_, children)| children.iter().copied()).collect())
            }
            Check::ChildOf(column, parent, tree) => {
                let pairs = tree.iter().flat_map(|(parent, children)| children.iter().map(|child| (*child, *parent)));
                Self::Pairs(column, parent, pairs.collect())
            }
            _ => Self::No,
        }
    }

    /// As [`Row::keeps`]; `None` if the check is another one.
    pub(crate) fn keeps(&self, row: &Row<'_>) -> Option<Option<bool>> {
        match self {
            Self::No => None,
            Self::Values(column, allowed) => Some(row.text(*column).map(|value| allowed.contains(value))),
            Self::Pairs(column, parent, allowed) => {
                Some(row.text(*column).zip(row.text(*parent)).map(|pair| allowed.contains(&pair)))
            }
        }
    }
}
