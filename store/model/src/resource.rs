//! The join key of telemetry and bills: which cloud or cluster resource a row speaks of.

use crate::attr::AttrValue;

/// Attribute keys that name a resource as a whole, in order of trust (OpenTelemetry semantic conventions).
const WHOLE_IDS: &[&str] = &[
    "cloud.resource_id",
    "aws.ecs.task.arn",
    "aws.eks.cluster.arn",
    "faas.arn",
    "host.id",
    "k8s.pod.uid",
    "container.id",
];

/// The resource id that a set of OTLP resource attributes names, as the cloud's bill would spell it; `None` if the
/// attributes name no resource.
pub fn identify(attributes: &[(String, AttrValue)]) -> Option<&str> {
    let value = |key: &str| attributes.iter().find(|(k, _)| k == key).and_then(|(_, v)| v.as_str());
    WHOLE_IDS.iter().find_map(|key| value(key).filter(|id| !id.is_empty()))
}

/// The service that a set of OTLP resource attributes names.
pub fn service_name(attributes: &[(String, AttrValue)]) -> Option<&str> {
    attributes.iter().find(|(k, _)| k == "service.name").and_then(|(_, v)| v.as_str()).filter(|s| !s.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_trusted_id_wins() {
        let attributes = vec![
            ("host.id".to_owned(), AttrValue::from("i-0abc")),
            ("cloud.resource_id".to_owned(), AttrValue::from("arn:aws:ec2:eu-west-1:1:instance/i-0abc")),
        ];
        assert_eq!(identify(&attributes), Some("arn:aws:ec2:eu-west-1:1:instance/i-0abc"));
        assert_eq!(identify(&attributes[..1]), Some("i-0abc"));
        assert_eq!(identify(&[]), None);
    }
}
