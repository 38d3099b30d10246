//! What a rule is: an id, how strongly it is meant, which rows it concerns, and what it demands of them.

use crate::column::Column;
use crate::criterion::Criterion;

/// One rule of the requirement model, or of our own reading of a later version.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The model's id, e.g. `BilledCost-C-005-C`; the letter `G` instead of `C`, `D` or `A` marks a rule of our own.
    pub id: &'static str,
    /// How strongly it is meant.
    pub keyword: Keyword,
    /// Whether the model gives it an executable check.
    pub kind: RuleKind,
    /// What it demands.
    pub check: Check,
    /// Of which rows.
    pub when: When,
    /// What the provider must support for the rule to hold: all of them.
    pub needs: &'static [Criterion],
    /// What is wrong with the published check, and what Grid does instead.
    pub defect: Option<&'static str>,
    /// Why the check is a part of what the rule demands only.
    pub partly: Option<&'static str>,
}

/// How strongly a rule is meant (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keyword {
    /// It is a permission: nothing violates it.
    May,
    /// Advice.
    Recommended,
    /// Advice.
    Should,
    /// Advice against.
    ShouldNot,
    /// A duty.
    Must,
    /// A prohibition.
    MustNot,
}

impl Keyword {
    /// `MUST NOT`.
    pub fn name(self) -> &'static str {
        match self {
            Self::May => "MAY",
            Self::Recommended => "RECOMMENDED",
            Self::Should => "SHOULD",
            Self::ShouldNot => "SHOULD NOT",
            Self::Must => "MUST",
            Self::MustNot => "MUST NOT",
        }
    }

    /// Whether a file that breaks such a rule does not conform.
    pub fn binds(self) -> bool {
        matches!(self, Self::Must | Self::MustNot)
    }
}

/// Whether the model gives a rule an executable check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// It does.
    Static,
    /// It has words only; what of them a bill can show, Grid computes.
    Dynamic,
}

impl RuleKind {
    /// `static`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Dynamic => "dynamic",
        }
    }
}

