//! Lives that end before any call to a cloud or around any entry of a journal.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use grid_act::Journal;
use grid_act::executor::Time;
use grid_act::journal::{Entry, JournalError, MemoryJournal};
use grid_act::simulated::SimulatedTime;
use grid_model::Timestamp;
use grid_plan::PlanId;

/// What is left of a life: it ends when nothing is.
#[derive(Clone, Default)]
pub(crate) struct Life(pub(crate) Arc<AtomicU32>);

impl Life {
    fn live(&self) {
        let left = self.0.load(Ordering::SeqCst);
        if left == 0 {
            resume_unwind(Box::new("killed"));
        }
        self.0.store(left - 1, Ordering::SeqCst);
    }
}

/// A clock that is asked before each call to the cloud, and may be the last thing that is asked.
pub(crate) struct MortalTime(pub(crate) SimulatedTime, pub(crate) Life);

#[async_trait]
impl Time for MortalTime {
    fn now(&self) -> Timestamp {
        self.1.live();
        self.0.now()
    }

    async fn wait(&self, ns: i64) {
        self.0.wait(ns).await;
    }
}

/// A journal before and after each entry of which a life may end.
pub(crate) struct MortalJournal<'a>(pub(crate) &'a MemoryJournal, pub(crate) Life);

#[async_trait]
impl Journal for MortalJournal<'_> {
    async fn append(&self, entry: Entry) -> Result<(), JournalError> {
        self.1.live();
        let answer = self.0.append(entry).await;
        self.1.live();
        answer
    }

    async fn entries(&self, plan: PlanId) -> Result<Vec<Entry>, JournalError> {
        self.0.entries(plan).await
    }
}

/// The next number of a sequence that looks random.
pub(crate) fn mixed(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
