//! What a resource costs, as a range; and what a change adds to it. Unknown is a value of its own and never zero: sums carry what they could not
//! count.

use grid_model::{Amount, Currency};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::field::Fields;

/// A range of money per month of 730 hours, `low <= likely <= high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Range {
    /// At least.
    #[serde(with = "crate::kept::money")]
    pub low: Amount,
    /// Likely.
    #[serde(with = "crate::kept::money")]
    pub likely: Amount,
    /// At most.
    #[serde(with = "crate::kept::money")]
    pub high: Amount,
}

impl Range {
    /// One amount, exactly.
    pub fn exact(amount: Amount) -> Self {
        Self { low: amount, likely: amount, high: amount }
    }

    /// Three amounts, put into order.
    pub fn of(a: Amount, b: Amount, c: Amount) -> Self {
        let mut all = [a, b, c];
        all.sort_unstable();
        Self { low: all[0], likely: all[1], high: all[2] }
    }

    /// The sum; `None` if it leaves 38 digits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            low: self.low.checked_add(other.low)?,
            likely: self.likely.checked_add(other.likely)?,
            high: self.high.checked_add(other.high)?,
        })
    }

    /// The range with the other sign.
    pub fn negated(self) -> Self {
        Self { low: Amount(-self.high.0), likely: Amount(-self.likely.0), high: Amount(-self.low.0) }
    }
}

/// What something costs or adds a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cost {
    /// A range.
    Known(Range),
    /// Nobody knows, and why.
    Unknown(String),
}

impl Cost {
    /// Nothing, and that is certain.
    pub const ZERO: Self = Self::Known(Range { low: Amount::ZERO, likely: Amount::ZERO, high: Amount::ZERO });

    /// The range, if it is known.
    pub fn known(&self) -> Option<Range> {
        match self {
            Self::Known(range) => Some(*range),
            Self::Unknown(_) => None,
        }
    }
}

/// Where prices come from. An implementation draws on one price book and one record of usage.
pub trait Prices {
    /// The name of what it draws on, by content: another price or another usage has another name. It goes into the plan's id.
    fn book(&self) -> String;

    /// The one currency of all its answers.
    fn currency(&self) -> Currency;

    /// What a resource with these fields costs a month. Fields that are only known after applying are absent.
    fn monthly(&self, address: &Address, fields: &Fields) -> Cost;

    /// What a change adds a month; what is absent costs nothing. Ranges are subtracted end from opposite end, which is never too narrow; an
    /// implementation that knows that one usage drives both may answer a narrower one.
    fn delta(&self, address: &Address, before: Option<&Fields>, after: Option<&Fields>) -> Cost {
        let cost = |fields: Option<&Fields>| fields.map_or(Cost::ZERO, |f| self.monthly(address, f));
        match (cost(before), cost(after)) {
            (Cost::Known(before), Cost::Known(after)) if before == after => Cost::ZERO,
            (Cost::Known(before), Cost::Known(after)) => match after.checked_add(before.negated()) {
                Some(delta) => Cost::Known(delta),
                None => Cost::Unknown("the difference has more than 38 digits".to_owned()),
            },
            (Cost::Unknown(why), _) | (_, Cost::Unknown(why)) => Cost::Unknown(why),
        }
    }
}

/// No prices at all: everything is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPrices(pub Currency);

impl Prices for NoPrices {
    fn book(&self) -> String {
        "none".to_owned()
    }

    fn currency(&self) -> Currency {
        self.0.clone()
    }

    fn monthly(&self, _: &Address, _: &Fields) -> Cost {
        Cost::Unknown("there is no price book".to_owned())
    }
}

/// A sum that says what it does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Total {
    /// The sum of what is known.
    pub known: Range,
    /// What could not be counted, with the reason.
    pub unknown: Vec<(Address, String)>,
}

impl Total {
    /// Adds one cost.
    pub fn add(&mut self, address: &Address, cost: &Cost) {
        let sum = match cost {
            Cost::Known(range) => self.known.checked_add(*range).ok_or("the sum has more than 38 digits"),
            Cost::Unknown(why) => Err(why.as_str()),
        };
        match sum {
            Ok(sum) => self.known = sum,
            Err(why) => self.unknown.push((address.clone(), why.to_owned())),
        }
    }

    /// The range, if nothing is missing in it.
    pub fn certain(&self) -> Option<Range> {
        self.unknown.is_empty().then_some(self.known)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn range(low: i128, likely: i128, high: i128) -> Range {
        Range { low: Amount(low), likely: Amount(likely), high: Amount(high) }
    }

    struct Fixed;

    impl Prices for Fixed {
        fn book(&self) -> String {
            "fixed".to_owned()
        }

        fn currency(&self) -> Currency {
            Currency("EUR".to_owned())
        }

        fn monthly(&self, _: &Address, fields: &Fields) -> Cost {
            match fields.len() {
                3 => Cost::Unknown("three".to_owned()),
                n => Cost::Known(range(n as i128, 10 * n as i128, 100 * n as i128)),
            }
        }
    }

    #[test]
    fn differences_are_never_too_narrow_and_unknown_is_not_zero() {
        let address = Address::parse("vm.a").unwrap();
        let fields = |n: usize| {
            let all: serde_json::Map<_, _> = (0..n).map(|k| (format!("k{k}"), 1.into())).collect();
            Fields::of_json(&serde_json::Value::Object(all))
        };
        let check = |before: Option<usize>, after: Option<usize>, expected: Option<Range>| {
            let (before, after) = (before.map(fields), after.map(fields));
            assert_eq!(Fixed.delta(&address, before.as_ref(), after.as_ref()).known(), expected);
        };
        check(None, Some(1), Some(range(1, 10, 100)));
        check(Some(1), None, Some(range(-100, -10, -1)));
        check(Some(1), Some(2), Some(range(-98, 10, 199)));
        check(Some(2), Some(2), Some(range(0, 0, 0)));
        check(Some(3), None, None);
        check(Some(1), Some(3), None);
        let mut total = Total::default();
        total.add(&address, &Cost::Known(range(1, 2, 3)));
        assert_eq!(total.certain(), Some(range(1, 2, 3)));
        total.add(&address, &Cost::Unknown("why".to_owned()));
        assert_eq!((total.certain(), total.known), (None, range(1, 2, 3)));
    }
}
