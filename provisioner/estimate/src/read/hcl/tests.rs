use std::collections::BTreeMap;

use super::*;
use crate::value::Value;

fn inventory(files: &[(&str, &str)]) -> Inventory {
    let files: BTreeMap<String, String> = files.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    read(&files, BTreeMap::new()).expect("there is a .tf file")
}

/// What an expression becomes, as an attribute of a resource.
fn check(expression: &str, expected: &str) {
    let text = format!(
        "locals {{\n list = [3, 1, 2]\n map = {{ a = 1, b = \"x\" }}\n}}\nvariable \"v\" {{\n default = \"dev\"\n}}\nvariable \"open\" {{}}\n\
         resource \"aws_vpc\" \"n\" {{\n cidr = \"10.0.0.0/8\"\n}}\nresource \"aws_x\" \"r\" {{\n out = {expression}\n}}\n"
    );
    let inventory = inventory(&[("main.tf", &text)]);
    let resource = inventory.resources.iter().find(|r| r.kind == "aws_x").expect("it is there");
    assert_eq!(show(resource.values.at("out").unwrap_or(&Value::Null)), expected, "{expression}");
}

fn show(value: &Value) -> String {
    match value {
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            format!("{{{}}}", entries.iter().map(|(k, v)| format!("{k}={}", show(v))).collect::<Vec<_>>().join(", "))
        }
        Value::Unknown(from) => format!("unknown({})", from.iter().cloned().collect::<Vec<_>>().join(",")),
        Value::Null => "null".to_owned(),
        other => other.as_text().unwrap_or_default(),
    }
}

#[test]
fn expressions() {
    for (expression, expected) in [
        ("1 + 2 * 3", "7"),
        ("0.1 + 0.2", "0.3"),
        ("10 / 4", "2.5"),
        ("7 % 3", "1"),
        ("var.v == \"dev\" ? 1 : 2", "1"),
        ("\"a-${var.v}-${1 + 1}\"", "a-dev-2"),
        ("\"%{ for x in local.list }${x},%{ endfor }\"", "3,1,2,"),
        ("[for x in local.list : x * 2 if x > 1]", "[6, 4]"),
        ("{ for k, v in local.map : upper(k) => v }", "{A=1, B=x}"),
        ("{ for x in [\"a\", \"b\", \"a\"] : x => x... }", "{a=[a, a], b=[b]}"),
        ("local.list[*]", "[3, 1, 2]"),
        ("[{ n = 1 }, { n = 2 }][*].n", "[1, 2]"),
        ("aws_vpc.n.cidr", "10.0.0.0/8"),
        ("aws_vpc.n.id", "unknown(aws_vpc.n)"),
        ("\"x-${aws_vpc.n.id}\"", "unknown(aws_vpc.n)"),
        ("var.open", "unknown()"),
        ("true || var.open", "true"),
        ("try(local.map.c, \"none\")", "none"),
        ("can(local.map.c)", "false"),
        ("local.map.c", "unknown()"),
        ("coalesce(null, \"\", \"z\")", "z"),
        ("flatten([[1, [2]], 3])", "[1, 2, 3]"),
        ("distinct([1, 1, 2])", "[1, 2]"),
        ("toset([\"b\", \"a\", \"b\"])", "[a, b]"),
        ("merge({ a = 1 }, { b = 2 })", "{a=1, b=2}"),
        ("lookup(local.map, \"q\", 5)", "5"),
        ("format(\"%s-%03d\", \"a\", 7)", "a-007"),
        ("join(\",\", sort([\"b\", \"a\"]))", "a,b"),
        ("substr(\"hello\", 1, 3)", "ell"),
        ("substr(\"hello\", -3, -1)", "llo"),
        ("element([1, 2, 3], 4)", "2"),
        ("setproduct([1, 2], [\"a\"])", "[[1, a], [2, a]]"),
        ("range(3)", "[0, 1, 2]"),
        ("max(local.list...)", "3"),
        ("jsondecode(\"{\\\"a\\\": 0.1}\").a", "0.1"),
        ("sha256(\"x\")", "unknown()"),
    ] {
        check(expression, expected);
    }
}

