//! Whether the store can work, and how it comes back by itself.
//!
//! Two things stop writes: a log that cannot be written (a failed write or sync: nobody knows what the disk holds), and a disk with
//! less than [`Limits::free_bytes_min`] left, which is kept so that flushes, the catalog, deletes and retention still find room.
//! Both are looked at again by [`Store::heal`], which a loop calls: writes come back as soon as the cause is gone.
//!
//! [`Limits::free_bytes_min`]: crate::Limits::free_bytes_min

use std::sync::atomic::Ordering;

use crate::error::StoreError;
use crate::store::{Shared, Store};

/// Whether the store works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ok,
    /// It takes writes and answers queries, but what happens in the background fails and is tried again.
    Degraded {
        /// What fails.
        reason: String,
    },
    /// It answers queries and refuses writes.
    ReadOnly {
        /// Why.
        reason: String,
    },
}

/// Why no writes are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadOnly {
    /// The log could not be written.
    Log(String),
    /// The disk has too little room left.
    Disk(String),
}

impl ReadOnly {
    /// The cause in words.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Log(reason) | Self::Disk(reason) => reason,
        }
    }
}

/// The last failures of background work; each is cleared by the next success of its kind.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    pub flush: Option<String>,
    pub compaction: Option<String>,
}

impl Store {
    /// Whether the store works.
    pub fn health(&self) -> Health {
        if let Some(cause) = &*self.shared.read_only.read() {
            return Health::ReadOnly { reason: cause.reason().to_owned() };
        }
        let failures = self.shared.failures.lock();
        let reasons: Vec<String> = [("flush", &failures.flush), ("compaction", &failures.compaction)]
            .iter()
            .filter_map(|(what, failure)| failure.as_ref().map(|reason| format!("{what} fails: {reason}")))
            .collect();
        if reasons.is_empty() { Health::Ok } else { Health::Degraded { reason: reasons.join("; ") } }
    }

    /// Looks whether the cause of a read-only state came or went: room on the disk, a log that can be written. Cheap; meant to be
    /// called every second or two.
    pub async fn heal(&self) {
        if self.shared.look_at_disk()
            && let Err(e) = self.writer.reopen().await
        {
            tracing::warn!(error = %e, "the log still cannot be written");
        }
    }
}

impl Shared {
    /// Lets writes stop or come back with the room on the disk. Whether there is room and the log waits to be written again.
    fn look_at_disk(&self) -> bool {
        // Held throughout: a log that fails meanwhile must not be forgotten.
        let mut cause = self.read_only.write();
        let room = self.disk_room(matches!(*cause, Some(ReadOnly::Disk(_))));
        match (&*cause, room) {
            (None, Err(reason)) => {
                tracing::error!(reason, "the disk is nearly full; the store is read-only");
                *cause = Some(ReadOnly::Disk(reason));
            }
            (Some(ReadOnly::Disk(_)), Ok(())) => {
                *cause = None;
                tracing::info!("the disk has room again; writes are taken");
            }
            // The figure in the reason is kept fresh.
            (Some(ReadOnly::Disk(_)), Err(reason)) => *cause = Some(ReadOnly::Disk(reason)),
            (Some(ReadOnly::Log(_)), room) => return room.is_ok(),
            (None, Ok(())) => {}
        }
        false
    }

    /// Free bytes of the disk that holds the data directory; `None` where the system does not say.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.options.data_dir).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// `Err` with the reason if the disk has less room than the store needs to keep working. Once it was too full it must have a
    /// quarter more than that, so that the state does not flutter.
    fn disk_room(&self, was_full: bool) -> Result<(), String> {
        let Some(free) = self.free_bytes() else { return Ok(()) };
        self.free_bytes_seen.store(free, Ordering::Relaxed);
        let wanted = self.options.limits.free_bytes_min;
        if free >= if was_full { wanted.saturating_add(wanted / 4) } else { wanted } {
            return Ok(());
        }
        Err(format!(
            "{free} bytes are free on the disk of {}, storage.free_bytes_min is {wanted}: free some space or set retention",
            self.options.data_dir.display()
        ))
    }

    /// Notes how a flush went.
    pub(crate) fn note_flush(&self, error: Option<&StoreError>) {
        self.failures.lock().flush = error.map(ToString::to_string);
        let counter = if error.is_none() { &self.counters.flushes } else { &self.counters.flush_errors };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes how a compaction went.
    pub(crate) fn note_compaction(&self, error: Option<&StoreError>) {
        self.failures.lock().compaction = error.map(ToString::to_string);
        let counter = if error.is_none() { &self.counters.compactions } else { &self.counters.compaction_errors };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