/// Which rows a rule concerns. Null is no value, hence not the value of an `IsNot`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// All.
    Always,
    /// Rows without a value in the column.
    No(Column),
    /// Rows with one.
    Has(Column),
    /// Rows with this value.
    Is(Column, &'static str),
    /// Rows with another value, or none.
    IsNot(Column, &'static str),
    /// Rows with two different values.
    Differ(Column, Column),
    /// Rows of all of these.
    All(&'static [When]),
    /// Rows of any of these.
    Any(&'static [When]),
}

/// What a rule demands. A null cell satisfies everything that is not about null.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Check {
    /// The header has the column.
    Present(Column),
    /// All of these rules hold; suffixes of this rule's own id (`001-M`) or whole ids, between blanks.
    All(&'static str),
    /// No value.
    Null(Column),
    /// A value.
    NotNull(Column),
    /// Type: a string.
    Text(Column),
    /// Type: a decimal.
    Number(Column),
    /// Type: an instant.
    Time(Column),
    /// Format: a string.
    PlainText(Column),
    /// Format: a number.
    PlainNumber(Column),
    /// Format: an instant, `2024-09-01T00:00:00Z`.
    PlainTime(Column),
    /// Format: a currency.
    Currency(Column),
    /// Format: a unit.
    Unit(Column),
    /// Format: an object of scalars.
    KeyValue(Column),
    /// Format: any JSON.
    Json(Column),
    /// A code of ISO 4217.
    NationalCurrency(Column),
    /// This value.
    Is(Column, &'static str),
    /// Another value than this.
    IsNot(Column, &'static str),
    /// One of these values.
    OneOf(Column, &'static [&'static str]),
    /// One of the values of any parent.
    Child(Column, Tree),
    /// A value that belongs to the parent's.
    ChildOf(Column, Column, Tree),
    /// The number 0.
    Zero(Column),
    /// No number below 0.
    NotNegative(Column),
    /// Two columns with the same text.
    Same(Column, Column),
    /// Two columns with different texts.
    Differ(Column, Column),
    /// Two columns with the same number.
    SameNumber(Column, Column),
    /// `price x PricingQuantity = cost`, exactly.
    Product(Column, Column),
    /// Both products.
    Products,
    /// The first instant is before the second.
    Before(Column, Column),
    /// An instant that is the first outside its period: no last second of a day.
    Exclusive(Column),
    /// Across rows: one value of the first column for each value of the second.
    OnePer(Column, Column),
    /// Across rows: sums that must agree.
    Sum(Sum),
    /// Every cell of a format or kind keeps a detail of it.
    Cells(Cells),
    /// The property names of a JSON column keep a detail.
    Keys(Column, Keys),
    /// The names of the columns keep a detail.
    Header(Header),
    /// What the rule distinguishes shows in this very column alone, so no row can violate it.
    Itself(Column),
    /// A permission of the model's words.
    Allowed(&'static str),
    /// Not computable from a bill: why, and the rule in our words.
    Unknown(Reason, &'static str),
}

/// Parents with their children.
pub type Tree = &'static [(&'static str, &'static [&'static str])];

/// Sums across rows, per commitment discount and currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sum {
    /// `EffectiveCost` of usage = `BilledCost` of purchases.
    UsageIsPurchase,
    /// `EffectiveCost` of usage = that of used + that of unused.
    UsageIsUsedAndUnused,
    /// `EffectiveCost` of used and unused = `BilledCost` of purchases.
    CoveredIsPurchase,
    /// `EffectiveCost` of all rows of the file = their `BilledCost`, where it holds purchases and what they cover (FOCUS 1.4).
    EffectiveIsBilled,
}

/// A detail that cells of one kind keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cells {
    /// Instants are in UTC.
    TimeUtc,
    /// Instants are ISO 8601.
    TimeIso,
    /// Date and time are parted by `T`.
    TimeLetter,
    /// Hours, minutes and seconds have two digits.
    TimeDigits,
    /// Instants end with `Z`.
    TimeZulu,
    /// A number is one number.
    NumberSingle,
    /// A number is an integer, a decimal or in E notation.
    NumberKnown,
    /// No fractions.
    NumberFraction,
    /// Scientific notation is `mEn`.
    NumberExponent,
    /// No plus sign in an exponent.
    NumberExponentSign,
    /// No operators.
    NumberOperator,
    /// No currency signs, units or other words.
    NumberWord,
    /// No commas or other punctuation.
    NumberPunctuation,
    /// No plus sign.
    NumberPlus,
    /// A minus sign means negative, nothing else does.
    NumberMinus,
    /// Three capital letters.
    CurrencyCode,
    /// A virtual currency is plain text.
    CurrencyVirtual,
    /// Valid Unicode.
    TextUnicode,
    /// No blank text where a value is due.
    TextBlank,
    /// One unit in one of the forms.
    UnitForm,
    /// Whole numbers of units.
    UnitWhole,
    /// Listed units as they are listed.
    UnitCase,
    /// A JSON object.
    KeyValueObject,
    /// No key twice.
    KeyValueUnique,
    /// Scalar values.
    KeyValueScalar,
    /// No objects or arrays.
    KeyValueFlat,
    /// Null is null, not a word for it.
    NullSpelt,
    /// No stand-ins for a missing value.
    NullPlaceholder,
}

/// A detail that property names of a JSON column keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keys {
    /// Pascal case.
    Pascal,
    /// `x_` unless FOCUS defines the property.
    Prefixed,
    /// FOCUS' properties in FOCUS' spelling.
    Spelling,
    /// FOCUS' properties with a value of their type.
    Types,
    /// Keys have a value that is not null.
    Valued,
}

/// A detail that column names keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Header {
    /// Pascal case.
    Pascal,
    /// Letters and digits.
    Alphanumeric,
    /// At most 50 characters.
    Length,
    /// Custom columns begin with `x_`.
    CustomPrefix,
    /// Custom columns are named like FOCUS' after that.
    CustomName,
    /// FOCUS' columns come first.
    FocusFirst,
    /// Custom columns come after all of FOCUS'.
    CustomLast,
}

/// Why a rule cannot be computed from a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It compares with the provider's price list.
    PriceList,
    /// It compares with the invoice.
    Invoice,
    /// It compares with the provider's published documents.
    Documents,
    /// It compares with earlier or later bills.
    History,
    /// It compares with what the provider or its user entered.
    Origin,
    /// It depends on what the charge is for, which only the provider knows.
    Intent,
    /// A number does not show its currency.
    Denomination,
    /// The bill does not say which charges a charge was calculated from.
    Relation,
    /// It compares with metered usage or the terms of a contract.
    Contract,
    /// It asks for a judgement of words.
    Judgement,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::PriceList,
        Self::Invoice,
        Self::Documents,
        Self::History,
        Self::Origin,
        Self::Intent,
        Self::Denomination,
        Self::Relation,
        Self::Contract,
        Self::Judgement,
    ];

    /// As a sentence.
    pub fn says(self) -> &'static str {
        match self {
            Self::PriceList => "compares with the provider's price list",
            Self::Invoice => "compares with the invoice",
            Self::Documents => "compares with the provider's published documents",
            Self::History => "compares with bills of other times",
            Self::Origin => "compares with what the provider or its user entered",
            Self::Intent => "depends on what the charge is for, which only the provider knows",
            Self::Denomination => "a number does not show its currency",
            Self::Relation => "the bill does not say which charges this one was calculated from",
            Self::Contract => "compares with metered usage or the terms of a contract",
            Self::Judgement => "asks for a judgement of words",
        }
    }
}

