//! What is counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) alerts_taken: Count,
    pub(crate) alerts_refused: Count,
    pub(crate) messages: Count,
    pub(crate) delivered: Count,
    pub(crate) failed: Count,
    pub(crate) dead: Count,
    pub(crate) displaced: Count,
    pub(crate) replayed: Count,
    pub(crate) relayed: Count,
    pub(crate) relay_failures: Count,
    pub(crate) database_failures: Count,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What `/metrics` shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Name, meaning, value: what only grows.
    pub counters: Vec<(&'static str, &'static str, u64)>,
    /// The same: what goes up and down.
    pub gauges: Vec<(&'static str, &'static str, u64)>,
}

impl Counters {
    pub(crate) fn figures(&self) -> Vec<(&'static str, &'static str, u64)> {
        vec![
            ("grid_notify_alerts_taken_total", "Alerts taken.", self.alerts_taken.get()),
            ("grid_notify_alerts_refused_total", "Alerts refused.", self.alerts_refused.get()),
            ("grid_notify_messages_total", "Messages put into the queue.", self.messages.get()),
            ("grid_notify_deliveries_total", "Messages delivered.", self.delivered.get()),
            ("grid_notify_attempts_failed_total", "Attempts that failed and are made again.", self.failed.get()),
            ("grid_notify_dead_letters_total", "Messages given up.", self.dead.get()),
            (
                "grid_notify_displaced_total",
                "Messages given up because their receiver had too many.",
                self.displaced.get(),
            ),
            ("grid_notify_replayed_total", "Dead letters put back into the queue.", self.replayed.get()),
            (
                "grid_notify_relayed_alerts_total",
                "Alerts that Alertmanagers took, repetitions included.",
                self.relayed.get(),
            ),
            ("grid_notify_relay_failures_total", "Requests to Alertmanagers that failed.", self.relay_failures.get()),
            (
                "grid_notify_database_failures_total",
                "Failures of the database of notifications.",
                self.database_failures.get(),
            ),
        ]
    }
}
