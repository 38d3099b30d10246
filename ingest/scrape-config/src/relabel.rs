//! Relabelling: rules that rewrite or drop a set of labels (Prometheus, `model/relabel/relabel.go`).

use md5::{Digest as _, Md5};
use regex::Regex;

use crate::labels::LabelMap;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Sets the target label to the expanded replacement where the regex matches.
    Replace,
    /// Drops what does not match.
    Keep,
    /// Drops what matches.
    Drop,
    /// Drops what differs from the target label.
    KeepEqual,
    /// Drops what equals the target label.
    DropEqual,
    /// Sets the target label to the value's hash modulo a number.
    HashMod,
    /// Copies labels whose names match to names made from the replacement.
    LabelMap,
    /// Removes labels whose names match.
    LabelDrop,
    /// Removes labels whose names do not match.
    LabelKeep,
    /// Sets the target label to the value in lower case.
    Lowercase,
    /// Sets the target label to the value in upper case.
    Uppercase,
}

impl Action {
    const WORDS: [(&str, Self); 11] = [
        ("replace", Self::Replace),
        ("keep", Self::Keep),
        ("drop", Self::Drop),
        ("keepequal", Self::KeepEqual),
        ("dropequal", Self::DropEqual),
        ("hashmod", Self::HashMod),
        ("labelmap", Self::LabelMap),
        ("labeldrop", Self::LabelDrop),
        ("labelkeep", Self::LabelKeep),
        ("lowercase", Self::Lowercase),
        ("uppercase", Self::Uppercase),
    ];

    /// The word in a configuration, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        Self::WORDS.iter().find(|(w, _)| *w == word).map(|(_, a)| *a)
    }

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, a)| *a == self).map_or("", |(w, _)| w)
    }
}

/// A rule as written; what is `None` was not said.
#[derive(Debug, Clone, Default)]
pub struct RuleText {
    /// `source_labels`.
    pub source_labels: Vec<String>,
    /// `separator`, default `;`.
    pub separator: Option<String>,
    /// `regex`, default `(.*)`.
    pub regex: Option<String>,
    /// `modulus`, for `hashmod`.
    pub modulus: Option<u64>,
    /// `target_label`.
    pub target_label: Option<String>,
    /// `replacement`, default `$1`.
    pub replacement: Option<String>,
    /// `action`, default `replace`.
    pub action: Option<String>,
}

/// A checked rule.
#[derive(Debug, Clone)]
pub struct Rule {
    source_labels: Vec<String>,
    separator: String,
    regex: Regex,
    modulus: u64,
    target_label: String,
    replacement: String,
    action: Action,
    /// Whether an expanded name may be written.
    name_is_valid: fn(&str) -> bool,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        let key = |r: &Self| {
            let Self { source_labels, separator, regex, modulus, target_label, replacement, action, .. } = r.clone();
            (source_labels, separator, regex.as_str().to_owned(), modulus, target_label, replacement, action)
        };
        key(self) == key(other)
    }
}

const SEPARATOR: &str = ";";
const REGEX: &str = "(.*)";
const REPLACEMENT: &str = "$1";

