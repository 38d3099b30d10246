//! What a decoder would not take, and why. Parsing never fails: the good part of a batch is kept, the bad part is counted.

/// How many rejects of one request keep their text; the rest are only counted.
pub const REJECT_TEXTS_MAX: usize = 100;

/// One refused item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Where it was: a row number of a file, or the position of an item in a request, counted from 1.
    pub position: u64,
    /// What it was and why it was refused, as a sentence for the sender.
    pub reason: String,
}

/// The refused items of one request or file: all counted, the first [`REJECT_TEXTS_MAX`] with their reasons.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejects {
    /// How many items were refused.
    pub count: u64,
    /// The first of them.
    pub first: Vec<Reject>,
}

impl Rejects {
    /// Counts one refused item.
    pub fn push(&mut self, position: u64, reason: impl Into<String>) {
        self.count += 1;
        if self.first.len() < REJECT_TEXTS_MAX {
            self.first.push(Reject { position, reason: reason.into() });
        }
    }

    /// Whether nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One line for a reply: how many, and the first reasons, each distinct reason once.
    pub fn summary(&self) -> String {
        let mut reasons: Vec<&str> = Vec::new();
        for r in &self.first {
            if !reasons.contains(&r.reason.as_str()) {
                reasons.push(&r.reason);
            }
            if reasons.len() == 5 {
                break;
            }
        }
        format!("{} rejected: {}", self.count, reasons.join("; "))
    }
}
