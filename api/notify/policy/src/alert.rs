//! Alerts, as they come and as they are held.

use std::collections::BTreeMap;
use std::fmt;

use grid_model::Timestamp;

use crate::limits::{ALERT_BYTES_MAX, LABELS_MAX};

/// Names and values, in order of name.
pub type LabelSet = BTreeMap<String, String>;

/// Something that is, or was, the matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alert {
    /// What makes it this alert and no other. Labels with empty values count as absent.
    pub labels: LabelSet,
    /// What is said about it.
    pub annotations: LabelSet,
    /// Since when. Zero (1970) is "now".
    pub starts_at: Timestamp,
    /// Until when. In the past or now: resolved. In the future: it resolves then, unless it is sent again before. Absent: it
    /// resolves once it has not been sent again for the configuration's `resolve_timeout`.
    pub ends_at: Option<Timestamp>,
    /// Where it was found.
    pub generator_url: String,
}

/// Why an alert was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// It has no labels, so that it is no alert in particular.
    #[error("it has no labels")]
    NoLabels,
    /// A label without a name.
    #[error("a label has no name")]
    NoName,
    /// Too many labels or annotations.
    #[error("it has {0} labels or annotations, the limit is {LABELS_MAX}")]
    TooMany(usize),
    /// Too many bytes.
    #[error("its labels and annotations have {0} bytes, the limit is {ALERT_BYTES_MAX}")]
    TooLarge(usize),
    /// It ended before it began.
    #[error("it ends before it starts")]
    EndsFirst,
    /// The tenant has too many already.
    #[error("the tenant has as many alerts as it may have")]
    Full,
}

/// 64-bit FNV-1a of the labels, as Prometheus and Alertmanager compute it (`model.LabelSet.Fingerprint`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Of a set of labels.
    pub fn of(labels: &LabelSet) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        for (name, value) in labels {
            name.bytes().for_each(&mut add);
            add(0xff);
            value.bytes().for_each(&mut add);
            add(0xff);
        }
        Self(hash)
    }

    /// From its text.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An alert as it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The labels, without empty ones.
    pub labels: LabelSet,
    /// The annotations.
    pub annotations: LabelSet,
    /// Where it was found.
    pub generator_url: String,
    /// Since when.
    pub starts_at: Timestamp,
    /// Until when; in the future as long as it fires.
    pub ends_at: Timestamp,
    /// Whether `ends_at` is only the end of our patience, not what the sender said.
    pub timeout: bool,
    /// When it was last sent.
    pub updated_at: Timestamp,
    /// Whether it is over and everybody was told.
    pub settled: bool,
}

impl Held {
    /// Checks an alert and fills in what it leaves open.
    ///
    /// # Errors
    /// Any of [`AlertError`] but [`AlertError::Full`].
    pub fn of(alert: Alert, resolve_timeout_ns: i64, now: Timestamp) -> Result<Self, AlertError> {
        let Alert { mut labels, annotations, starts_at, ends_at, generator_url } = alert;
        labels.retain(|_, value| !value.is_empty());
        if labels.is_empty() {
            return Err(AlertError::NoLabels);
        }
        let all = || labels.iter().chain(&annotations);
        if all().any(|(name, _)| name.is_empty()) {
            return Err(AlertError::NoName);
        }
        let most = labels.len().max(annotations.len());
        if most > LABELS_MAX {
            return Err(AlertError::TooMany(most));
        }
        let bytes = all().map(|(name, value)| name.len() + value.len()).sum::<usize>() + generator_url.len();
        if bytes > ALERT_BYTES_MAX {
            return Err(AlertError::TooLarge(bytes));
        }
        let starts_at = match (starts_at, ends_at) {
            (Timestamp(0), Some(ends)) if ends < now => ends,
            (Timestamp(0), _) => now,
            (starts, _) => starts,
        };
        if ends_at.is_some_and(|ends| ends < starts_at) {
            return Err(AlertError::EndsFirst);
        }
        let timeout = ends_at.is_none();
        let ends_at = ends_at.unwrap_or_else(|| now.saturating_add(resolve_timeout_ns));
        Ok(Self { labels, annotations, generator_url, starts_at, ends_at, timeout, updated_at: now, settled: false })
    }

