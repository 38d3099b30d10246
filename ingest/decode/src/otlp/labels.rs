//! The labels of a metric's series and of a log's stream, derived from OTLP's attributes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grid_model::attr::{AttrValue, Attributes};
use grid_model::labels::{Labels, METRIC_NAME};

use super::names::{label_name, sanitise_label};
use super::{OtlpOptions, Scope};
use crate::limits::Limits;

/// Labels by which Loki guesses a service where `service.name` is absent, in order of trust.
const SERVICE_LABELS: &[&str] = &[
    "container_name",
    "k8s_container_name",
    "k8s_deployment_name",
    "k8s_statefulset_name",
    "k8s_daemonset_name",
    "k8s_job_name",
];

/// What Loki calls a service that nothing names.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// The labels that all series of one resource and scope share.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedLabels {
    /// Promoted resource attributes; a data point's own attribute of the same name wins.
    promoted: Vec<(String, String)>,
    /// `job`, `instance`, `otel_scope_name`, `otel_scope_version`: these win over a data point's attributes.
    own: Vec<(String, String)>,
}

impl SharedLabels {
    pub(crate) fn new(resource: &Attributes, scope: &Scope, options: &OtlpOptions) -> Self {
        let mut promoted = Vec::new();
        for key in &options.promote_resource_attributes {
            if let Some(value) = text_of(resource, key) {
                insert(&mut promoted, label_name(options.name_translation, key).into_owned(), value);
            }
        }
        let mut own = Vec::new();
        if let Some(name) = text_of(resource, "service.name") {
            let job = match text_of(resource, "service.namespace") {
                Some(namespace) => format!("{namespace}/{name}"),
                None => name,
            };
            own.push(("job".to_owned(), job));
        }
        if let Some(instance) = text_of(resource, "service.instance.id") {
            own.push(("instance".to_owned(), instance));
        }
        for (label, value) in [("otel_scope_name", &scope.name), ("otel_scope_version", &scope.version)] {
            if !value.is_empty() {
                own.push((label.to_owned(), value.clone()));
            }
        }
        Self { promoted, own }
    }

    /// Bytes that each series repeats.
    pub(crate) fn bytes(&self) -> usize {
        self.promoted.iter().chain(&self.own).map(|(k, v)| k.len() + v.len()).sum()
    }

    /// The labels of one series; `attributes` are sorted by key, so that values which collide under one name are joined in
    /// the order of their keys, as the specification wants.
    pub(crate) fn of_point(
        &self,
        metric: &str,
        attributes: &Attributes,
        options: &OtlpOptions,
        limits: &Limits,
    ) -> Result<Labels, String> {
        let mut pairs: Vec<(String, String)> =
            Vec::with_capacity(attributes.len() + self.promoted.len() + self.own.len() + 1);
        for (key, value) in attributes {
            let name = label_name(options.name_translation, key);
            if name.is_empty() {
                continue;
            }
            let text = label_text(value);
            match pairs.iter_mut().find(|(n, _)| *n == name) {
                Some((_, joined)) => {
                    joined.push(';');
                    joined.push_str(&text);
                }
                None => pairs.push((name.into_owned(), text)),
            }
        }
        for (name, value) in &self.promoted {
            if !pairs.iter().any(|(n, _)| n == name) {
                pairs.push((name.clone(), value.clone()));
            }
        }
        for (name, value) in &self.own {
            insert(&mut pairs, name.clone(), value.clone());
        }
        insert(&mut pairs, METRIC_NAME.to_owned(), metric.to_owned());
        checked(pairs, limits)
    }
}

/// The stream labels and the service of a log's resource, as Loki's OTLP endpoint derives them. The service is empty where
/// Loki would say `unknown_service`.
pub(crate) fn of_log_resource(
    resource: &Attributes,
    options: &OtlpOptions,
    limits: &Limits,
) -> Result<(Labels, String), String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for key in &options.log_index_attributes {
        if let Some(value) = text_of(resource, key) {
            insert(&mut pairs, sanitise_label(key).into_owned(), value);
        }
    }
    let mut service = super::service(resource);
    if service.is_empty() {
        let guess = SERVICE_LABELS.iter().find_map(|name| pairs.iter().find(|(n, _)| n == name));
        service = guess.map(|(_, value)| value.clone()).unwrap_or_default();
        let label = if service.is_empty() { UNKNOWN_SERVICE } else { &service };
        insert(&mut pairs, "service_name".to_owned(), label.to_owned());
    }
    checked(pairs, limits).map(|labels| (labels, service)).map_err(|reason| format!("resource: {reason}"))
}

fn checked(pairs: Vec<(String, String)>, limits: &Limits) -> Result<Labels, String> {
    if pairs.len() > limits.labels_max {
        return Err(format!("{} labels, the limit is {}", pairs.len(), limits.labels_max));
    }
    for (name, value) in &pairs {
        if name.len() > limits.label_name_bytes_max {
            let max = limits.label_name_bytes_max;
            return Err(format!("label name of {} bytes, the limit is {max}", name.len()));
        }
        if value.len() > limits.label_value_bytes_max {
            let max = limits.label_value_bytes_max;
            return Err(format!("label {name:?} has a value of {} bytes, the limit is {max}", value.len()));
        }
    }
    Labels::new(pairs).map_err(|e| e.to_string())
}

