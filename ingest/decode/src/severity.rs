//! Words for severities, as people and libraries write them, to OpenTelemetry's numbers (logs/data-model.md, "Mapping of
//! SeverityNumber", and its appendix for syslog).

/// The severity number of a word in any case; 0 if the word is not one.
pub fn number_of(word: &str) -> i32 {
    // The longest word below has 13 letters.
    let mut lower = [0u8; 16];
    let Some(lower) = lower.get_mut(..word.len()) else { return 0 };
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"trace" | b"trc" | b"verbose" | b"finest" => 1,
        b"debug" | b"dbg" | b"fine" => 5,
        b"info" | b"inf" | b"information" | b"informational" => 9,
        b"notice" => 10,
        b"warn" | b"warning" | b"wrn" => 13,
        b"error" | b"err" | b"eror" => 17,
        b"critical" | b"crit" => 18,
        b"alert" => 19,
        b"fatal" | b"panic" | b"emerg" | b"emergency" | b"ftl" => 21,
        _ => 0,
    }
}

/// The number of a numeric level as pino and bunyan write it (10 = trace to 60 = fatal); 0 for others.
pub(crate) fn number_of_pino(level: i64) -> i32 {
    match level {
        10 => 1,
        20 => 5,
        30 => 9,
        40 => 13,
        50 => 17,
        60 => 21,
        _ => 0,
    }
}

/// The word and number of a syslog priority (RFC 5424, 6.2.1).
pub(crate) fn of_syslog(priority: u32) -> (&'static str, i32) {
    const WORDS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
    let word = WORDS[(priority & 7) as usize];
    (word, number_of(word))
}

/// Whether a label or attribute of this name says the severity.
pub(crate) fn is_severity_key(key: &str) -> bool {
    ["level", "severity", "severity_text", "detected_level", "lvl", "loglevel", "log_level", "log.level", "levelname"]
        .iter()
        .any(|k| k.eq_ignore_ascii_case(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_any_case() {
        for (word, number) in [("INFO", 9), ("Warning", 13), ("err", 17), ("", 0), ("informational", 9), ("ünknown", 0)]
        {
            assert_eq!(number_of(word), number, "{word}");
        }
        assert_eq!(number_of(&"x".repeat(99)), 0);
        assert_eq!(of_syslog(165), ("notice", 10));
        assert_eq!((0..8).map(|p| of_syslog(p).1).min(), Some(5), "every word is known");
    }
}