impl Rule {
    /// Checks a rule; the error is a sentence. `name_is_valid`: which label names the configuration allows.
    pub fn new(text: RuleText, name_is_valid: fn(&str) -> bool) -> Result<Self, String> {
        use Action as A;
        let word = text.action.as_deref().unwrap_or("replace");
        let action = Action::parse(word).ok_or_else(|| format!("unknown relabel action {word:?}"))?;
        let is_default = |said: &Option<String>, default: &str| said.as_deref().is_none_or(|s| s == default);
        let default_regex = is_default(&text.regex, REGEX);
        let default_separator = is_default(&text.separator, SEPARATOR);
        let default_replacement = is_default(&text.replacement, REPLACEMENT);
        let target = text.target_label.clone().unwrap_or_default();
        let modulus = text.modulus.unwrap_or_default();
        let word = action.word();
        if action == A::HashMod && modulus == 0 {
            return Err("relabel action hashmod needs a modulus above 0".to_owned());
        }
        let writes =
            matches!(action, A::Replace | A::KeepEqual | A::DropEqual | A::HashMod | A::Lowercase | A::Uppercase);
        if writes && target.is_empty() {
            return Err(format!("relabel action {word} needs a target_label"));
        }
        // A name with variables is only known when it is expanded.
        let is_template = action == A::Replace && target.contains('$');
        if writes && !is_template && !name_is_valid(&target) {
            return Err(format!("{target:?} is not a label name that relabel action {word} may write"));
        }
        let one_to_one = matches!(action, A::Lowercase | A::Uppercase | A::KeepEqual | A::DropEqual);
        if one_to_one && !default_replacement {
            return Err(format!("relabel action {word} takes no replacement"));
        }
        if matches!(action, A::KeepEqual | A::DropEqual) && !(default_regex && modulus == 0 && default_separator) {
            return Err(format!("relabel action {word} takes only source_labels and target_label"));
        }
        let by_name = matches!(action, A::LabelDrop | A::LabelKeep);
        let only_regex = text.source_labels.is_empty()
            && target.is_empty()
            && modulus == 0
            && default_separator
            && default_replacement;
        if by_name && !only_regex {
            return Err(format!("relabel action {word} takes only a regex"));
        }
        let regex = text.regex.as_deref().unwrap_or(REGEX);
        // Anchored, and `.` takes line feeds too.
        let regex = Regex::new(&format!("^(?s:{regex})$")).map_err(|e| format!("relabel regex {regex:?}: {e}"))?;
        Ok(Self {
            source_labels: text.source_labels,
            separator: text.separator.unwrap_or_else(|| SEPARATOR.to_owned()),
            regex,
            modulus,
            target_label: target,
            replacement: text.replacement.unwrap_or_else(|| REPLACEMENT.to_owned()),
            action,
            name_is_valid,
        })
    }

    /// Applies the rule; answers whether the labels are kept.
    fn apply(&self, labels: &mut LabelMap) -> bool {
        let value = || {
            let values: Vec<&str> = self.source_labels.iter().map(|name| labels.get(name)).collect();
            values.join(&self.separator)
        };
        match self.action {
            Action::Keep => return self.regex.is_match(&value()),
            Action::Drop => return !self.regex.is_match(&value()),
            Action::KeepEqual => return labels.get(&self.target_label) == value(),
            Action::DropEqual => return labels.get(&self.target_label) != value(),
            Action::Replace => {
                let value = value();
                if let Some(captures) = self.regex.captures(&value) {
                    let (mut target, mut replacement) = (String::new(), String::new());
                    captures.expand(&self.target_label, &mut target);
                    captures.expand(&self.replacement, &mut replacement);
                    if (self.name_is_valid)(&target) {
                        labels.set(target, replacement);
                    }
                }
            }
            Action::Lowercase => labels.set(self.target_label.as_str(), value().to_lowercase()),
            Action::Uppercase => labels.set(self.target_label.as_str(), value().to_uppercase()),
            Action::HashMod => {
                let hash = Md5::digest(value().as_bytes());
                // The last eight bytes, big-endian, as Prometheus takes them.
                let hash = hash.iter().skip(8).fold(0u64, |n, byte| n << 8 | u64::from(*byte));
                labels.set(self.target_label.as_str(), (hash % self.modulus.max(1)).to_string());
            }
            Action::LabelMap => {
                for (name, value) in labels.clone().iter().filter(|(name, _)| self.regex.is_match(name)) {
                    labels.set(self.regex.replace_all(name, self.replacement.as_str()), value);
                }
            }
            Action::LabelDrop => labels.retain(|name| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name| self.regex.is_match(name)),
        }
        true
    }
}

/// Applies rules in order; answers whether the labels are kept. What is dropped is left as it was when it was dropped.
pub fn apply(rules: &[Rule], labels: &mut LabelMap) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

#[cfg(test)]
mod tests;
