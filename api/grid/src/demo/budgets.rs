//! The company's budgets: what its people would have written down before the story begins.

use grid_api::finance::budget::BudgetSetting;

/// Name, amount a month, currency, filter and purpose.
const BUDGETS: [(&str, &str, &str, Option<&str>, &str); 3] = [
    ("all-dollars", "9000", "USD", None, "AWS and Google Cloud together"),
    (
        "discovery",
        "1900",
        "USD",
        Some("tags['team'] = 'discovery'"),
        "search and recommendations; the second of them grew with its last deployment",
    ),
    ("reports", "2600", "EUR", None, "the reports on Azure"),
];

/// The budgets, as they are written by hand.
pub(crate) fn all() -> Vec<BudgetSetting> {
    let budget =
        |(name, amount, currency, filter, description): (&str, &str, &str, Option<&str>, &str)| BudgetSetting {
            name: name.to_owned(),
            amount: amount.to_owned(),
            currency: currency.to_owned(),
            filter: filter.map(str::to_owned),
            description: Some(description.to_owned()),
            ..BudgetSetting::default()
        };
    BUDGETS.into_iter().map(budget).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn budgets_are_sound() {
        for budget in super::all() {
            if let Err(e) = budget.check() {
                panic!("{e}");
            }
        }
    }
}
