//! What a report shows, in order, apart from how it looks.

use std::collections::BTreeMap;

use grid_finance::exact::rounded_text;
use grid_model::Amount;

use crate::finance::report::CostReport;

/// A report to be written.
pub struct Document {
    /// Its heading.
    pub title: String,
    /// What it is about, as name and value.
    pub facts: Vec<(&'static str, String)>,
    /// Its tables.
    pub sections: Vec<Section>,
}

/// A table with its heading and the statements behind it.
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// A sentence below it.
    pub note: Option<String>,
    /// Names of the columns.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// The statements that give the numbers.
    pub sql: Vec<String>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A word.
    Word(String),
    /// Money: exact, as the report holds it; shown rounded.
    Money(Option<String>),
    /// A change of money: with its sign.
    Change(String),
    /// Percent, already text.
    Percent(Option<String>),
    /// The state of a budget.
    State(&'static str),
}

impl Cell {
    /// As it is shown.
    pub fn text(&self) -> String {
        match self {
            Self::Word(text) => text.clone(),
            Self::Money(None) | Self::Percent(None) => "-".to_owned(),
            Self::Money(Some(exact)) => money(exact),
            Self::Change(exact) => signed(exact),
            Self::Percent(Some(text)) => format!("{text}%"),
            Self::State(state) => state.replace('_', " "),
        }
    }

    /// Whether it stands on the right.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Money(_) | Self::Change(_) | Self::Percent(_))
    }

    /// What is behind a rounded value.
    pub fn exact(&self) -> Option<&str> {
        match self {
            Self::Money(Some(exact)) | Self::Change(exact) => Some(exact),
            _ => None,
        }
    }
}

fn word(text: impl Into<String>) -> Cell {
    Cell::Word(text.into())
}

fn cash(text: &str) -> Cell {
    Cell::Money(Some(text.to_owned()))
}

/// An exact amount with two decimals and thousands apart; one that would show as nothing with as many as it takes, at most six.
pub fn money(exact: &str) -> String {
    let Ok((amount, _)) = Amount::parse(exact) else { return exact.to_owned() };
    let cent = 10_i128.pow(16);
    let decimals = if amount.0 != 0 && amount.0.abs() < cent { 6 } else { 2 };
    let text = rounded_text(amount, decimals);
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |t| ("-", t));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{fraction}")
}

/// The same with a plus where it is one.
pub fn signed(exact: &str) -> String {
    let text = money(exact);
    let is_zero = !text.contains(|c: char| ('1'..='9').contains(&c));
    if is_zero || text.starts_with('-') { text } else { format!("+{text}") }
}

