//! Rules as sentences, and what to do about a violation.

use crate::rule::{Cells, Check, Header, Keys, Keyword, Rule, Sum, When};

impl Rule {
    /// The rule as one sentence of ours, without its keyword's weight: `BilledCost is 0 where ...`.
    pub fn sentence(&self) -> String {
        let (check, when) = (demand(self), condition(&self.when));
        if when.is_empty() { check } else { format!("{check} where {when}") }
    }

    /// What to do about a violation.
    pub fn hint(&self) -> &'static str {
        match self.check {
            Check::Present(_) => "add the column; where it has no value, leave it empty",
            Check::Null(_) => "leave the cell empty on these rows",
            Check::NotNull(_) => "give a value on these rows",
            Check::Time(_) | Check::PlainTime(_) => "write instants in UTC as 2024-09-01T00:00:00Z",
            Check::Number(_) | Check::PlainNumber(_) => "write plain numbers such as -1234.5 or 1.5E-7",
            Check::Currency(_) | Check::NationalCurrency(_) => "use the three letters of ISO 4217",
            Check::Unit(_) => "write units such as Hours, GB-Hours, GB/Hour or 1000 Requests",
            Check::KeyValue(_) | Check::Json(_) => r#"write a JSON object such as {"key": "value"}"#,
            Check::OneOf(..) | Check::Child(..) | Check::ChildOf(..) => "use a value of FOCUS' list, in its spelling",
            Check::Product(..) | Check::Products => "the price, the quantity or the cost is rounded or of another unit",
            Check::OnePer(..) | Check::Sum(_) => "compare the rows of this key",
            Check::Before(..) | Check::Exclusive(_) => "an end is the first instant after the period",
            Check::Cells(Cells::NullSpelt | Cells::NullPlaceholder | Cells::TextBlank) => "leave the cell empty",
            Check::Header(Header::CustomPrefix) => "begin the names of own columns with x_",
            _ if self.id == "BilledCost-C-005-C" => "if both names mean one company, the row is sound",
            _ => "",
        }
    }
}

fn demand(rule: &Rule) -> String {
    let may = if rule.keyword == Keyword::May { "may be" } else { "is" };
    match rule.check {
        Check::Present(c) => format!("there {may} a column {}", c.name()),
        Check::All(_) => format!("{} of its rules hold", rule.parts().len()),
        Check::Null(c) => format!("{} {may} null", c.name()),
        Check::NotNull(c) => format!("{} is not null", c.name()),
        Check::Text(c) => format!("{} is of type string", c.name()),
        Check::Number(c) => format!("{} is of type decimal", c.name()),
        Check::Time(c) => format!("{} is of type date/time", c.name()),
        Check::PlainText(c) => format!("{} is in the string format", c.name()),
        Check::PlainNumber(c) => format!("{} is in the numeric format", c.name()),
        Check::PlainTime(c) => format!("{} is in the date/time format", c.name()),
        Check::Currency(c) => format!("{} is in the currency format", c.name()),
        Check::Unit(c) => format!("{} is in the unit format", c.name()),
        Check::KeyValue(c) => format!("{} is in the key-value format", c.name()),
        Check::Json(c) => format!("{} is JSON", c.name()),
        Check::NationalCurrency(c) => format!("{} is a currency of ISO 4217", c.name()),
        Check::Is(c, value) => format!("{} is \"{value}\"", c.name()),
        Check::IsNot(c, value) => format!("{} is not \"{value}\"", c.name()),
        Check::OneOf(c, values) if values.len() <= 6 => format!("{} is one of {}", c.name(), values.join(", ")),
        Check::OneOf(c, values) => format!("{} is one of the {} of FOCUS' list", c.name(), values.len()),
        Check::Child(c, tree) => {
            let values: usize = tree.iter().map(|(_, children)| children.len()).sum();
            format!("{} is one of the {values} of FOCUS' list", c.name())
        }
        Check::ChildOf(c, parent, _) => format!("{} belongs to its {}", c.name(), parent.name()),
        Check::Zero(c) => format!("{} is 0", c.name()),
        Check::NotNegative(c) => format!("{} is not negative", c.name()),
        Check::Same(a, b) if rule.keyword == Keyword::May => format!("{} may equal {}", a.name(), b.name()),
        Check::Same(a, b) | Check::SameNumber(a, b) => format!("{} equals {}", a.name(), b.name()),
        Check::Differ(a, b) => format!("{} differs from {}", a.name(), b.name()),
        Check::Product(price, cost) => format!("{} x PricingQuantity = {}", price.name(), cost.name()),
        Check::Products => "each unit price x PricingQuantity = its cost".to_owned(),
        Check::Before(a, b) => format!("{} is before {}", a.name(), b.name()),
        Check::Exclusive(c) => format!("{} is the first instant after its period, not its last second", c.name()),
        Check::OnePer(of, per) => format!("each {} has one {}", per.name(), of.name()),
        Check::Sum(sum) => match sum {
            Sum::UsageIsPurchase => {
                "per commitment discount, EffectiveCost of usage sums to BilledCost of its purchases"
            }
            Sum::UsageIsUsedAndUnused => {
                "per commitment discount, EffectiveCost of usage sums to that of used and unused"
            }
            Sum::CoveredIsPurchase => {
                "per commitment discount, EffectiveCost of used and unused sums to BilledCost of its purchases"
            }
            Sum::EffectiveIsBilled => {
                "per commitment discount with purchases and usage, EffectiveCost sums to BilledCost"
            }
        }
        .to_owned(),
        Check::Cells(detail) => cells(detail).to_owned(),
        Check::Keys(c, keys) => {
            let says = match keys {
                Keys::Pascal => "are in Pascal case",
                Keys::Prefixed => "begin with x_ unless FOCUS defines them",
                Keys::Spelling => "are spelt as FOCUS defines them",
                Keys::Types => "have values of the type that FOCUS defines",
                Keys::Valued => "have a value that is not null",
            };
            format!("keys of {} {says}", c.name())
        }
        Check::Header(detail) => match detail {
            Header::Pascal => "names of FOCUS' columns are in Pascal case",
            Header::Alphanumeric => "names of columns are letters and digits",
            Header::Length => "names of columns have at most 50 characters",
            Header::CustomPrefix => "names of custom columns begin with x_",
            Header::CustomName => "names of custom columns are in Pascal case after x_",
            Header::FocusFirst => "FOCUS' columns come first",
            Header::CustomLast => "custom columns come after FOCUS' columns",
        }
        .to_owned(),
        Check::Itself(c) => format!("{} has a value exactly where the charge has one", c.name()),
        Check::Allowed(text) | Check::Unknown(_, text) => text.to_owned(),
    }
}

