//! x
use crate::rules::Row;
pub(in crate::rules) const RULES: &[Row] = &[];
