//! From the labels that a target exposes to the labels under which a sample is stored.

use crate::labels::{LabelMap, is_legacy_label_name, is_legacy_metric_name};
use crate::relabel::{self, Rule};
use crate::{NameValidation, SampleLimits};

const METRIC_NAME: &str = "__name__";
/// What an exposed label is called if the target has one of that name.
const EXPORTED: &str = "exported_";

/// Joins exposed labels and the target's labels, then applies the metric's relabelling. `None`: dropped.
///
/// `exposed` are the pairs as exposed: with `honor_labels`, an exposed label *without a value* keeps the target's label of that name
/// away (the Pushgateway relies on it).
pub fn mutate(exposed: &[(&str, &str)], target: &LabelMap, honor_labels: bool, rules: &[Rule]) -> Option<LabelMap> {
    let mut labels: LabelMap = exposed.iter().copied().collect();
    let mut conflicts: Vec<(&str, &str)> = Vec::new();
    for (name, value) in target.iter() {
        let exposed = exposed.iter().find(|(n, _)| *n == name);
        match exposed {
            Some(_) if honor_labels => {}
            Some((_, theirs)) => {
                if !theirs.is_empty() {
                    conflicts.push((name, theirs));
                }
                labels.set(name, value);
            }
            None => labels.set(name, value),
        }
    }
    // Short names first: `a` becomes `exported_a` before an exposed `exported_a` looks for a place.
    conflicts.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicts {
        let mut name = format!("{EXPORTED}{name}");
        while !labels.get(&name).is_empty() {
            name.insert_str(0, EXPORTED);
        }
        labels.set(name, value);
    }
    relabel::apply(rules, &mut labels).then_some(labels)
}

/// The labels of the series that a scrape writes about itself (`up` and its like).
pub fn report(metric: &str, target: &LabelMap) -> LabelMap {
    let mut labels: LabelMap = [(METRIC_NAME, metric)].into_iter().collect();
    for (name, value) in target.iter().filter(|(name, _)| *name != METRIC_NAME) {
        labels.set(name, value);
    }
    labels
}

/// Checks what relabelling left: a name must be there and be allowed, and the limits of the job must hold. The error is a
/// sentence; it fails the scrape.
pub fn check(labels: &LabelMap, validation: NameValidation, limits: &SampleLimits) -> Result<(), String> {
    let metric = labels.get(METRIC_NAME);
    if metric.is_empty() {
        return Err("a sample has no metric name".to_owned());
    }
    if validation == NameValidation::Legacy {
        if !is_legacy_metric_name(metric) {
            return Err(format!("metric name {metric:?} is not of the legacy scheme"));
        }
        if let Some((name, _)) = labels.iter().find(|(name, _)| !is_legacy_label_name(name)) {
            return Err(format!("label name {name:?} of {metric} is not of the legacy scheme"));
        }
    }
    if limits.labels > 0 && labels.len() > limits.labels {
        return Err(format!("{metric} has {} labels, label_limit is {}", labels.len(), limits.labels));
    }
    for (name, value) in labels.iter() {
        if limits.label_name_bytes > 0 && name.len() > limits.label_name_bytes {
            let max = limits.label_name_bytes;
            return Err(format!(
                "label name {name:?} of {metric} has {} bytes, label_name_length_limit is {max}",
                name.len()
            ));
        }
        if limits.label_value_bytes > 0 && value.len() > limits.label_value_bytes {
            let max = limits.label_value_bytes;
            return Err(format!(
                "value of label {name:?} of {metric} has {} bytes, label_value_length_limit is {max}",
                value.len()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(labels: &LabelMap) -> String {
        labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn labels_of_target_and_sample_meet() {
        let target: LabelMap = [("job", "j"), ("instance", "i")].into_iter().collect();
        for (exposed, honor, want) in [
            (&[("__name__", "m"), ("a", "1")][..], false, "__name__=m a=1 instance=i job=j"),
            (&[("job", "x")], false, "exported_job=x instance=i job=j"),
            (&[("job", "x")], true, "instance=i job=x"),
            (&[("job", "")], true, "instance=i"),
            (&[("job", "")], false, "instance=i job=j"),
            (&[("job", "x"), ("exported_job", "y")], false, "exported_exported_job=x exported_job=y instance=i job=j"),
        ] {
            assert_eq!(show(&mutate(exposed, &target, honor, &[]).unwrap()), want, "{exposed:?} {honor}");
        }
        let target: LabelMap = [("job", "j"), ("exported_job", "e")].into_iter().collect();
        let both = mutate(&[("job", "x"), ("exported_job", "y")], &target, false, &[]).unwrap();
        assert_eq!(show(&both), "exported_exported_exported_job=y exported_exported_job=x exported_job=e job=j");
        assert_eq!(show(&report("up", &target)), "__name__=up exported_job=e job=j");
    }

    #[test]
    fn limits_and_names_are_checked() {
        let labels: LabelMap = [("__name__", "m"), ("long.name", "value")].into_iter().collect();
        let limits = |labels, label_name_bytes, label_value_bytes| SampleLimits {
            labels,
            label_name_bytes,
            label_value_bytes,
            ..SampleLimits::default()
        };
        assert!(check(&labels, NameValidation::Utf8, &SampleLimits::default()).is_ok());
        assert!(check(&labels, NameValidation::Legacy, &SampleLimits::default()).is_err());
        assert!(check(&labels, NameValidation::Utf8, &limits(2, 9, 5)).is_ok());
        assert!(check(&labels, NameValidation::Utf8, &limits(1, 0, 0)).is_err());
        assert!(check(&labels, NameValidation::Utf8, &limits(0, 8, 0)).is_err());
        assert!(check(&labels, NameValidation::Utf8, &limits(0, 0, 4)).is_err());
        assert!(check(&LabelMap::default(), NameValidation::Utf8, &SampleLimits::default()).is_err());
    }
}