fn cells(detail: Cells) -> &'static str {
    match detail {
        Cells::TimeUtc => "instants are in UTC",
        Cells::TimeIso => "instants are ISO 8601",
        Cells::TimeLetter => "date and time are parted by T",
        Cells::TimeDigits => "hours, minutes and seconds have two digits each",
        Cells::TimeZulu => "instants end with Z",
        Cells::NumberSingle => "a number is one number",
        Cells::NumberKnown => "a number is an integer, a decimal or in E notation",
        Cells::NumberFraction => "numbers are not fractions",
        Cells::NumberExponent => "scientific notation is mEn",
        Cells::NumberExponentSign => "exponents have no plus sign",
        Cells::NumberOperator => "numbers have no operators",
        Cells::NumberWord => "numbers have no currency signs, units or words",
        Cells::NumberPunctuation => "numbers have no punctuation but one decimal point",
        Cells::NumberPlus => "numbers have no plus sign",
        Cells::NumberMinus => "a negative number begins with a minus sign",
        Cells::CurrencyCode => "national currencies are three capital letters",
        Cells::CurrencyVirtual => "virtual currencies are plain text",
        Cells::TextUnicode => "text is valid Unicode",
        Cells::TextBlank => "text that is owed is not blank",
        Cells::UnitForm => "units are in one of FOCUS' forms",
        Cells::UnitWhole => "numbers of units are whole",
        Cells::UnitCase => "units of FOCUS' list are in its spelling",
        Cells::KeyValueObject => "key-value text is a JSON object",
        Cells::KeyValueUnique => "no key is there twice",
        Cells::KeyValueScalar => "values of keys are numbers, strings, true, false or null",
        Cells::KeyValueFlat => "values of keys are not objects or arrays",
        Cells::NullSpelt => "null is null, not a word for it",
        Cells::NullPlaceholder => "nothing stands in for a missing value",
    }
}

/// A condition in words; empty for all rows.
fn condition(when: &When) -> String {
    match when {
        When::Always => String::new(),
        When::No(c) => format!("{} is null", c.name()),
        When::Has(c) => format!("{} is not null", c.name()),
        When::Is(c, value) => format!("{} is \"{value}\"", c.name()),
        When::IsNot(c, value) => format!("{} is not \"{value}\"", c.name()),
        When::Differ(a, b) => format!("{} differs from {}", a.name(), b.name()),
        When::All(of) => joined(of, " and "),
        When::Any(of) => joined(of, " or "),
    }
}

fn joined(of: &[When], word: &str) -> String {
    let part = |w: &When| match w {
        When::All(_) | When::Any(_) => format!("({})", condition(w)),
        _ => condition(w),
    };
    of.iter().map(part).collect::<Vec<_>>().join(word)
}
