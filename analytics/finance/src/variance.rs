//! Why a cost differs between two periods: effects that add up to the change, to the last digit.
//!
//! An item is what was bought (SKU, region, account, unit); a group is what can replace each other (service and unit). With quantity `q`, contracted
//! cost `C` (before commitments) and cost `E` of an item before (0) and after (1), and `Q` the group's quantity over the items that both periods have:
//!
//! | effect | of an item |
//! |---|---|
//! | volume: the group bought more | `E0 Q1/Q0 - E0` |
//! | mix: within the group it bought another share | `E0 q1/q0 - E0 Q1/Q0` |
//! | price: the contracted price per unit moved | `E0 C1/C0 - E0 q1/q0` |
//! | commitment: the discount of reservations and savings plans moved | `E1 - E0 C1/C0` |
//!
//! The terms telescope, so rounding cannot break the sum: each product is rounded once and stands with both signs. What one period has alone is
//! `new` or `vanished`. Credits, taxes, purchases and adjustments are effects of their own; purchases of commitments (what of
//! them was not used) count as commitment. This is the price-volume-mix analysis of management accounting with one more factor, the discount.

use std::collections::BTreeMap;

use grid_model::Amount;
use grid_model::wide::mul_div;

/// What moved a cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// More or less was used.
    Volume,
    /// Dearer or cheaper items were used instead of others.
    Mix,
    /// Contracted unit prices moved.
    Price,
    /// Commitments covered more or less, or lay idle.
    Commitment,
    /// Items that the period before did not have.
    New,
    /// Items that this period does not have.
    Vanished,
    /// Purchases other than commitments.
    Purchases,
    /// Credits.
    Credits,
    /// Taxes.
    Tax,
    /// Corrections and adjustments.
    Adjustments,
    /// Usage without a quantity, so that price and volume cannot be told apart.
    Unmetered,
}

impl Effect {
    /// Every effect, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::Volume,
        Self::Mix,
        Self::Price,
        Self::Commitment,
        Self::New,
        Self::Vanished,
        Self::Purchases,
        Self::Credits,
        Self::Tax,
        Self::Adjustments,
        Self::Unmetered,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Mix => "mix",
            Self::Price => "price",
            Self::Commitment => "commitment",
            Self::New => "new",
            Self::Vanished => "vanished",
            Self::Purchases => "purchases",
            Self::Credits => "credits",
            Self::Tax => "tax",
            Self::Adjustments => "adjustments",
            Self::Unmetered => "unmetered",
        }
    }
}

/// FOCUS' charge category, as far as effects go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Use.
    Usage,
    /// A purchase of a commitment.
    Commitment,
    /// Another purchase.
    Purchase,
    /// A tax.
    Tax,
    /// A credit.
    Credit,
    /// An adjustment, and whatever FOCUS does not know.
    Adjustment,
}

impl Category {
    /// Of a `charge_category`, and whether the charge belongs to a commitment.
    pub fn of(text: &str, committed: bool) -> Self {
        match text {
            "Usage" => Self::Usage,
            "Purchase" if committed => Self::Commitment,
            "Purchase" => Self::Purchase,
            "Tax" => Self::Tax,
            "Credit" => Self::Credit,
            _ => Self::Adjustment,
        }
    }

    /// The effect of what is no usage.
    fn effect(self) -> Option<Effect> {
        match self {
            Self::Usage => None,
            Self::Commitment => Some(Effect::Commitment),
            Self::Purchase => Some(Effect::Purchases),
            Self::Tax => Some(Effect::Tax),
            Self::Credit => Some(Effect::Credits),
            Self::Adjustment => Some(Effect::Adjustments),
        }
    }
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// The currency of its costs.
    pub currency: String,
    /// What kind of charge.
    pub category: Category,
    /// What can replace it: the service.
    pub group: String,
    /// The unit of its quantity.
    pub unit: String,
    /// What was bought.
    pub item: String,
    /// Where.
    pub region: String,
    /// By whom.
    pub account: String,
}

/// What an item cost in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemCost {
    /// How much was used, if that is known.
    pub quantity: Option<Amount>,
    /// The cost before commitments.
    pub contracted: Amount,
    /// The cost that is explained.
    pub cost: Amount,
}

