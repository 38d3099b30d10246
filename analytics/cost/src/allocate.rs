//! The allocation itself. [`Allocator::observe`] learns what owners cost themselves, if some rule needs that;
//! [`Allocator::allocate`] answers the rows of one charge, which add up to it.

mod decide;
mod direct;
mod share;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use grid_model::{Amount, Currency, Timestamp};

use crate::charge::Charge;
use crate::rules::Rules;
use crate::weights::Weights;
use decide::{Decider, Decision};
use direct::Direct;

/// What a row of `allocations` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An owner pays.
    Allocated,
    /// Paid for and not used by anyone.
    Idle,
    /// Nobody's yet.
    Unallocated,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Allocated, Self::Idle, Self::Unallocated];

    /// The word in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allocated => "allocated",
            Self::Idle => "idle",
            Self::Unallocated => "unallocated",
        }
    }
}

/// Dimensions of a row, by name.
pub type Dimensions = BTreeMap<Arc<str>, Arc<str>>;

/// One part of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocated {
    /// Who pays; `None` unless allocated.
    pub owner: Option<Arc<str>>,
    /// Team, project, environment and whatever else the rules say of it.
    pub dimensions: Arc<Dimensions>,
    /// What it is.
    pub kind: Kind,
    /// The rule that decided (and the share, after ` > `); empty if none did.
    pub rule: Arc<str>,
    /// How much.
    pub cost: Amount,
}

/// Why an allocation cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllocateError {
    /// The rules name more owners than are kept.
    #[error("the rules find more than {0} owners")]
    TooManyOwners(usize),
    /// A sum left 38 digits.
    #[error("a sum of costs in {0} has more than 38 digits")]
    Overflow(String),
    /// A defect of ours.
    #[error("a charge of {cost} {currency} was split into parts that sum to another amount")]
    DoesNotAddUp {
        /// The charge.
        cost: Amount,
        /// Its currency.
        currency: String,
    },
}

/// Sums of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// What came in.
    pub charged: Amount,
    /// Rows of kind [`Kind::Allocated`].
    pub allocated: Amount,
    /// Rows of kind [`Kind::Idle`].
    pub idle: Amount,
    /// Rows of kind [`Kind::Unallocated`].
    pub unallocated: Amount,
}

impl Sums {
    /// What came in minus what went out: zero, always.
    pub fn difference(&self) -> Amount {
        Amount(self.charged.0 - self.allocated.0 - self.idle.0 - self.unallocated.0)
    }
}

/// What an allocation did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// By currency.
    pub sums: BTreeMap<Currency, Sums>,
    /// Rows that each rule gave, by name; the empty name is "no rule".
    pub rows: BTreeMap<Arc<str>, u64>,
    /// Groups of charges that a rule should have split and that had no weights, by rule.
    pub unsplit: BTreeMap<Arc<str>, u64>,
}

/// Allocates the charges of one billing period.
pub struct Allocator<'a> {
    rules: &'a Rules,
    weights: &'a Weights,
    decider: Decider<'a>,
    direct: Direct,
    targets: HashMap<share::TargetsKey, Arc<share::Targets>>,
    summary: Summary,
    no_rule: Arc<str>,
    nothing: Arc<Dimensions>,
}

impl<'a> Allocator<'a> {
    /// An allocation by these rules and measurements.
    pub fn new(rules: &'a Rules, weights: &'a Weights) -> Self {
        Self {
            rules,
            weights,
            decider: Decider::new(rules),
            direct: Direct::default(),
            targets: HashMap::new(),
            summary: Summary::default(),
            no_rule: Arc::from(""),
            nothing: Arc::new(Dimensions::new()),
        }
    }

    /// Learns what a charge costs its owner directly. To be called with every charge before the first
    /// [`Allocator::allocate`], if [`Rules::needs_direct`].
    pub fn observe(&mut self, charge: &Charge<'_>) -> Result<(), AllocateError> {
        match self.decider.decide(charge) {
            Decision::Assign { owner, .. } => self.direct.add(charge.currency, &owner, charge.cost),
            // What is measured as used by an owner is its own cost; what is shared out by a rule is not.
            Decision::Split(rule) => {
                for part in self.measured(rule, charge)? {
                    if let Some(owner) = part.owner {
                        self.direct.add(charge.currency, &owner, part.cost)?;
                    }
                }
                Ok(())
            }
            Decision::Idle(_) | Decision::Unallocated(_) => Ok(()),
        }
    }

    /// The rows of a charge, appended to `out`. Their costs sum to the charge's, exactly.
    pub fn allocate(&mut self, charge: &Charge<'_>, out: &mut Vec<Allocated>) -> Result<(), AllocateError> {
        let from = out.len();
        match self.decider.decide(charge) {
            Decision::Assign { owner, dimensions, rule } => out.push(Allocated {
                owner: Some(owner),
                dimensions,
                kind: Kind::Allocated,
                rule: Arc::clone(&self.rules.rules[rule].name),
                cost: charge.cost,
            }),
            Decision::Idle(rule) => out.push(self.nobody(Kind::Idle, &rule, charge.cost)),
            Decision::Unallocated(rule) => {
                let rule = rule.unwrap_or_else(|| Arc::clone(&self.no_rule));
                out.push(self.nobody(Kind::Unallocated, &rule, charge.cost));
            }
            Decision::Split(rule) => self.split(rule, charge, out)?,
        }
        self.share(charge, from, out)?;
        self.account(charge, &out[from..])
    }

    /// What was done so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn nobody(&self, kind: Kind, rule: &Arc<str>, cost: Amount) -> Allocated {
        // A credit is not idle: nothing lies unused. Idle cost is never negative.
        let kind = if kind == Kind::Idle && cost.0 < 0 { Kind::Unallocated } else { kind };
        Allocated { owner: None, dimensions: Arc::clone(&self.nothing), kind, rule: Arc::clone(rule), cost }
    }

    /// Checks the rows of a charge and counts them.
    fn account(&mut self, charge: &Charge<'_>, rows: &[Allocated]) -> Result<(), AllocateError> {
        let overflow = || AllocateError::Overflow(charge.currency.to_owned());
        let currency = Currency(charge.currency.to_owned());
        let sums = self.summary.sums.entry(currency).or_default();
        sums.charged = sums.charged.checked_add(charge.cost).ok_or_else(overflow)?;
        let mut total = Amount::ZERO;
        for row in rows {
            total = total.checked_add(row.cost).ok_or_else(overflow)?;
            let sum = match row.kind {
                Kind::Allocated => &mut sums.allocated,
                Kind::Idle => &mut sums.idle,
                Kind::Unallocated => &mut sums.unallocated,
            };
            *sum = sum.checked_add(row.cost).ok_or_else(overflow)?;
            match self.summary.rows.get_mut(&row.rule) {
                Some(n) => *n += 1,
                None => {
                    self.summary.rows.insert(Arc::clone(&row.rule), 1);
                }
            }
        }
        if total != charge.cost {
            return Err(AllocateError::DoesNotAddUp { cost: charge.cost, currency: charge.currency.to_owned() });
        }
        Ok(())
    }
}

/// The window that a charge belongs to: its start, cut to the window's length.
pub fn window_start(start: Timestamp, size: crate::rules::WindowSize) -> Timestamp {
    Timestamp(start.0.div_euclid(size.nanos()).saturating_mul(size.nanos()))
}

#[cfg(test)]
mod tests;
