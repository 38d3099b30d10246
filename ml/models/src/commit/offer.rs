//! What a provider offers in exchange for a promise.

use std::cmp::Ordering;

use grid_model::Amount;

/// Hours of a month in estimates: 8,760 / 12, as providers count.
pub const MONTH_HOURS: i128 = 730;

/// The kind of promise. The arithmetic is the same; names, units and what a promise covers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// A number of machines of one family in one region (AWS, Azure).
    ReservedInstance,
    /// Spend per hour over many kinds of usage (AWS, Azure).
    SavingsPlan,
    /// Spend or resources per hour (Google Cloud).
    CommittedUse,
}

impl Program {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReservedInstance => "reserved-instance",
            Self::SavingsPlan => "savings-plan",
            Self::CommittedUse => "committed-use",
        }
    }
}

/// For how long a promise binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// 8,760 hours.
    OneYear,
    /// 26,280 hours.
    ThreeYears,
}

impl Term {
    /// Hours, leap days left out, as providers count.
    pub fn hours(self) -> usize {
        match self {
            Self::OneYear => 8760,
            Self::ThreeYears => 26_280,
        }
    }

    /// Months.
    pub fn months(self) -> usize {
        match self {
            Self::OneYear => 12,
            Self::ThreeYears => 36,
        }
    }

    /// The name in answers and in the price book.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneYear => "1y",
            Self::ThreeYears => "3y",
        }
    }

    /// From the name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::OneYear, Self::ThreeYears].into_iter().find(|t| t.name() == name)
    }
}

/// When the promise is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payment {
    /// By the hour.
    NoUpfront,
    /// Half at once, half by the hour.
    PartialUpfront,
    /// At once.
    AllUpfront,
}

impl Payment {
    /// Every way to pay.
    pub const ALL: [Self; 3] = [Self::NoUpfront, Self::PartialUpfront, Self::AllUpfront];

    /// The name in answers and in the price book.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoUpfront => "no-upfront",
            Self::PartialUpfront => "partial-upfront",
            Self::AllUpfront => "all-upfront",
        }
    }

    /// From the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    /// The part of a promise's whole cost that is paid at once.
    pub fn upfront(self, whole: Amount) -> Amount {
        match self {
            Self::NoUpfront => Amount::ZERO,
            Self::PartialUpfront => Amount(whole.0 / 2),
            Self::AllUpfront => whole,
        }
    }
}

/// A committed price as a share of the on-demand price, kept as the two prices. Below one, or there is nothing to gain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    committed: i128,
    on_demand: i128,
}

impl Ratio {
    /// From the two prices of one unit, both positive and below 10^12; `None` if they are not. A committed price holds all
    /// payments spread over the term.
    pub fn new(committed: Amount, on_demand: Amount) -> Option<Self> {
        let sane = |a: Amount| a > Amount::ZERO && a <= super::demand::HOURLY_MAX;
        (sane(committed) && sane(on_demand)).then_some(Self { committed: committed.0, on_demand: on_demand.0 })
    }

    /// The committed price of usage that costs `on_demand`.
    pub fn of(self, on_demand: Amount) -> Amount {
        // On-demand cost and both prices are bounded, so this fits unless the ratio itself is absurd.
        on_demand.mul_div(self.committed, self.on_demand).unwrap_or(Amount(i128::MAX / 4))
    }

    /// What a committed price pays for, at on-demand prices.
    pub fn undo(self, committed: Amount) -> Amount {
        committed.mul_div(self.on_demand, self.committed).unwrap_or(Amount(i128::MAX / 4))
    }

    /// The share as a decimal.
    pub fn value(self) -> Amount {
        self.of(Amount(10_i128.pow(18)))
    }

    /// The least whole number of `hours` in use, out of which the promise is the cheaper way, if there is one.
    pub fn break_even_hours(self, hours: usize) -> Option<usize> {
        let least = (self.committed.checked_mul(hours as i128)? / self.on_demand) as usize + 1;
        (least <= hours).then_some(least)
    }

    /// Committed and on-demand price.
    pub fn parts(self) -> (i128, i128) {
        (self.committed, self.on_demand)
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ratio {
    /// Deepest discount first, by the shares at 18 decimals; equal shares by their parts, so that the order is total.
    fn cmp(&self, other: &Self) -> Ordering {
        self.value().cmp(&other.value()).then(self.parts().cmp(&other.parts()))
    }
}

/// One thing that can be bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// A name that tells it from the others.
    pub name: String,
    /// Its kind.
    pub program: Program,
    /// For how long.
    pub term: Term,
    /// When it is paid.
    pub payment: Payment,
    /// The lines of a demand that it covers, and at which share of the on-demand price.
    pub rates: Vec<(String, Ratio)>,
    /// It is bought in multiples of this much committed cost per hour: one machine's price, or a tenth of a cent; zero if any
    /// amount can be bought.
    pub step: Amount,
}

impl Offer {
    /// The share of a line, if the offer covers it.
    pub fn rate(&self, key: &str) -> Option<Ratio> {
        self.rates.iter().find(|(k, _)| k == key).map(|(_, r)| *r)
    }

    /// What a level costs over the whole term.
    pub fn whole(&self, hourly: Amount) -> Amount {
        Amount(hourly.0 * self.term.hours() as i128)
    }
}