/// The change of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemChange {
    /// Which.
    pub key: ItemKey,
    /// Before, if there was any.
    pub before: Option<ItemCost>,
    /// After, if there is any.
    pub after: Option<ItemCost>,
    /// The effects that are not zero; their sum is `change`.
    pub effects: BTreeMap<Effect, Amount>,
    /// Cost after less cost before.
    pub change: Amount,
}

/// The change of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variance {
    /// Which currency.
    pub currency: String,
    /// The cost before.
    pub before: Amount,
    /// The cost after.
    pub after: Amount,
    /// Every effect that is not zero; their sum is `after` less `before`.
    pub effects: BTreeMap<Effect, Amount>,
    /// The items, the largest change first.
    pub items: Vec<ItemChange>,
}

/// A sum left 38 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sum of costs has more than 38 digits")]
pub struct Overflow;

/// Explains the change from one period to another, per currency. Lines of the same key are added up.
pub fn explain(
    before: impl IntoIterator<Item = (ItemKey, ItemCost)>,
    after: impl IntoIterator<Item = (ItemKey, ItemCost)>,
) -> Result<Vec<Variance>, Overflow> {
    let mut items: BTreeMap<ItemKey, [Option<ItemCost>; 2]> = BTreeMap::new();
    let lines = before.into_iter().map(|line| (0, line)).chain(after.into_iter().map(|line| (1, line)));
    for (which, (key, cost)) in lines {
        let slot = &mut items.entry(key).or_default()[which];
        *slot = Some(match *slot {
            None => cost,
            Some(sum) => add(sum, cost)?,
        });
    }
    // What groups bought of the items that both periods have.
    let mut groups: BTreeMap<(String, String, String), [i128; 2]> = BTreeMap::new();
    for (key, [before, after]) in &items {
        let Some([q0, q1]) = metered(key, before, after) else { continue };
        let sums = groups.entry(group_of(key)).or_default();
        sums[0] = sums[0].checked_add(q0).ok_or(Overflow)?;
        sums[1] = sums[1].checked_add(q1).ok_or(Overflow)?;
    }
    let mut found: BTreeMap<String, Variance> = BTreeMap::new();
    for (key, [before, after]) in items {
        let group = groups.get(&group_of(&key)).copied().unwrap_or_default();
        let item = explain_item(key, before, after, group)?;
        let variance = found.entry(item.key.currency.clone()).or_insert_with(|| Variance {
            currency: item.key.currency.clone(),
            before: Amount::ZERO,
            after: Amount::ZERO,
            effects: BTreeMap::new(),
            items: Vec::new(),
        });
        let cost = |c: Option<ItemCost>| c.map_or(Amount::ZERO, |c| c.cost);
        variance.before = variance.before.checked_add(cost(item.before)).ok_or(Overflow)?;
        variance.after = variance.after.checked_add(cost(item.after)).ok_or(Overflow)?;
        for (effect, amount) in &item.effects {
            let sum = variance.effects.entry(*effect).or_default();
            *sum = sum.checked_add(*amount).ok_or(Overflow)?;
        }
        variance.items.push(item);
    }
    let mut all: Vec<Variance> = found.into_values().collect();
    for variance in &mut all {
        variance.effects.retain(|_, amount| *amount != Amount::ZERO);
        variance
            .items
            .sort_by(|a, b| b.change.0.unsigned_abs().cmp(&a.change.0.unsigned_abs()).then_with(|| a.key.cmp(&b.key)));
    }
    Ok(all)
}

fn add(a: ItemCost, b: ItemCost) -> Result<ItemCost, Overflow> {
    let quantity = match (a.quantity, b.quantity) {
        (Some(a), Some(b)) => Some(a.checked_add(b).ok_or(Overflow)?),
        (a, b) => a.or(b),
    };
    Ok(ItemCost {
        quantity,
        contracted: a.contracted.checked_add(b.contracted).ok_or(Overflow)?,
        cost: a.cost.checked_add(b.cost).ok_or(Overflow)?,
    })
}

fn group_of(key: &ItemKey) -> (String, String, String) {
    (key.currency.clone(), key.group.clone(), key.unit.clone())
}

/// The quantities of usage that both periods have some of.
fn metered(key: &ItemKey, before: &Option<ItemCost>, after: &Option<ItemCost>) -> Option<[i128; 2]> {
    let quantity = |c: &Option<ItemCost>| c.and_then(|c| c.quantity).map(|q| q.0).filter(|q| *q > 0);
    (key.category == Category::Usage).then_some(())?;
    Some([quantity(before)?, quantity(after)?])
}