/// What a report shows.
pub fn of(report: &CostReport) -> Document {
    let mut sections = vec![totals(report), groups(report)];
    sections.extend([variance(report), movers(report), contributions(report), month_end(report)].into_iter().flatten());
    sections.extend([budgets(report), commitments(report), unallocated(report)].into_iter().flatten());
    let range = |r: &crate::finance::DayRange| format!("{} to {} (not included)", r.from, r.to);
    let is_empty = !report.totals.is_empty() && report.totals.iter().all(|t| t.before == "0");
    let mut facts = vec![
        ("period", range(&report.period)),
        (
            "compared with",
            format!("{}{}", range(&report.before), if is_empty { ", when nothing was billed" } else { "" }),
        ),
        ("cost", report.cost.to_owned()),
    ];
    facts.extend(report.filter.iter().map(|f| ("filter", f.clone())));
    facts.extend(report.as_of.iter().map(|t| ("bills as of", t.clone())));
    facts.extend(report.billed_to.iter().map(|b| ("billed up to", b.clone())));
    facts.push(("made", report.made.clone()));
    Document { title: format!("Costs of {}", report.tenant), facts, sections }
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn totals(report: &CostReport) -> Section {
    let row = |t: &crate::finance::report::Total| {
        vec![
            word(&t.currency),
            cash(&t.cost),
            cash(&t.before),
            Cell::Change(t.change.clone()),
            Cell::Percent(t.change_percent.clone()),
            cash(&t.billed),
            cash(&t.list),
        ]
    };
    let note = report.totals.is_empty().then(|| "There are no charges in either period.".to_owned());
    Section {
        title: "Total",
        note,
        head: heads(&["currency", "cost", "before", "change", "%", "billed", "list"]),
        rows: report.totals.iter().map(row).collect(),
        sql: vec![report.totals_sql.clone()],
    }
}

fn groups(report: &CostReport) -> Section {
    let mut head = heads(&["currency"]);
    head.extend(report.by.iter().cloned());
    head.extend(heads(&["cost", "share", "before", "change", "%"]));
    let row = |g: &crate::finance::report::GroupItem| {
        let mut row = vec![word(&g.currency)];
        let value = |name: &String| g.group.get(name).cloned().flatten().unwrap_or_else(|| "(none)".to_owned());
        row.extend(report.by.iter().map(value).map(word));
        row.extend([
            cash(&g.cost),
            Cell::Percent(g.share_percent.clone()),
            cash(&g.before),
            Cell::Change(g.change.clone()),
            Cell::Percent(g.change_percent.clone()),
        ]);
        row
    };
    let rows = report.groups.iter().map(row).collect();
    Section { title: "Where it goes", note: None, head, rows, sql: vec![report.groups_sql.clone()] }
}

fn variance(report: &CostReport) -> Option<Section> {
    let mut rows = Vec::new();
    for variance in &report.variance {
        for (effect, change) in &variance.effects {
            rows.push(vec![
                word(&variance.currency),
                word(*effect),
                word(meaning(effect)),
                Cell::Change(change.clone()),
            ]);
        }
        rows.push(vec![
            word(&variance.currency),
            word("sum"),
            word("the whole change"),
            Cell::Change(variance.change.clone()),
        ]);
    }
    (!rows.is_empty()).then(|| Section {
        title: "Why it changed",
        note: Some("The effects add up to the change exactly.".to_owned()),
        head: heads(&["currency", "effect", "meaning", "change"]),
        rows,
        sql: report.variance_sql.clone(),
    })
}

fn meaning(effect: &str) -> &'static str {
    match effect {
        "volume" => "more or less was used",
        "mix" => "dearer or cheaper items instead of others",
        "price" => "prices per unit moved",
        "commitment" => "commitments covered more or less, or idled",
        "new" => "items that were not there before",
        "vanished" => "items that are gone",
        "purchases" => "purchases other than commitments",
        "credits" => "credits",
        "tax" => "taxes",
        "adjustments" => "corrections and adjustments",
        _ => "usage without a quantity",
    }
}

fn movers(report: &CostReport) -> Option<Section> {
    let row = |m: &crate::finance::variance::Mover| {
        vec![
            word(&m.currency),
            word(&m.service),
            word(&m.item),
            word(&m.region),
            word(&m.account),
            cash(&m.before),
            cash(&m.cost),
            Cell::Change(m.change.clone()),
            word(m.effect),
        ]
    };
    (!report.movers.is_empty()).then(|| Section {
        title: "What moved most",
        note: None,
        head: heads(&["currency", "service", "item", "region", "account", "before", "cost", "change", "mostly"]),
        rows: report.movers.iter().map(row).collect(),
        sql: report.variance_sql.clone(),
    })
}

fn contributions(report: &CostReport) -> Option<Section> {
    let row = |c: &crate::finance::variance::ContributionItem| {
        vec![
            word(&c.currency),
            word(&c.dimension),
            word(c.value.clone().unwrap_or_else(|| "(none)".to_owned())),
            cash(&c.before),
            cash(&c.cost),
            Cell::Change(c.change.clone()),
            Cell::Percent(c.share_percent.clone()),
        ]
    };
    (!report.contributions.is_empty()).then(|| Section {
        title: "Who explains it",
        note: Some("The dimensions whose shares moved most come first.".to_owned()),
        head: heads(&["currency", "dimension", "value", "before", "cost", "change", "of the change"]),
        rows: report.contributions.iter().map(row).collect(),
        sql: report.contributions_sql.clone(),
    })
}