fn insert(pairs: &mut Vec<(String, String)>, name: String, value: String) {
    match pairs.iter_mut().find(|(n, _)| *n == name) {
        Some((_, old)) => *old = value,
        None => pairs.push((name, value)),
    }
}

/// The non-empty text of a resource's attribute.
fn text_of(resource: &Attributes, key: &str) -> Option<String> {
    resource.iter().find(|(k, _)| k == key).map(|(_, v)| label_text(v)).filter(|text| !text.is_empty())
}

/// A value as label text: what the OpenTelemetry collector's `AsString` writes, so that labels are equal whichever way the
/// data came.
fn label_text(value: &AttrValue) -> String {
    match value {
        AttrValue::Null => String::new(),
        AttrValue::String(s) => s.clone(),
        AttrValue::Bytes(b) => STANDARD.encode(b),
        AttrValue::Double(d) if !d.is_finite() => {
            let name = if d.is_nan() {
                "NaN"
            } else if *d > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            name.to_owned()
        }
        AttrValue::Double(d) if *d != 0.0 && !(1e-6..1e21).contains(&d.abs()) => {
            // Go writes the exponent with its sign and at least two digits.
            let text = format!("{d:e}");
            match text.split_once('e') {
                Some((digits, exponent)) => {
                    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
                    format!("{digits}e{sign}{exponent:0>2}")
                }
                None => text,
            }
        }
        AttrValue::Double(d) => d.to_string(),
        other => other.to_json(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), AttrValue::from(*v))).collect()
    }

    fn text(labels: &Labels) -> String {
        labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn metric_labels_follow_prometheus() {
        let resource = attributes(&[
            ("service.name", "checkout"),
            ("service.namespace", "shop"),
            ("service.instance.id", "i-1"),
            ("k8s.pod.name", "pod-1"),
            ("process.pid", "7"),
        ]);
        let scope = Scope { name: "lib".into(), version: "1.2".into(), ..Scope::default() };
        let shared = |translation| {
            let options = OtlpOptions { name_translation: translation, ..OtlpOptions::default() };
            let labels = SharedLabels::new(&resource, &scope, &options);
            move |pairs: &[(&str, &str)]| {
                text(&labels.of_point("m", &attributes(pairs), &options, &Limits::default()).unwrap())
            }
        };
        let escaped = shared(super::super::NameTranslation::UnderscoreEscapingWithSuffixes);
        let untouched = shared(super::super::NameTranslation::NoTranslation);
        let common = "instance=i-1 job=shop/checkout";
        let scope = "otel_scope_name=lib otel_scope_version=1.2";
        assert_eq!(escaped(&[]), format!("__name__=m {common} k8s_pod_name=pod-1 {scope}"));
        assert_eq!(
            escaped(&[("a.b", "1"), ("a/b", "2"), ("job", "x"), ("k8s.pod.name", "mine")]),
            format!("__name__=m a_b=1;2 {common} k8s_pod_name=mine {scope}")
        );
        assert_eq!(
            untouched(&[("a.b", "1"), ("a/b", "2")]),
            format!("__name__=m a.b=1 a/b=2 {common} k8s.pod.name=pod-1 {scope}")
        );
    }

    #[test]
    fn stream_labels_follow_loki() {
        let of = |pairs: &[(&str, &str)]| {
            let (labels, service) =
                of_log_resource(&attributes(pairs), &OtlpOptions::default(), &Limits::default()).unwrap();
            format!("{} | {service}", text(&labels))
        };
        assert_eq!(of(&[]), "service_name=unknown_service | ");
        assert_eq!(of(&[("service.name", "a"), ("host.name", "h")]), "service_name=a | a");
        assert_eq!(of(&[("k8s.container.name", "c")]), "k8s_container_name=c service_name=c | c");
    }

    #[test]
    fn label_texts_are_those_of_the_collector() {
        let cases = [
            (AttrValue::Double(1.0), "1"),
            (AttrValue::Double(0.5), "0.5"),
            (AttrValue::Double(0.0), "0"),
            (AttrValue::Double(1e21), "1e+21"),
            (AttrValue::Double(1.5e-7), "1.5e-07"),
            (AttrValue::Double(f64::INFINITY), "+Inf"),
            (AttrValue::Int(200), "200"),
            (AttrValue::Bool(true), "true"),
            (AttrValue::Bytes(vec![1, 2]), "AQI="),
            (AttrValue::Array(vec![AttrValue::Int(1), AttrValue::from("a")]), "[1,\"a\"]"),
        ];
        for (value, expected) in cases {
            assert_eq!(label_text(&value), expected);
        }
    }

    #[test]
    fn too_many_or_too_long_labels_are_refused() {
        let limits = Limits { labels_max: 2, label_value_bytes_max: 3, ..Limits::default() };
        let of = |pairs: &[(&str, &str)]| {
            SharedLabels::default().of_point("m", &attributes(pairs), &OtlpOptions::default(), &limits).unwrap_err()
        };
        assert_eq!(of(&[("a", "1"), ("b", "2")]), "3 labels, the limit is 2");
        assert_eq!(of(&[("a", "1234")]), "label \"a\" has a value of 4 bytes, the limit is 3");
    }
}
