//! What was last observed of an environment, with a serial that grows with every change. Who writes names the serial that it has read; if another
//! was faster, nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::field::{Fields, Path};

/// A resource as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// The cloud's name of it.
    pub id: String,
    /// Its fields.
    pub fields: Fields,
    /// What others may refer to.
    pub outputs: BTreeMap<String, Value>,
    /// Fields that Grid has set: when nobody wants one of these any more, it is removed. Others that nobody mentions are left alone.
    pub managed: BTreeSet<Path>,
    /// What it needed when it was last changed: it is deleted before these.
    pub needs: BTreeSet<Address>,
}

/// Who holds an environment's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Who: a release, or a person.
    pub by: String,
    /// Since when.
    #[serde(with = "crate::kept::time")]
    pub since: Timestamp,
}

/// All that is known of an environment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// Whose it is.
    pub environment: String,
    /// Grows by one with each change.
    pub serial: u64,
    /// What is there.
    pub resources: BTreeMap<Address, Observed>,
    /// Who holds it.
    pub lock: Option<Lock>,
}

/// Why a state was not written or not locked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Another change came first.
    #[error("the state of {environment} has serial {is}, not {expected}: it has changed since it was read")]
    Moved {
        /// The environment.
        environment: String,
        /// The serial that was read.
        expected: u64,
        /// The serial now.
        is: u64,
    },
    /// Somebody else holds it.
    #[error("the state of {environment} is held by {by} since {since}")]
    Held {
        /// The environment.
        environment: String,
        /// Who holds it.
        by: String,
        /// Since when.
        since: Timestamp,
    },
}

impl State {
    /// Takes the lock; taking it twice is taking it once.
    pub fn lock(&mut self, by: &str, now: Timestamp) -> Result<(), StateError> {
        self.held_by(by)?;
        let since = self.lock.as_ref().map_or(now, |l| l.since);
        self.lock = Some(Lock { by: by.to_owned(), since });
        Ok(())
    }

    /// Gives the lock back; only the holder can.
    pub fn unlock(&mut self, by: &str) -> Result<(), StateError> {
        self.held_by(by)?;
        self.lock = None;
        Ok(())
    }

    /// Writes what has changed: what is there now, or that it is gone. The serial grows if anything differs. The lock binds only others.
    pub fn commit(
        &mut self,
        by: &str,
        expected: u64,
        changes: impl IntoIterator<Item = (Address, Option<Observed>)>,
    ) -> Result<u64, StateError> {
        self.held_by(by)?;
        if self.serial != expected {
            return Err(StateError::Moved { environment: self.environment.clone(), expected, is: self.serial });
        }
        let mut is_changed = false;
        for (address, now) in changes {
            let before = match &now {
                Some(now) => self.resources.insert(address, now.clone()),
                None => self.resources.remove(&address),
            };
            is_changed |= before != now;
        }
        self.serial += u64::from(is_changed);
        Ok(self.serial)
    }

    fn held_by(&self, by: &str) -> Result<(), StateError> {
        match &self.lock {
            Some(lock) if lock.by != by => {
                Err(StateError::Held { environment: self.environment.clone(), by: lock.by.clone(), since: lock.since })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_slower_writer_is_refused() {
        let address = Address::parse("vm.a").unwrap();
        let vm = |id: &str| Some(Observed { id: id.to_owned(), ..Observed::default() });
        let mut state = State::default();
        assert_eq!(state.commit("a", 0, [(address.clone(), vm("1"))]), Ok(1));
        assert_eq!(state.commit("a", 1, [(address.clone(), vm("1"))]), Ok(1), "nothing new, no new serial");
        assert!(matches!(state.commit("b", 0, [(address.clone(), None)]), Err(StateError::Moved { is: 1, .. })));
        state.lock("a", Timestamp(5)).unwrap();
        state.lock("a", Timestamp(6)).unwrap();
        assert_eq!(state.lock.as_ref().unwrap().since, Timestamp(5));
        assert!(matches!(state.lock("b", Timestamp(6)), Err(StateError::Held { .. })));
        assert!(matches!(state.commit("b", 1, [(address.clone(), None)]), Err(StateError::Held { .. })));
        assert!(state.unlock("b").is_err());
        assert_eq!(state.commit("a", 1, [(address, None)]), Ok(2));
        state.unlock("a").unwrap();
        assert!(state.resources.is_empty() && state.lock.is_none());
    }
}
