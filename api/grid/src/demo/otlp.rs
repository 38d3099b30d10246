//! Short hands for OTLP messages: typed attributes, and the resource that a pod or service speaks for.

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::company::{AWS_SHOP, Cloud, GCP_PROJECT, Node, Pod, Service};
use super::world::World;

/// What an attribute's value can be made of.
pub(crate) trait IntoAny {
    fn any(self) -> AnyValue;
}

impl IntoAny for &str {
    fn any(self) -> AnyValue {
        self.to_owned().any()
    }
}
impl IntoAny for String {
    fn any(self) -> AnyValue {
        AnyValue { value: Some(Value::StringValue(self)) }
    }
}
impl IntoAny for i64 {
    fn any(self) -> AnyValue {
        AnyValue { value: Some(Value::IntValue(self)) }
    }
}
impl IntoAny for f64 {
    fn any(self) -> AnyValue {
        AnyValue { value: Some(Value::DoubleValue(self)) }
    }
}
impl IntoAny for bool {
    fn any(self) -> AnyValue {
        AnyValue { value: Some(Value::BoolValue(self)) }
    }
}
impl IntoAny for Vec<String> {
    fn any(self) -> AnyValue {
        let values = self.into_iter().map(IntoAny::any).collect();
        AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }
    }
}
impl IntoAny for Vec<KeyValue> {
    fn any(self) -> AnyValue {
        AnyValue { value: Some(Value::KvlistValue(KeyValueList { values: self })) }
    }
}

/// One attribute.
pub(crate) fn kv(key: &str, value: impl IntoAny) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value.any()), ..KeyValue::default() }
}

/// The library that instruments a service.
pub(crate) fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope { name: name.to_owned(), version: "1.42.0".to_owned(), ..InstrumentationScope::default() }
}

fn resource(attributes: Vec<KeyValue>) -> Resource {
    Resource { attributes, ..Resource::default() }
}

fn of_service(service: Service, version: &str) -> Vec<KeyValue> {
    let cloud = service.profile().pool.cloud();
    vec![
        kv("service.name", service.name()),
        kv("service.namespace", "shop"),
        kv("service.version", version),
        kv("deployment.environment.name", "production"),
        kv("cloud.provider", cloud.word()),
        kv("cloud.region", cloud.region()),
        kv("k8s.cluster.name", cloud.cluster()),
    ]
}

/// A service as a whole, as a collector aggregates it.
pub(crate) fn service_resource(service: Service, version: &str) -> Resource {
    resource(of_service(service, version))
}

/// One pod on its machine. The machine's id is the one on the bill: `host.id` on AWS, `cloud.resource_id` elsewhere.
pub(crate) fn pod_resource(world: &World, pod: &Pod) -> Resource {
    let node: &Node = &world.company.nodes[pod.node];
    let mut attributes = of_service(pod.service, pod.version);
    attributes.extend([
        kv("k8s.namespace.name", "shop"),
        kv("k8s.pod.name", pod.name.as_str()),
        kv("k8s.pod.uid", pod.uid.as_str()),
        kv("k8s.node.name", node.name.as_str()),
        kv("process.pid", 1_i64),
    ]);
    match node.pool.cloud() {
        Cloud::Aws => attributes.extend([kv("cloud.account.id", AWS_SHOP), kv("host.id", node.resource_id.as_str())]),
        Cloud::Gcp => {
            attributes.extend([kv("cloud.account.id", GCP_PROJECT), kv("cloud.resource_id", node.resource_id.as_str())])
        }
        Cloud::Azure => attributes.push(kv("cloud.resource_id", node.resource_id.as_str())),
    }
    resource(attributes)
}

/// Something of the platform that is no service of the shop.
pub(crate) fn platform_resource(name: &str) -> Resource {
    resource(vec![
        kv("service.name", name),
        kv("service.namespace", "platform"),
        kv("deployment.environment.name", "production"),
        kv("k8s.cluster.name", Cloud::Aws.cluster()),
        kv("cloud.account.id", AWS_SHOP),
    ])
}
