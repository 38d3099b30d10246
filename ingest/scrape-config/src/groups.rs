//! Target groups: what `static_configs`, file and HTTP discovery all speak of.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::labels::LabelMap;

/// How many targets one source may name.
pub const TARGETS_MAX: usize = 100_000;

/// Addresses with labels that all of them have.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TargetGroup {
    /// `HOST:PORT` each.
    pub targets: Vec<String>,
    /// Labels of all of them.
    pub labels: LabelMap,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupText {
    targets: Option<Vec<String>>,
    labels: Option<BTreeMap<String, Option<String>>>,
}

impl From<GroupText> for TargetGroup {
    fn from(text: GroupText) -> Self {
        let labels = text.labels.unwrap_or_default();
        Self {
            targets: text.targets.unwrap_or_default(),
            labels: labels.into_iter().map(|(k, v)| (k, v.unwrap_or_default())).collect(),
        }
    }
}

/// Reads the target groups of a JSON document (file discovery of `.json`, HTTP discovery).
pub fn parse_json(text: &str) -> Result<Vec<TargetGroup>, String> {
    let groups: Vec<GroupText> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    checked(groups)
}

/// Reads the target groups of a YAML document (file discovery of `.yml` and `.yaml`).
pub fn parse_yaml(text: &str) -> Result<Vec<TargetGroup>, String> {
    let groups: Option<Vec<GroupText>> = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
    checked(groups.unwrap_or_default())
}

pub(crate) fn checked(groups: Vec<GroupText>) -> Result<Vec<TargetGroup>, String> {
    let groups: Vec<TargetGroup> = groups.into_iter().map(TargetGroup::from).collect();
    let targets: usize = groups.iter().map(|g| g.targets.len()).sum();
    if targets > TARGETS_MAX {
        return Err(format!("{targets} targets, more than {TARGETS_MAX}"));
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_say_the_same() {
        let json = parse_json(r#"[{"targets":["a:1","b:2"],"labels":{"x":"1","empty":""}},{"targets":[]}]"#).unwrap();
        let yaml = parse_yaml("- targets: ['a:1', b:2]\n  labels: {x: 1, empty: }\n- targets: []\n").unwrap();
        assert_eq!(json, yaml);
        assert_eq!(json[0].labels.len(), 1);
        assert_eq!(parse_yaml("").unwrap(), []);
        for bad in ["{}", "[{\"target\":[]}]", "[", "[{\"targets\":[1]}]"] {
            assert!(parse_json(bad).is_err(), "{bad}");
        }
    }
}
