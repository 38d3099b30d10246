//! Silences: for a while nobody is told of the alerts that they match.

use grid_model::Timestamp;

use crate::alert::LabelSet;
use crate::limits::{MATCHERS_MAX, RETENTION_NS};
use crate::matcher::{Matcher, all_match};

/// Longest author or comment, in bytes.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// One silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its name; any text that is unique.
    pub id: String,
    /// What it matches: all of them.
    pub matchers: Vec<Matcher>,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Where in its life a silence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilenceState {
    /// It has not begun.
    Pending,
    /// It holds.
    Active,
    /// It is over, and kept for the record.
    Expired,
}

impl SilenceState {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// Why a silence was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// It has no matchers.
    #[error("it has no matchers, so that it would silence everything")]
    NoMatchers,
    /// Too many.
    #[error("it has {0} matchers, the limit is {MATCHERS_MAX}")]
    TooMany(usize),
    /// All of them match the empty value, so that it would silence everything.
    #[error(
        "every matcher also matches absent labels, so that it would silence nearly everything: add one that does not"
    )]
    MatchesAll,
    /// It ends before it starts.
    #[error("it ends before it starts")]
    EndsFirst,
    /// It is over already.
    #[error("it would be over already")]
    Past,
    /// Too much text.
    #[error("author and comment may have {TEXT_BYTES_MAX} bytes each")]
    TooLong,
}

impl Silence {
    /// Whether it makes sense now (Alertmanager's `validateSilence`).
    ///
    /// # Errors
    /// [`SilenceError`].
    pub fn check(&self, now: Timestamp) -> Result<(), SilenceError> {
        match self.matchers.len() {
            0 => return Err(SilenceError::NoMatchers),
            n if n > MATCHERS_MAX => return Err(SilenceError::TooMany(n)),
            _ if self.matchers.iter().all(|m| m.matches_value("")) => return Err(SilenceError::MatchesAll),
            _ => {}
        }
        if self.created_by.len() > TEXT_BYTES_MAX || self.comment.len() > TEXT_BYTES_MAX {
            return Err(SilenceError::TooLong);
        }
        if self.ends_at <= self.starts_at {
            return Err(SilenceError::EndsFirst);
        }
        if self.ends_at <= now { Err(SilenceError::Past) } else { Ok(()) }
    }

    /// Where in its life it is.
    pub fn state(&self, now: Timestamp) -> SilenceState {
        if now < self.starts_at {
            SilenceState::Pending
        } else if now < self.ends_at {
            SilenceState::Active
        } else {
            SilenceState::Expired
        }
    }

    /// Whether it holds for these labels at a time.
    pub fn silences(&self, labels: &LabelSet, now: Timestamp) -> bool {
        self.state(now) == SilenceState::Active && all_match(&self.matchers, labels)
    }

    /// Ends it now. One that never began is over without having begun. Whether anything changed.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        match self.state(now) {
            SilenceState::Expired => return false,
            SilenceState::Pending => (self.starts_at, self.ends_at) = (now, now),
            SilenceState::Active => self.ends_at = now,
        }
        self.updated_at = now;
        true
    }

    /// Whether a new version may take its place under the same id: what it matched before must stay on record.
    pub fn may_become(&self, newer: &Self, now: Timestamp) -> bool {
        let state = self.state(now);
        self.matchers == newer.matchers
            && match state {
                SilenceState::Pending => newer.starts_at >= now,
                SilenceState::Active => newer.starts_at == self.starts_at,
                SilenceState::Expired => false,
            }
    }

    /// Whether it may be forgotten.
    pub fn forgotten(&self, now: Timestamp) -> bool {
        self.ends_at.saturating_add(RETENTION_NS) < now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::parse;

    fn silence(matchers: &str, starts: i64, ends: i64) -> Silence {
        Silence {
            id: "s".into(),
            matchers: parse(matchers).unwrap(),
            starts_at: Timestamp(starts),
            ends_at: Timestamp(ends),
            created_by: "ada".into(),
            comment: "work".into(),
            updated_at: Timestamp(0),
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (matchers, starts, ends, expected) in [
            ("a=b", 10, 60, Ok(())),
            ("{}", 10, 60, Err(SilenceError::NoMatchers)),
            ("a=~.*", 10, 60, Err(SilenceError::MatchesAll)),
            ("a!=b", 10, 60, Err(SilenceError::MatchesAll)),
            ("a!=b,c=d", 10, 60, Ok(())),
            ("a=b", 60, 60, Err(SilenceError::EndsFirst)),
            ("a=b", 10, 50, Err(SilenceError::Past)),
        ] {
            assert_eq!(silence(matchers, starts, ends).check(Timestamp(50)), expected, "{matchers} {starts} {ends}");
        }
    }

    #[test]
    fn it_holds_from_start_to_end() {
        let labels = LabelSet::from([("a".to_owned(), "b".to_owned())]);
        let mut s = silence("a=b", 10, 20);
        for (now, holds, state) in
            [(9, false, "pending"), (10, true, "active"), (19, true, "active"), (20, false, "expired")]
        {
            assert_eq!(
                (s.silences(&labels, Timestamp(now)), s.state(Timestamp(now)).as_str()),
                (holds, state),
                "{now}"
            );
        }
        assert!(s.expire(Timestamp(15)) && !s.expire(Timestamp(16)) && !s.silences(&labels, Timestamp(15)));
        let mut early = silence("a=b", 10, 20);
        assert!(early.expire(Timestamp(5)) && early.state(Timestamp(5)) == SilenceState::Expired);
        assert!(!s.forgotten(Timestamp(15 + RETENTION_NS)) && s.forgotten(Timestamp(16 + RETENTION_NS)));
    }

    #[test]
    fn only_what_was_never_promised_may_change() {
        let old = silence("a=b", 10, 20);
        for (now, newer, expected) in [
            (15, silence("a=b", 10, 30), true),
            (15, silence("a=b", 11, 30), false),
            (15, silence("a=c", 10, 30), false),
            (5, silence("a=b", 7, 30), true),
            (25, silence("a=b", 10, 30), false),
        ] {
            assert_eq!(old.may_become(&newer, Timestamp(now)), expected, "{now} {newer:?}");
        }
    }
}
