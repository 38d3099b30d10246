//! Faults by name, for tests.

use crate::cell::{FORM, NATIONAL, TYPE, bit, key_bit};
use crate::rule::{Cells, Keys};

/// The names of faults, in a fixed order.
pub(crate) fn names(faults: u64) -> String {
    use Cells::*;
    let own = [(FORM, "FORM"), (TYPE, "TYPE"), (NATIONAL, "NATIONAL")].map(|(bit, name)| (bit, name.to_owned()));
    let cells = [
        TimeUtc,
        TimeIso,
        TimeLetter,
        TimeDigits,
        TimeZulu,
        NumberSingle,
        NumberKnown,
        NumberFraction,
        NumberExponent,
        NumberExponentSign,
        NumberOperator,
        NumberWord,
        NumberPunctuation,
        NumberPlus,
        NumberMinus,
        CurrencyCode,
        CurrencyVirtual,
        TextUnicode,
        TextBlank,
        UnitForm,
        UnitWhole,
        UnitCase,
        KeyValueObject,
        KeyValueUnique,
        KeyValueScalar,
        KeyValueFlat,
        NullSpelt,
        NullPlaceholder,
    ];
    let keys = [Keys::Pascal, Keys::Prefixed, Keys::Spelling, Keys::Types, Keys::Valued];
    let all = own
        .into_iter()
        .chain(cells.map(|c| (bit(c), format!("{c:?}"))))
        .chain(keys.map(|k| (key_bit(k), format!("Keys::{k:?}"))));
    all.filter(|(bit, _)| faults & bit != 0).map(|(_, name)| name).collect::<Vec<_>>().join(" ")
}
