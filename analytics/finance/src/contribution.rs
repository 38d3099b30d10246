//! Which dimension explains a change: values ranked by what they contribute, dimensions by how far the shares of their values moved (the surprise of
//! Adtributor: Bhagwan et al., "Adtributor: Revenue Debugging in Advertising Systems", NSDI 2014). Contributions are exact;
//! the surprise only orders dimensions, so it may be a float.

use std::collections::BTreeMap;

use grid_model::Amount;

use crate::variance::Overflow;

/// One value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    /// The value; `None` of charges that have none.
    pub value: Option<String>,
    /// Its cost before.
    pub before: Amount,
    /// Its cost after.
    pub after: Amount,
    /// After less before.
    pub change: Amount,
}

/// One dimension in one currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Its name.
    pub dimension: String,
    /// How far shares moved: 0 (every value changed alike) to 1.
    pub surprise: f64,
    /// Values, the largest change first; their changes add up to the change of the currency.
    pub values: Vec<Contribution>,
}

/// Costs of one dimension's values: `(currency, value, before, after)`.
pub type Values = Vec<(String, Option<String>, Amount, Amount)>;

/// Ranks dimensions and their values, per currency: the dimension with the most surprise first.
pub fn rank(dimensions: Vec<(String, Values)>) -> Result<BTreeMap<String, Vec<Explained>>, Overflow> {
    let mut found: BTreeMap<String, Vec<Explained>> = BTreeMap::new();
    for (dimension, values) in dimensions {
        let mut by_currency: BTreeMap<String, Vec<Contribution>> = BTreeMap::new();
        for (currency, value, before, after) in values {
            let negated = before.0.checked_neg().ok_or(Overflow)?;
            let change = after.checked_add(Amount(negated)).ok_or(Overflow)?;
            by_currency.entry(currency).or_default().push(Contribution { value, before, after, change });
        }
        for (currency, mut values) in by_currency {
            let size = |c: &Contribution| c.change.0.unsigned_abs();
            values.sort_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.value.cmp(&b.value)));
            let surprise = surprise(&values);
            found.entry(currency).or_default().push(Explained { dimension: dimension.clone(), surprise, values });
        }
    }
    for explained in found.values_mut() {
        explained.sort_by(|a, b| b.surprise.total_cmp(&a.surprise).then_with(|| a.dimension.cmp(&b.dimension)));
    }
    Ok(found)
}

/// The Jensen-Shannon divergence, in bits, of the shares before and after. Negative costs (credits) have no share.
fn surprise(values: &[Contribution]) -> f64 {
    let share = |of: fn(&Contribution) -> Amount| {
        let costs: Vec<f64> = values.iter().map(|c| of(c).0.max(0) as f64).collect();
        let sum: f64 = costs.iter().sum();
        costs.into_iter().map(move |c| if sum > 0.0 { c / sum } else { 0.0 })
    };
    let term = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
    let pairs = share(|c| c.before).zip(share(|c| c.after));
    let divergence: f64 = pairs.map(|(p, q)| term(p, (p + q) / 2.0) + term(q, (p + q) / 2.0)).sum();
    (divergence / 2.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dimension_that_moved_comes_first() {
        let row =
            |value: &str, before, after| ("USD".to_owned(), Some(value.to_owned()), Amount(before), Amount(after));
        let found = rank(vec![
            ("region".to_owned(), vec![row("us", 50, 100), row("eu", 50, 100)]),
            ("service".to_owned(), vec![row("db", 50, 50), row("vm", 50, 150)]),
            ("account".to_owned(), vec![row("only", 100, 200)]),
        ])
        .unwrap();
        let order: Vec<_> = found["USD"].iter().map(|e| e.dimension.as_str()).collect();
        assert_eq!(order, ["service", "account", "region"]);
        assert_eq!(found["USD"][0].values[0].value.as_deref(), Some("vm"));
        for explained in &found["USD"] {
            assert_eq!(explained.values.iter().map(|v| v.change.0).sum::<i128>(), 100);
        }
    }
}