fn month_end(report: &CostReport) -> Option<Section> {
    let row = |m: &crate::finance::report::MonthEnd| {
        let money = |text: &Option<String>| Cell::Money(text.clone());
        vec![
            word(&m.currency),
            word(m.period.from.get(..7).unwrap_or(&m.period.from)),
            cash(&m.actual),
            money(&m.total),
            money(&m.low),
            money(&m.high),
            word(format!("{} days", m.history_days)),
        ]
    };
    (!report.forecast.is_empty()).then(|| Section {
        title: "Where the month ends",
        note: Some("The bounds hold in four cases of five. A dash: history is too short to say.".to_owned()),
        head: heads(&["currency", "month", "so far", "forecast", "at least", "at most", "from"]),
        rows: report.forecast.iter().map(row).collect(),
        sql: vec![report.forecast_sql.clone()],
    })
}

fn budgets(report: &CostReport) -> Option<Section> {
    let row = |b: &crate::finance::budget::BudgetStatus| {
        vec![
            word(&b.name),
            Cell::State(b.state),
            word(&b.period),
            word(&b.currency),
            cash(&b.amount),
            cash(&b.spent),
            Cell::Percent(Some(b.spent_percent.clone())),
            Cell::Money(b.forecast.clone()),
            Cell::Percent(b.forecast_percent.clone()),
        ]
    };
    (!report.budgets.is_empty()).then(|| Section {
        title: "Budgets",
        note: None,
        head: heads(&["budget", "state", "period", "currency", "amount", "spent", "%", "forecast", "%"]),
        rows: report.budgets.iter().map(row).collect(),
        sql: report.budgets.iter().map(|b| b.sql.clone()).collect(),
    })
}

fn commitments(report: &CostReport) -> Option<Section> {
    let row = |c: &crate::finance::report::CommitmentItem| {
        vec![
            word(&c.currency),
            word(&c.commitment),
            cash(&c.used),
            cash(&c.unused),
            Cell::Percent(c.utilisation_percent.clone()),
            cash(&c.contracted),
        ]
    };
    (!report.commitments.is_empty()).then(|| Section {
        title: "Commitments",
        note: None,
        head: heads(&["currency", "commitment", "used", "unused", "used %", "without it"]),
        rows: report.commitments.iter().map(row).collect(),
        sql: vec![report.commitments_sql.clone()],
    })
}

fn unallocated(report: &CostReport) -> Option<Section> {
    let mut shown: BTreeMap<&str, bool> = BTreeMap::new();
    for u in &report.unallocated {
        *shown.entry(&u.dimension).or_default() |= u.cost != "0";
    }
    let rows =
        report.unallocated.iter().filter(|u| shown.get(u.dimension.as_str()) == Some(&true)).map(|u| {
            vec![word(&u.currency), word(&u.dimension), cash(&u.cost), Cell::Percent(u.share_percent.clone())]
        });
    let rows: Vec<Vec<Cell>> = rows.collect();
    (!rows.is_empty()).then(|| Section {
        title: "Without a value",
        note: Some("Cost that has none of the dimension: nobody's until somebody tags it.".to_owned()),
        head: heads(&["currency", "dimension", "cost", "share"]),
        rows,
        sql: vec![report.groups_sql.clone()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_for_people() {
        for (exact, shown, change) in [
            ("1234567.891", "1,234,567.89", "+1,234,567.89"),
            ("-1234.5", "-1,234.50", "-1,234.50"),
            ("0", "0.00", "0.00"),
            ("0.0004", "0.000400", "+0.000400"),
            ("0.000000004", "0.000000", "0.000000"),
            ("999.999", "1,000.00", "+1,000.00"),
            ("123", "123.00", "+123.00"),
        ] {
            assert_eq!((money(exact).as_str(), signed(exact).as_str()), (shown, change), "{exact}");
        }
    }
}