fn explain_item(
    key: ItemKey,
    before: Option<ItemCost>,
    after: Option<ItemCost>,
    group: [i128; 2],
) -> Result<ItemChange, Overflow> {
    let (zero, one) = (before.unwrap_or_default(), after.unwrap_or_default());
    let change = less(one.cost, zero.cost)?;
    let mut effects = BTreeMap::new();
    let alone = match (key.category.effect(), before, after) {
        (Some(effect), ..) => Some(effect),
        (None, None, _) => Some(Effect::New),
        (None, _, None) => Some(Effect::Vanished),
        _ => None,
    };
    match (alone, metered(&key, &before, &after)) {
        (Some(effect), _) => {
            effects.insert(effect, change);
        }
        (None, None) => {
            effects.insert(Effect::Unmetered, change);
        }
        (None, Some(quantities)) => {
            // A product that leaves 128 bits (a quantity next to nothing) tells price from volume no more.
            match split(zero, one, quantities, group) {
                Some(parts) => effects.extend(parts),
                None => {
                    effects.insert(Effect::Unmetered, change);
                }
            }
        }
    }
    effects.retain(|_, amount| *amount != Amount::ZERO);
    Ok(ItemChange { key, before, after, effects, change })
}

fn split(zero: ItemCost, one: ItemCost, [q0, q1]: [i128; 2], [all0, all1]: [i128; 2]) -> Option<[(Effect, Amount); 4]> {
    let as_group = mul_div(zero.cost.0, all1, all0)?;
    let as_item = mul_div(zero.cost.0, q1, q0)?;
    // Without a contracted cost there is no discount that could have moved.
    let as_priced =
        if zero.contracted.0 == 0 { one.cost.0 } else { mul_div(zero.cost.0, one.contracted.0, zero.contracted.0)? };
    let part = |to: i128, from: i128| less(Amount(to), Amount(from)).ok();
    Some([
        (Effect::Volume, part(as_group, zero.cost.0)?),
        (Effect::Mix, part(as_item, as_group)?),
        (Effect::Price, part(as_priced, as_item)?),
        (Effect::Commitment, part(one.cost.0, as_priced)?),
    ])
}