impl Rule {
    /// A rule with an executable check of the model.
    pub(crate) const fn new(id: &'static str, keyword: Keyword, check: Check) -> Self {
        let kind = RuleKind::Static;
        Self { id, keyword, kind, check, when: When::Always, needs: &[], defect: None, partly: None }
    }

    /// Of these rows only.
    pub(crate) const fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    /// If the provider supports all of these.
    pub(crate) const fn needs(self, needs: &'static [Criterion]) -> Self {
        Self { needs, ..self }
    }

    /// The published check is wrong.
    pub(crate) const fn defect(self, defect: &'static str) -> Self {
        Self { defect: Some(defect), ..self }
    }

    /// The model has words only.
    pub(crate) const fn dynamic(self) -> Self {
        Self { kind: RuleKind::Dynamic, ..self }
    }

    /// The check is necessary, not sufficient.
    pub(crate) const fn partly(self, partly: &'static str) -> Self {
        Self { partly: Some(partly), ..self }
    }

    /// What the rule is about: `BilledCost` of `BilledCost-C-005-C`.
    pub fn subject(&self) -> &'static str {
        self.id.split_once('-').map_or(self.id, |(subject, _)| subject)
    }

    /// The rules of which it is made, by id. Empty for one that is checked itself.
    pub fn parts(&self) -> Vec<String> {
        let Check::All(parts) = self.check else { return Vec::new() };
        let own = self.id.get(..self.id.len() - "000-M".len()).unwrap_or_default();
        let whole = |part: &str| if part.matches('-').count() > 1 { part.to_owned() } else { format!("{own}{part}") };
        parts.split_whitespace().map(whole).collect()
    }

    /// Whether Grid computes it: everything but words that no bill can show.
    pub fn is_computed(&self) -> bool {
        !matches!(self.check, Check::Unknown(..))
    }
}

impl Check {
    /// The columns that it looks at in a row.
    pub fn columns(&self) -> Vec<Column> {
        match *self {
            Self::Null(c)
            | Self::NotNull(c)
            | Self::Text(c)
            | Self::Number(c)
            | Self::Time(c)
            | Self::PlainText(c)
            | Self::PlainNumber(c)
            | Self::PlainTime(c)
            | Self::Currency(c)
            | Self::Unit(c)
            | Self::KeyValue(c)
            | Self::Json(c)
            | Self::NationalCurrency(c)
            | Self::Is(c, _)
            | Self::IsNot(c, _)
            | Self::OneOf(c, _)
            | Self::Child(c, _)
            | Self::Zero(c)
            | Self::NotNegative(c)
            | Self::Exclusive(c)
            | Self::Keys(c, _)
            | Self::Itself(c) => vec![c],
            Self::ChildOf(a, b, _)
            | Self::Same(a, b)
            | Self::Differ(a, b)
            | Self::SameNumber(a, b)
            | Self::Before(a, b)
            | Self::OnePer(a, b) => vec![a, b],
            Self::Product(price, cost) => vec![price, Column::PricingQuantity, cost],
            Self::Products => vec![Column::PricingQuantity],
            Self::Sum(Sum::EffectiveIsBilled) => vec![Column::EffectiveCost, Column::BilledCost],
            Self::Sum(_) => vec![
                Column::CommitmentDiscountId,
                Column::ChargeCategory,
                Column::EffectiveCost,
                Column::BilledCost,
                Column::BillingCurrency,
            ],
            Self::Present(_)
            | Self::All(_)
            | Self::Cells(_)
            | Self::Header(_)
            | Self::Allowed(_)
            | Self::Unknown(..) => Vec::new(),
        }
    }
}

impl When {
    /// The columns that it looks at.
    pub fn columns(&self) -> Vec<Column> {
        match self {
            Self::Always => Vec::new(),
            Self::No(c) | Self::Has(c) | Self::Is(c, _) | Self::IsNot(c, _) => vec![*c],
            Self::Differ(a, b) => vec![*a, *b],
            Self::All(of) | Self::Any(of) => of.iter().flat_map(Self::columns).collect(),
        }
    }
}