    /// Its identity.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.labels)
    }

    /// Whether it is over at a time.
    pub fn resolved_at(&self, now: Timestamp) -> bool {
        self.ends_at <= now
    }

    /// What is known once a newer report of the same alert has come (Alertmanager's `Alert.Merge`): one spell goes on from its
    /// earliest start; a report after the end of the last spell begins another.
    #[must_use]
    pub fn merge(&self, newer: Self, now: Timestamp) -> Self {
        let overlaps = (newer.ends_at > self.starts_at && newer.ends_at < self.ends_at)
            || (newer.starts_at > self.starts_at && newer.starts_at < self.ends_at)
            || newer.starts_at <= self.starts_at && newer.ends_at >= self.ends_at;
        if !overlaps {
            return newer;
        }
        let mut merged = newer;
        merged.starts_at = merged.starts_at.min(self.starts_at);
        if merged.resolved_at(now) {
            if self.resolved_at(now) && self.ends_at > merged.ends_at {
                merged.ends_at = self.ends_at;
            }
        } else if self.ends_at > merged.ends_at && !self.timeout {
            merged.ends_at = self.ends_at;
        }
        // Senders repeat that something is over; that is no news.
        merged.settled = self.settled && merged.resolved_at(now) && merged.ends_at == self.ends_at;
        merged
    }

    /// The order in which alerts stand in a message (Alertmanager's `AlertSlice`): by job, then instance, whoever has none last; then
    /// by the number of labels, then by labels.
    pub fn message_order(&self, other: &Self) -> std::cmp::Ordering {
        let named = |alert: &Self| {
            ["job", "instance"].map(|name| {
                let value = alert.labels.get(name).cloned();
                (value.is_none(), value)
            })
        };
        let by_name = named(self).cmp(&named(other));
        by_name.then_with(|| self.labels.len().cmp(&other.labels.len())).then_with(|| self.labels.cmp(&other.labels))
    }

    /// What is known after a restart: senders could not be heard meanwhile, so that patience begins anew for whatever nobody had
    /// said to be over.
    pub fn after_silence(&mut self, listened_until: Timestamp, resolve_timeout_ns: i64, now: Timestamp) {
        if self.ends_at > listened_until {
            self.ends_at = self.ends_at.max(now.saturating_add(resolve_timeout_ns));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = grid_model::time::MINUTE_NS;

    fn labels(pairs: &[(&str, &str)]) -> LabelSet {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn fingerprints_are_those_of_prometheus() {
        // prometheus/common's own cases of `LabelsToSignature`'s sibling, computed by Alertmanager 0.28.
        assert_eq!(Fingerprint::of(&LabelSet::new()).to_string(), "cbf29ce484222325");
        let a = Fingerprint::of(&labels(&[("a", "b"), ("c", "d")]));
        let same = Fingerprint::of(&labels(&[("c", "d"), ("a", "b")]));
        assert_eq!(a, same);
        assert_ne!(a, Fingerprint::of(&labels(&[("a", "bc"), ("", "d")])));
        assert_eq!(Fingerprint::parse(&a.to_string()), Some(a));
        assert_eq!(Fingerprint::parse("xyz"), None);
    }

    #[test]
    fn alerts_are_checked_and_completed() {
        let now = Timestamp(100 * MINUTE);
        let of = |alert: Alert| Held::of(alert, 5 * MINUTE, now);
        let alert = |starts: i64, ends: Option<i64>| Alert {
            labels: labels(&[("alertname", "A"), ("gone", "")]),
            starts_at: Timestamp(starts),
            ends_at: ends.map(Timestamp),
            ..Alert::default()
        };
        for (starts, ends, expected) in [
            (0, None, Ok((100, 105, true))),
            (90 * MINUTE, None, Ok((90, 105, true))),
            (90 * MINUTE, Some(95 * MINUTE), Ok((90, 95, false))),
            (0, Some(95 * MINUTE), Ok((95, 95, false))),
            (0, Some(120 * MINUTE), Ok((100, 120, false))),
            (90 * MINUTE, Some(80 * MINUTE), Err(AlertError::EndsFirst)),
        ] {
            let found = of(alert(starts, ends)).map(|h| (h.starts_at.0 / MINUTE, h.ends_at.0 / MINUTE, h.timeout));
            assert_eq!(found, expected, "{starts} {ends:?}");
        }
        assert_eq!(of(alert(0, None)).unwrap().labels, labels(&[("alertname", "A")]));
        assert_eq!(of(Alert::default()), Err(AlertError::NoLabels));
        let large = Alert { labels: labels(&[("a", &"x".repeat(ALERT_BYTES_MAX))]), ..Alert::default() };
        assert!(matches!(of(large), Err(AlertError::TooLarge(_))));
        let many = (0..=LABELS_MAX).map(|i| (format!("l{i}"), "x".to_owned())).collect();
        assert_eq!(of(Alert { labels: many, ..Alert::default() }), Err(AlertError::TooMany(LABELS_MAX + 1)));
    }

    #[test]
    fn reports_of_one_spell_merge() {
        // (starts, ends, timeout) of the old and the new report, and what is known then, all in minutes; now is 100.
        for (old, new, expected) in [
            // Fires on: the start stays, the end moves.
            ((10, 102, true), (100, 105, true), (10, 105)),
            // A longer promise stands unless it was only our patience.
            ((10, 120, false), (10, 110, false), (10, 120)),
            ((10, 120, true), (10, 110, false), (10, 110)),
            // It resolves, and the latest end counts.
            ((10, 105, false), (10, 99, false), (10, 99)),
            ((10, 99, false), (10, 98, false), (10, 99)),
            // Another spell.
            ((10, 20, false), (90, 105, true), (90, 105)),
        ] {
            let held = |(starts, ends, timeout): (i64, i64, bool)| Held {
                labels: labels(&[("a", "b")]),
                annotations: LabelSet::new(),
                generator_url: String::new(),
                starts_at: Timestamp(starts * MINUTE),
                ends_at: Timestamp(ends * MINUTE),
                timeout,
                updated_at: Timestamp(100 * MINUTE),
                settled: false,
            };
            let merged = held(old).merge(held(new), Timestamp(100 * MINUTE));
            assert_eq!((merged.starts_at.0 / MINUTE, merged.ends_at.0 / MINUTE), expected, "{old:?} {new:?}");
        }
    }

    proptest! {
        #[test]
        fn a_merge_never_starts_later_nor_resolves_what_fires(
            old in (0i64..50, 1i64..80, any::<bool>()), new in (0i64..50, 1i64..80, any::<bool>()), now in 0i64..120,
        ) {
            let held = |(starts, lasts, timeout): (i64, i64, bool)| Held {
                labels: labels(&[("a", "b")]), annotations: LabelSet::new(), generator_url: String::new(),
                starts_at: Timestamp(starts), ends_at: Timestamp(starts + lasts), timeout, updated_at: Timestamp(now), settled: false,
            };
            let merged = held(old).merge(held(new), Timestamp(now));
            prop_assert!(merged.starts_at <= held(new).starts_at);
            prop_assert!(held(new).resolved_at(Timestamp(now)) || !merged.resolved_at(Timestamp(now)));
        }
    }
}
