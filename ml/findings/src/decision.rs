//! What people decide about recommendations, and say about anomalies. Kept as versioned documents beside the tables that jobs write: a job never
//! overwrites what a person said.

use std::collections::BTreeMap;

use grid_model::{Amount, Timestamp};
use serde::{Deserialize, Serialize};

/// Kind of the documents that hold decisions about recommendations; the name is the recommendation's id.
pub const DECISION_KIND: &str = "recommendation-decision";
/// Kind of the documents that hold feedback about anomalies; the name is the anomaly's id.
pub const FEEDBACK_KIND: &str = "anomaly-feedback";
/// Longest reason or note in bytes.
pub const NOTE_BYTES_MAX: usize = 2048;

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// It will be done, or is done: the ledger watches what comes of it.
    Accepted,
    /// It will not be done.
    Dismissed,
    /// Later.
    Snoozed,
    /// Undecided again.
    Open,
}

impl Verb {
    /// The word in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Dismissed => "dismissed",
            Self::Snoozed => "snoozed",
            Self::Open => "open",
        }
    }
}

/// A decision about one recommendation, with what was promised when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was decided.
    pub verb: Verb,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When, in nanoseconds.
    pub at: i64,
    /// Until when it is snoozed, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Whether the recommendation was of use, if somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub useful: Option<bool>,
    /// What it said then.
    pub promised: Promised,
}

/// What a recommendation said when it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Promised {
    /// The resource.
    pub resource_id: String,
    /// What to do.
    pub action: String,
    /// What to make of it.
    pub proposed: String,
    /// The currency.
    pub currency: String,
    /// What it costs a month, a decimal.
    pub monthly_cost: String,
    /// What is saved a month, a decimal: at least, likely, at most.
    pub saving: [String; 3],
}

impl Promised {
    /// The likely saving a month.
    pub fn likely(&self) -> Amount {
        Amount::parse(&self.saving[1]).map_or(Amount::ZERO, |(amount, _)| amount)
    }

    /// The cost a month.
    pub fn cost(&self) -> Amount {
        Amount::parse(&self.monthly_cost).map_or(Amount::ZERO, |(amount, _)| amount)
    }
}

impl Decision {
    /// The state at a time: a snooze ends.
    pub fn state(&self, now: Timestamp) -> Verb {
        match self.verb {
            Verb::Snoozed if self.until.is_some_and(|until| until <= now.0) => Verb::Open,
            verb => verb,
        }
    }
}

/// Decisions by recommendation.
pub type Decisions = BTreeMap<String, Decision>;

/// What somebody says about an anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It was worth telling.
    Yes,
    /// It was not.
    No,
    /// It was meant to be.
    Planned,
}

impl Answer {
    /// The word of the anomaly's state that it makes.
    pub fn state(self) -> &'static str {
        match self {
            Self::Yes => "confirmed",
            Self::No => "dismissed",
            Self::Planned => "planned",
        }
    }
}

/// Feedback on one anomaly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// What.
    pub answer: Answer,
    /// The kind of the anomaly.
    pub kind: String,
    /// Its subject.
    pub subject: String,
    /// When it began, in nanoseconds.
    pub start: i64,
    /// When this was said, in nanoseconds.
    pub at: i64,
    /// Until when what is planned goes on, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
