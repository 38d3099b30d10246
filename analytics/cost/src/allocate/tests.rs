use expect_test::{Expect, expect};
use grid_model::time::HOUR_NS;

use super::*;
use crate::rules::Field;
use crate::split::Weight;
use crate::weights::User;

/// Charges as `currency resource cost field=value...`, one a line; the fields by their names in rules.
fn check(rules: &str, charges: &str, weights: &Weights, expected: Expect) {
    let rules = match Rules::parse(rules) {
        Ok(rules) => rules,
        Err(mistakes) => panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    let name = |f: &Field| match f {
        Field::Column(c) => c.name().to_owned(),
        Field::Tag(key) => format!("tag.{key}"),
        Field::Extra(key) => format!("x.{key}"),
        Field::Account => "account".to_owned(),
        Field::Provider => "provider".to_owned(),
    };
    let mut allocator = Allocator::new(&rules, weights);
    let mut out = String::new();
    for pass in 0..2 {
        for line in charges.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let field = |f: &Field| {
                let name = name(f);
                words.iter().find_map(|w| w.strip_prefix(&format!("{name}="))).unwrap_or_default()
            };
            let fields: Vec<&str> = rules.fields.iter().map(field).collect();
            let charge = Charge {
                start: Timestamp(0),
                end: Timestamp(HOUR_NS),
                currency: words[0],
                cost: Amount::parse(words[2]).unwrap().0,
                resource: words[1],
                fields: &fields,
                unused: words.contains(&"unused"),
            };
            if pass == 0 {
                allocator.observe(&charge).unwrap();
                continue;
            }
            let mut rows = Vec::new();
            allocator.allocate(&charge, &mut rows).unwrap();
            for row in rows {
                let owner = row.owner.as_deref().unwrap_or("-");
                let dimensions: Vec<String> = row.dimensions.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let (kind, rule) = (row.kind.name(), &row.rule);
                out.push_str(&format!("{} {kind} {owner} {} [{rule}] {}\n", words[1], row.cost, dimensions.join(" ")));
            }
        }
    }
    for (currency, sums) in &allocator.summary().sums {
        assert_eq!(sums.difference(), Amount::ZERO, "{currency:?}");
        assert!(sums.idle.0 >= 0);
    }
    expected.assert_eq(&out);
}

