//! The states of one alert, as a function of times (Prometheus, `rules/alerting.go`).

use std::collections::BTreeMap;

use grid_model::Timestamp;
use grid_model::time::MINUTE_NS;
use grid_promql::Labels;

/// How long an alert that ended is remembered, so that receivers learn of it even if some notices are lost.
pub const RESOLVED_RETENTION_NS: i64 = 15 * MINUTE_NS;

/// Intervals or resend delays for which a notice holds: two may be lost.
const VALID_DELAYS: i64 = 4;

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// It ended.
    Inactive,
    /// It has not lasted long enough.
    Pending,
    /// It has.
    Firing,
}

impl AlertState {
    /// As in the label `alertstate` and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// Texts for people.
    pub annotations: BTreeMap<String, String>,
    /// The value of its expression when that was last there.
    pub value: f64,
    /// Where it stands.
    pub state: AlertState,
    /// Since when its expression has been there.
    pub active_at: Timestamp,
    /// When it began to fire.
    pub fired_at: Option<Timestamp>,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
    /// Since when it fires only because it is kept firing.
    pub keep_firing_since: Option<Timestamp>,
    /// When receivers were last told.
    pub sent_at: Option<Timestamp>,
}

/// How long an alert waits and lingers, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long it must last before it fires.
    pub hold_ns: i64,
    /// How long it goes on firing after its end.
    pub keep_firing_ns: i64,
}

/// What becomes of an alert at an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is pending or firing.
    Active,
    /// It ended and is remembered.
    Remembered,
    /// It is forgotten.
    Forgotten,
}

impl Alert {
    /// One that has just come up.
    pub fn new(labels: Labels, annotations: BTreeMap<String, String>, value: f64, at: Timestamp) -> Self {
        Self {
            labels,
            annotations,
            value,
            state: AlertState::Pending,
            active_at: at,
            fired_at: None,
            resolved_at: None,
            keep_firing_since: None,
            sent_at: None,
        }
    }

    /// One evaluation: whether the expression has it `present` now.
    pub fn advance(&mut self, present: bool, at: Timestamp, patience: Patience) -> Fate {
        if present {
            self.keep_firing_since = None;
        } else {
            let kept = self.state == AlertState::Firing && patience.keep_firing_ns > 0 && {
                let since = *self.keep_firing_since.get_or_insert(at);
                elapsed(since, at) < patience.keep_firing_ns
            };
            let forgotten = self.state == AlertState::Pending
                || self.resolved_at.is_some_and(|t| elapsed(t, at) > RESOLVED_RETENTION_NS);
            if self.state != AlertState::Inactive && !kept {
                self.state = AlertState::Inactive;
                self.resolved_at = Some(at);
            }
            if !kept {
                return if forgotten { Fate::Forgotten } else { Fate::Remembered };
            }
        }
        if self.state == AlertState::Pending && elapsed(self.active_at, at) >= patience.hold_ns {
            self.state = AlertState::Firing;
            self.fired_at = Some(at);
        }
        Fate::Active
    }

    /// Whether receivers are to be told now.
    pub fn needs_sending(&self, at: Timestamp, resend_delay_ns: i64) -> bool {
        if self.state == AlertState::Pending {
            return false;
        }
        let Some(sent) = self.sent_at else { return true };
        self.resolved_at.is_some_and(|resolved| resolved > sent) || sent.saturating_add(resend_delay_ns) < at
    }

    /// Until when it is to be taken for firing if nothing more is heard of it.
    pub fn valid_until(at: Timestamp, resend_delay_ns: i64, interval_ns: i64) -> Timestamp {
        at.saturating_add(resend_delay_ns.max(interval_ns).saturating_mul(VALID_DELAYS))
    }

    /// Whether it is pending or firing.
    pub fn is_active(&self) -> bool {
        self.resolved_at.is_none()
    }
}

/// Nanoseconds between two times.
pub(crate) fn elapsed(from: Timestamp, to: Timestamp) -> i64 {
    to.0.saturating_sub(from.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid_model::time::SECOND_NS;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * SECOND_NS)
    }

    /// What becomes of an alert over evaluations every minute, of which `text` says whether it is there (`x`) or not (`.`).
    fn life(text: &str, hold_s: i64, keep_s: i64) -> String {
        let patience = Patience { hold_ns: hold_s * SECOND_NS, keep_firing_ns: keep_s * SECOND_NS };
        let mut alert: Option<Alert> = None;
        let mut out = String::new();
        for (i, c) in text.chars().enumerate() {
            let now = at(60 * i as i64);
            let present = c == 'x';
            if present && alert.as_ref().is_none_or(|a| a.state == AlertState::Inactive) {
                alert = Some(Alert::new(Labels::default(), BTreeMap::new(), 1.0, now));
            }
            let fate = alert.as_mut().map(|a| a.advance(present, now, patience));
            out.push(match (fate, alert.as_ref().map(|a| a.state)) {
                (Some(Fate::Active), Some(AlertState::Firing)) => 'F',
                (Some(Fate::Active), _) => 'P',
                (Some(Fate::Remembered), _) => 'r',
                _ => '.',
            });
            if fate == Some(Fate::Forgotten) {
                alert = None;
            }
        }
        out
    }

    #[test]
    fn alerts_wait_fire_linger_and_are_remembered() {
        for (there, hold, keep, expected) in [
            (".xxx.", 0, 0, ".FFFr"),
            ("xxxxx", 120, 0, "PPFFF"),
            ("xx.xxx", 120, 0, "PP.PPF"),
            ("xxx..x", 0, 120, "FFFFFF"),
            ("xxx....x", 0, 120, "FFFFFrrF"),
            ("x..................", 0, 0, "Frrrrrrrrrrrrrrrr.."),
            ("xx..x", 60, 0, "PFrrP"),
        ] {
            assert_eq!(life(there, hold, keep), expected, "{there} for {hold} keep {keep}");
        }
    }

    #[test]
    fn receivers_are_told_at_once_and_again() {
        let mut alert = Alert::new(Labels::default(), BTreeMap::new(), 1.0, at(0));
        let patience = Patience { hold_ns: 60 * SECOND_NS, keep_firing_ns: 0 };
        let resend = 60 * SECOND_NS;
        alert.advance(true, at(0), patience);
        assert!(!alert.needs_sending(at(0), resend), "pending");
        alert.advance(true, at(60), patience);
        assert!(alert.needs_sending(at(60), resend));
        alert.sent_at = Some(at(60));
        assert!(!alert.needs_sending(at(120), resend), "sent a minute ago");
        assert!(alert.needs_sending(at(121), resend));
        alert.sent_at = Some(at(121));
        alert.advance(false, at(130), patience);
        assert!(alert.needs_sending(at(130), resend), "resolved since");
        assert_eq!(Alert::valid_until(at(0), resend, 30 * SECOND_NS), at(240));
    }

    proptest! {
        #[test]
        fn an_alert_fires_only_after_it_lasted(there in "[x.]{1,40}", hold in 0_i64..600, keep in 0_i64..600) {
            let states = life(&there, hold, keep);
            let mut since = None;
            for (i, (c, state)) in there.chars().zip(states.chars()).enumerate() {
                if c == 'x' { since.get_or_insert(i); } else if keep == 0 { since = None; }
                if state == 'F' && keep == 0 {
                    let lasted = since.map_or(0, |s| 60 * (i - s) as i64);
                    prop_assert!(lasted >= hold);
                }
                if c == 'x' { prop_assert!(state == 'F' || state == 'P'); }
            }
        }
    }
}
