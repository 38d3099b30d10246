//! What owners cost themselves, by currency: the weights of shared cost.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use grid_model::Amount;

use super::AllocateError;
use crate::limits::OWNERS_MAX;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Direct {
    currencies: HashMap<String, BTreeMap<Arc<str>, Amount>>,
    owners: usize,
}

impl Direct {
    pub(super) fn add(&mut self, currency: &str, owner: &Arc<str>, cost: Amount) -> Result<(), AllocateError> {
        let overflow = || AllocateError::Overflow(currency.to_owned());
        if !self.currencies.contains_key(currency) {
            self.currencies.insert(currency.to_owned(), BTreeMap::new());
        }
        let Some(owners) = self.currencies.get_mut(currency) else { return Ok(()) };
        if let Some(sum) = owners.get_mut(owner) {
            *sum = sum.checked_add(cost).ok_or_else(overflow)?;
            return Ok(());
        }
        self.owners += 1;
        if self.owners > OWNERS_MAX {
            return Err(AllocateError::TooManyOwners(OWNERS_MAX));
        }
        owners.insert(Arc::clone(owner), cost);
        Ok(())
    }

    /// Every owner with its direct cost, by name.
    pub(super) fn of(&self, currency: &str) -> impl Iterator<Item = (&Arc<str>, Amount)> {
        self.currencies.get(currency).into_iter().flatten().map(|(owner, cost)| (owner, *cost))
    }

    pub(super) fn cost(&self, currency: &str, owner: &str) -> Amount {
        self.currencies.get(currency).and_then(|o| o.get(owner)).copied().unwrap_or_default()
    }
}