#[test]
fn tags_accounts_and_drift() {
    check(
        r#"
[[dimension]]
name = "environment"
from = ["tag.env", "tag.Env"]
values = { production = ["prod*", "live"] }
default = "unknown"

[owners.payments]
aliases = ["pay-*", "Payment Team"]
team = "core"

[[rule]]
name = "sandbox accounts"
match = { account = ["111", "22*"] }
not = { tag.keep = "*" }
assign = { owner = "{account}", team = "labs" }

[[rule]]
name = "tag"
assign = { owner = "{tag.owner}" }

[[rule]]
name = "support"
match = { service = "/(?i)support/" }
unallocated = true
"#,
        "
        USD r1 1.5 account=111 tag.env=PRODUCTION
        USD r2 2 account=333 tag.owner=PAY-team tag.Env=dev
        USD r3 3 account=333 tag.owner=payments tag.keep=1
        USD r4 4 account=227 tag.keep=1 tag.owner=Search
        USD r5 5 service_name=AWSSupport
        USD r6 -6
        USD r7 7 unused
        USD r8 -8 unused
        ",
        &Weights::default(),
        expect![[r#"
            r1 allocated 111 1.5 [sandbox accounts] environment=production team=labs
            r2 allocated payments 2 [tag] environment=dev team=core
            r3 allocated payments 3 [tag] environment=unknown team=core
            r4 allocated Search 4 [tag] environment=unknown
            r5 unallocated - 5 [support] 
            r6 unallocated - -6 [] 
            r7 idle - 7 [unused commitment] 
            r8 unallocated - -8 [unused commitment] 
        "#]],
    );
}

#[test]
fn shared_costs_are_split_and_sum_up() {
    check(
        r#"
[[rule]]
name = "shared network"
match = { service = "vpc" }
split = { by = "proportional" }

[[rule]]
name = "even"
match = { service = "logs" }
split = { by = "even", to = ["a", "b", "c"] }

[[rule]]
name = "contract"
match = { service = "support" }
split = { by = "fixed", shares = { a = 60, b = 39.5, c = 0.5 }, dimensions = { project = "support" } }

[[rule]]
name = "orphans"
match = { service = "gone" }
split = { by = "proportional", to = ["x", "y"] }

[[rule]]
name = "tag"
assign = { owner = "{tag.owner}" }
"#,
        "
        USD r1 1 tag.owner=a
        USD r2 2 tag.owner=b
        EUR r3 5 tag.owner=c
        USD r4 -0.5 tag.owner=d
        USD vpc 1 service_name=vpc
        EUR vpc 1 service_name=vpc
        GBP vpc 1 service_name=vpc
        USD logs -1 service_name=logs
        USD sup 100 service_name=support
        USD gone 3 service_name=gone
        USD zero 0 service_name=vpc
        ",
        &Weights::default(),
        expect![[r#"
            r1 allocated a 1 [tag] 
            r2 allocated b 2 [tag] 
            r3 allocated c 5 [tag] 
            r4 allocated d -0.5 [tag] 
            vpc allocated a 0.333333333333333333 [shared network] 
            vpc allocated b 0.666666666666666667 [shared network] 
            vpc allocated c 1 [shared network] 
            vpc unallocated - 1 [shared network] 
            logs allocated a -0.333333333333333334 [even] 
            logs allocated b -0.333333333333333333 [even] 
            logs allocated c -0.333333333333333333 [even] 
            sup allocated a 60 [contract] project=support
            sup allocated b 39.5 [contract] project=support
            sup allocated c 0.5 [contract] project=support
            gone unallocated - 3 [orphans] 
            zero unallocated - 0 [shared network] 
        "#]],
    );
}

#[test]
fn idle_and_overhead_are_shared() {
    check(
        r#"
[[share]]
of = "idle"
by = "proportional"

[[share]]
of = "platform"
by = "even"
to = ["a", "b", "platform"]

[[rule]]
name = "tag"
assign = { owner = "{tag.owner}" }
"#,
        "
        USD r1 1 tag.owner=a
        USD r2 3 tag.owner=b
        USD r3 10 tag.owner=platform
        USD r4 8 unused
        EUR r5 8 unused
        ",
        &Weights::default(),
        expect![[r#"
            r1 allocated a 1 [tag] 
            r2 allocated b 3 [tag] 
            r3 allocated a 5 [tag > share of platform] 
            r3 allocated b 5 [tag > share of platform] 
            r4 allocated a 2 [unused commitment > share of idle] 
            r4 allocated b 6 [unused commitment > share of idle] 
            r5 idle - 8 [unused commitment] 
        "#]],
    );
}

#[test]
fn measurements_split_by_resource_and_hour() {
    let mut weights = Weights::default();
    let user = |owner: Option<&str>, pod: &str| User {
        owner: owner.map(Arc::from),
        dimensions: vec![(Arc::from("pod"), Arc::from(pod))],
    };
    for (owner, pod, units) in [(Some("shop"), "cart", 3), (Some("shop"), "pay", 1), (None, "", 4)] {
        weights.add("cluster", "i-0abc12345678", Timestamp(5), user(owner, pod), Weight::new(units));
    }
    for (hour, owner, units) in [(0, "a", 1), (0, "b", 2), (1, "b", 100)] {
        let user = User { owner: Some(Arc::from(owner)), dimensions: Vec::new() };
        weights.add("requests", "", Timestamp(hour * HOUR_NS), user, Weight::new(units));
    }
    check(
        r#"
[metric.cluster]
kubernetes = true

[metric.requests]
promql = "sum by (team) (increase(requests_total[1h]))"
owner = "team"

[[rule]]
name = "nodes"
match = { service = "ec2" }
split = { by = "metric", metric = "cluster" }

[[rule]]
name = "per request"
match = { service = "gateway" }
split = { by = "metric", metric = "requests" }

[[rule]]
name = "idle rest"
match = { service = "ec2-spare" }
idle = true
"#,
        "
        USD arn:aws:ec2:eu-west-1:1:instance/i-0abc12345678 8 service_name=ec2
        USD i-0abc12345678 -8 service_name=ec2
        USD i-0fff12345678 2 service_name=ec2
        USD gw 3 service_name=gateway
        USD spare 3 service_name=ec2-spare
        USD spare -3 service_name=ec2-spare
        ",
        &weights,
        expect![[r#"
            arn:aws:ec2:eu-west-1:1:instance/i-0abc12345678 idle - 4 [nodes] pod=
            arn:aws:ec2:eu-west-1:1:instance/i-0abc12345678 allocated shop 3 [nodes] pod=cart
            arn:aws:ec2:eu-west-1:1:instance/i-0abc12345678 allocated shop 1 [nodes] pod=pay
            i-0abc12345678 allocated shop -6 [nodes] pod=cart
            i-0abc12345678 allocated shop -2 [nodes] pod=pay
            i-0fff12345678 unallocated - 2 [nodes] 
            gw allocated a 1 [per request] 
            gw allocated b 2 [per request] 
            spare idle - 3 [idle rest] 
            spare unallocated - -3 [idle rest] 
        "#]],
    );
}
