use super::*;

const PLAN: &str = r#"{
 "format_version": "1.2",
 "variables": {"region": {"value": "eu-west-1"}},
 "planned_values": {"root_module": {
  "resources": [
   {"address": "aws_instance.web[0]", "mode": "managed", "type": "aws_instance", "name": "web", "index": 0, "values": {"instance_type": "t3.large", "root_block_device": [{"volume_size": 20}]}},
   {"address": "data.aws_ami.x", "mode": "data", "type": "aws_ami", "name": "x", "values": {}}],
  "child_modules": [{"address": "module.net[\"a\"]", "resources": [
   {"address": "module.net[\"a\"].aws_nat_gateway.out", "mode": "managed", "type": "aws_nat_gateway", "name": "out", "values": {}}]}]}},
 "resource_changes": [
  {"address": "aws_instance.web[0]", "mode": "managed", "type": "aws_instance", "name": "web", "change": {"actions": ["update"],
   "before": {"instance_type": "t3.medium"}, "after": {"instance_type": "t3.large"}, "after_unknown": {"id": true, "subnet_id": true}}},
  {"address": "module.net[\"a\"].aws_nat_gateway.out", "mode": "managed", "type": "aws_nat_gateway", "name": "out", "change": {"actions": ["create"], "before": null, "after": {}, "after_unknown": {"allocation_id": true}}}],
 "configuration": {
  "provider_config": {"aws": {"name": "aws", "expressions": {"region": {"references": ["var.region"]}}}},
  "root_module": {
   "resources": [{"address": "aws_instance.web", "mode": "managed", "type": "aws_instance", "name": "web", "provider_config_key": "aws",
     "expressions": {"subnet_id": {"references": ["module.net[\"a\"].gateway", "module.net[\"a\"]", "module.net"]}}}],
   "module_calls": {"net": {"source": "./net", "expressions": {"ip": {"references": ["aws_eip.one.id", "aws_eip.one"]}}, "module": {
     "outputs": {"gateway": {"expression": {"references": ["aws_nat_gateway.out.id", "aws_nat_gateway.out"]}}},
     "resources": [{"address": "aws_nat_gateway.out", "mode": "managed", "type": "aws_nat_gateway", "name": "out", "provider_config_key": "aws",
       "expressions": {"allocation_id": {"references": ["var.ip"]}}}]}}}}}
}"#;

#[test]
fn resources_references_and_what_was_before() {
    let plan = read("plan.json", PLAN.as_bytes()).unwrap();
    let web = &plan.after.resources[0];
    assert_eq!((web.address.as_str(), web.provider_region.as_deref()), ("aws_instance.web[0]", Some("eu-west-1")));
    let gateway = Addresses::from(["module.net[\"a\"].aws_nat_gateway.out".to_owned()]);
    assert_eq!(web.references["subnet_id"], gateway);
    assert_eq!(web.values.at("subnet_id"), Some(&Value::Unknown(gateway)));
    assert_eq!(web.values.at("root_block_device.volume_size").and_then(Value::as_text).as_deref(), Some("20"));
    let nat = &plan.after.resources[1];
    assert_eq!(nat.references["allocation_id"], Addresses::from(["aws_eip.one".to_owned()]));
    let before = plan.before.unwrap();
    assert_eq!(before.resources.len(), 1);
    assert_eq!(before.resources[0].values.at("instance_type").and_then(Value::as_text).as_deref(), Some("t3.medium"));
    assert_eq!(plan.after.resources.len(), 2);
}

#[test]
fn what_is_no_plan() {
    for (text, why) in [
        ("{", "EOF"),
        ("{}", "format_version"),
        (r#"{"format_version": "2.0"}"#, "format version 2.0"),
        (r#"{"format_version": "1.2"}"#, "neither planned_values nor values"),
    ] {
        let error = read("plan.json", text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn calls_of_addresses() {
    for (address, expected) in
        [("", vec![]), ("module.a", vec!["a"]), ("module.a[0].module.b[\"x.y]z\"].module.c", vec!["a", "b", "c"])]
    {
        assert_eq!(calls(address), expected, "{address}");
    }
}