fn less(a: Amount, b: Amount) -> Result<Amount, Overflow> {
    b.0.checked_neg().and_then(|n| a.checked_add(Amount(n))).ok_or(Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap().0
    }

    fn key(category: Category, item: &str) -> ItemKey {
        let text = str::to_owned;
        ItemKey {
            currency: text("USD"),
            category,
            group: text("EC2"),
            unit: text("Hrs"),
            item: text(item),
            region: text("r"),
            account: text("a"),
        }
    }

    fn cost(quantity: &str, contracted: &str, cost: &str) -> ItemCost {
        let quantity = (!quantity.is_empty()).then(|| amount(quantity));
        ItemCost { quantity, contracted: amount(contracted), cost: amount(cost) }
    }

    type Line<'a> = (Category, &'a str, ItemCost);

    fn check(before: &[Line<'_>], after: &[Line<'_>], expected: &[(Effect, &str)]) {
        let lines = |of: &[Line<'_>]| of.iter().map(|(c, item, cost)| (key(*c, item), *cost)).collect::<Vec<_>>();
        let found = explain(lines(before), lines(after)).unwrap();
        let effects: Vec<_> = found[0].effects.iter().map(|(e, a)| (*e, a.to_string())).collect();
        let expected: Vec<_> = expected.iter().map(|(e, a)| (*e, (*a).to_owned())).collect();
        assert_eq!(effects, expected);
    }

    #[test]
    fn each_cause_is_called_by_its_name() {
        use Category::{Commitment, Credit, Purchase, Tax, Usage};
        // Twice the hours.
        check(
            &[(Usage, "m5", cost("10", "20", "20"))],
            &[(Usage, "m5", cost("20", "40", "40"))],
            &[(Effect::Volume, "20")],
        );
        // A higher price.
        check(
            &[(Usage, "m5", cost("10", "20", "20"))],
            &[(Usage, "m5", cost("10", "25", "25"))],
            &[(Effect::Price, "5")],
        );
        // Both: the price is paid for the new volume.
        check(
            &[(Usage, "m5", cost("10", "20", "20"))],
            &[(Usage, "m5", cost("20", "50", "50"))],
            &[(Effect::Volume, "20"), (Effect::Price, "10")],
        );
        // The same hours on machines twice as dear.
        check(
            &[(Usage, "m5", cost("10", "20", "20")), (Usage, "m5.2x", cost("10", "40", "40"))],
            &[(Usage, "m5", cost("5", "10", "10")), (Usage, "m5.2x", cost("15", "60", "60"))],
            &[(Effect::Mix, "10")],
        );
        // A savings plan takes a third off.
        check(
            &[(Usage, "m5", cost("10", "30", "30"))],
            &[(Usage, "m5", cost("10", "30", "20"))],
            &[(Effect::Commitment, "-10")],
        );
        // The rest stands apart.
        check(
            &[(Usage, "a", cost("1", "1", "1")), (Tax, "vat", cost("", "2", "2")), (Usage, "s", cost("", "3", "3"))],
            &[
                (Usage, "b", cost("1", "4", "4")),
                (Tax, "vat", cost("", "2.5", "2.5")),
                (Credit, "promo", cost("", "-7", "-7")),
                (Purchase, "support", cost("1", "9", "9")),
                (Commitment, "plan", cost("1", "0", "11")),
                (Usage, "s", cost("", "3.25", "3.25")),
            ],
            &[
                (Effect::Commitment, "11"),
                (Effect::New, "4"),
                (Effect::Vanished, "-1"),
                (Effect::Purchases, "9"),
                (Effect::Credits, "-7"),
                (Effect::Tax, "0.5"),
                (Effect::Unmetered, "0.25"),
            ],
        );
    }

    #[test]
    fn currencies_stay_apart() {
        let mut euro = key(Category::Usage, "m5");
        euro.currency = "EUR".to_owned();
        let dollar = key(Category::Usage, "m5");
        let found = explain([(dollar, cost("1", "1", "1"))], [(euro, cost("1", "2", "2"))]).unwrap();
        let shown: Vec<_> =
            found.iter().map(|v| (v.currency.as_str(), v.effects.keys().copied().collect::<Vec<_>>())).collect();
        assert_eq!(shown, [("EUR", vec![Effect::New]), ("USD", vec![Effect::Vanished])]);
    }

    fn lines() -> impl Strategy<Value = Vec<(ItemKey, ItemCost)>> {
        let category = prop_oneof![
            6 => Just(Category::Usage), 1 => Just(Category::Commitment), 1 => Just(Category::Purchase),
            1 => Just(Category::Tax), 1 => Just(Category::Credit), 1 => Just(Category::Adjustment),
        ];
        let digits = -10_i128.pow(30)..10_i128.pow(30);
        let quantity = prop_oneof![Just(None), (-5_i128..5).prop_map(Some), (0..10_i128.pow(32)).prop_map(Some)];
        let line = (category, 0..3_u8, 0..3_u8, 0..2_u8, quantity, digits.clone(), digits);
        let line = line.prop_map(|(category, group, item, currency, quantity, contracted, cost)| {
            let mut key = key(category, &format!("i{item}"));
            key.group = format!("g{group}");
            key.currency = ["USD", "EUR"][usize::from(currency)].to_owned();
            (key, ItemCost { quantity: quantity.map(Amount), contracted: Amount(contracted), cost: Amount(cost) })
        });
        proptest::collection::vec(line, 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn effects_add_up_to_the_change(before in lines(), after in lines()) {
            let total = |of: &[(ItemKey, ItemCost)], currency: &str| -> i128 {
                of.iter().filter(|(k, _)| k.currency == currency).map(|(_, c)| c.cost.0).sum()
            };
            for variance in explain(before.clone(), after.clone()).unwrap() {
                let change = total(&after, &variance.currency) - total(&before, &variance.currency);
                prop_assert_eq!(variance.effects.values().map(|a| a.0).sum::<i128>(), change);
                prop_assert_eq!(variance.after.0 - variance.before.0, change);
                for item in &variance.items {
                    prop_assert_eq!(item.effects.values().map(|a| a.0).sum::<i128>(), item.change.0);
                }
            }
        }
    }
}