#[test]
fn instances_blocks_and_modules() {
    let found = inventory(&[
        (
            "main.tf",
            "provider \"aws\" {\n region = \"eu-west-1\"\n}\nprovider \"aws\" {\n alias = \"us\"\n region = \"us-east-1\"\n}\n\
             module \"m\" {\n source = \"./parts/m\"\n for_each = toset([\"a\", \"b\"])\n size = each.key == \"a\" ? 1 : 2\n}\n\
             resource \"aws_top\" \"t\" {\n count = 2\n provider = aws.us\n n = count.index\n from = module.m[\"b\"].made\n}\n\
             resource \"aws_user\" \"u\" {\n for_each = { for t in aws_top.t : \"k${t.n}\" => t }\n top = each.value.id\n}\n",
        ),
        (
            "parts/m/main.tf",
            "variable \"size\" {}\nvariable \"o\" {\n type = object({ a = optional(number, 7) })\n default = {}\n}\n\
             resource \"aws_part\" \"p\" {\n size = var.size\n seven = var.o.a\n dynamic \"disk\" {\n for_each = [10, 20]\n content {\n gb = disk.value\n }\n }\n}\n\
             output \"made\" {\n value = aws_part.p.arn\n}\n",
        ),
    ]);
    let lines = found
        .resources
        .iter()
        .map(|r| format!("{} {:?} {} {:?}", r.address, r.provider_region, show(&r.values), r.references));
    expect_test::expect![[r#"
        aws_top.t[0] Some("us-east-1") {from=unknown(module.m["b"].aws_part.p), n=0} {"from": {"module.m[\"b\"].aws_part.p"}}
        aws_top.t[1] Some("us-east-1") {from=unknown(module.m["b"].aws_part.p), n=1} {"from": {"module.m[\"b\"].aws_part.p"}}
        aws_user.u["k0"] Some("eu-west-1") {top=unknown(aws_top.t[0])} {"top": {"aws_top.t[0]"}}
        aws_user.u["k1"] Some("eu-west-1") {top=unknown(aws_top.t[1])} {"top": {"aws_top.t[1]"}}
        module.m["a"].aws_part.p Some("eu-west-1") {disk=[{gb=10}, {gb=20}], seven=7, size=1} {}
        module.m["b"].aws_part.p Some("eu-west-1") {disk=[{gb=10}, {gb=20}], seven=7, size=2} {}"#]]
    .assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    assert_eq!(found.notes.told.len(), 0, "{:?}", found.notes);
}

#[test]
fn what_cannot_be_read_is_said() {
    let found = inventory(&[
        ("a.tf", "resource \"aws_x\" \"ok\" {\n n = 1\n}\n"),
        ("b.tf", "resource \"aws_x\" {{{\n"),
        (
            "c.tf",
            "module \"far\" {\n source = \"terraform-aws-modules/vpc/aws\"\n}\nresource \"aws_y\" \"many\" {\n for_each = data.aws_z.q.ids\n}\n",
        ),
    ]);
    assert_eq!(found.resources.len(), 1);
    let notes: Vec<_> = found.notes.told.iter().collect();
    assert!(notes.iter().any(|n| n.starts_with("b.tf is not HCL")), "{notes:?}");
    assert!(notes.iter().any(|n| n.contains("module.far comes from terraform-aws-modules/vpc/aws")), "{notes:?}");
    assert!(notes.iter().any(|n| n.contains("for_each is not known")), "{notes:?}");
}

#[test]
fn circles_depth_and_size_end() {
    let deep: String = (0..5_000).map(|i| format!("l{} = [local.l{i}]\n", i + 1)).collect();
    let wide: String = (0..60).map(|i| format!("w{} = [local.w{i}, local.w{i}]\n", i + 1)).collect();
    let uses: String = (0..5_000).map(|i| format!("a{i} = local.l{i}\n")).collect();
    let text = format!(
        "locals {{\n x = local.y\n y = local.x\n l0 = 1\n w0 = 1\n{deep}{wide}}}\nresource \"aws_a\" \"r\" {{\n c = local.x\n w = local.w60\n{uses}}}\n\
         resource \"aws_n\" \"n\" {{\n count = 1000000000\n}}\nmodule \"self\" {{\n source = \"./\"\n}}\n"
    );
    let found = inventory(&[("main.tf", &text)]);
    assert!(found.resources.len() <= limits::RESOURCES_MAX);
    assert!(found.notes.told.iter().any(|n| n.contains("refers to itself")), "{:?}", found.notes);
}
