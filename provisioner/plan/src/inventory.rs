//! What a cloud has, as somebody listed it: rows with their fields, and what could not be listed.

use std::collections::BTreeMap;

use grid_model::Timestamp;
use serde_json::Value;

use crate::adopt::Found;
use crate::field::Fields;
use crate::state::Observed;

/// One resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Grid's kind, such as `vm`, or where there is none the cloud's own, such as `ec2:snapshot`.
    pub kind: String,
    /// The cloud's id.
    pub id: String,
    /// Its full name, as bills have it, where the cloud has one (an ARN); else empty.
    pub full_name: String,
    /// The region, or the cluster.
    pub region: String,
    /// What people call it; empty if they do not.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What it is, in the names of the type: sizes, counts, classes.
    pub fields: Fields,
    /// What it tells beside.
    pub outputs: BTreeMap<String, Value>,
    /// When it was seen.
    pub observed_at: Timestamp,
}

/// A listing that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What was listed: a kind, or what the cloud calls it.
    pub what: String,
    /// What the cloud said.
    pub why: String,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inventory {
    /// What is there, in order of kinds and ids.
    pub rows: Vec<Row>,
    /// What could not be listed.
    pub failed: Vec<Failed>,
    /// Rows that were left out because there are more than the lister keeps.
    pub left_out: usize,
}

impl Inventory {
    /// What can be taken over, of these kinds.
    pub fn found(&self, kinds: &[&str]) -> Vec<Found> {
        let ours = self.rows.iter().filter(|r| kinds.contains(&r.kind.as_str()));
        ours.map(|row| Found {
            kind: row.kind.clone(),
            title: if row.name.is_empty() { row.id.clone() } else { row.name.clone() },
            observed: Observed {
                id: row.id.clone(),
                fields: row.fields.clone(),
                outputs: row.outputs.clone(),
                ..Observed::default()
            },
        })
        .collect()
    }

    /// How many there are of each kind.
    pub fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        self.rows.iter().for_each(|row| *counts.entry(row.kind.as_str()).or_default() += 1);
        counts
    }
}
