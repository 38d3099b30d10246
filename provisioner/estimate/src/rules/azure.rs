//! x
use super::Row;
pub(super) const RULES: &[&[Row]] = &[];
pub(super) const FREE: &str = "";
