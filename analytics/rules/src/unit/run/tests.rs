use super::*;
use crate::file::{ParseOptions, RuleFile};
use expect_test::{Expect, expect};

const RULES: &str = "
groups:
- name: alerts
  rules:
  - alert: Down
    expr: up == 0
    for: 5m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.instance }} of {{ $externalLabels.region }} is down'}
- name: records
  rules:
  - record: up:count
    expr: count(up)
";

fn check(tests: &str, expected: Expect) {
    let (rules, problems) = RuleFile::parse(RULES, &ParseOptions::default());
    assert_eq!(problems, []);
    let groups: Vec<_> = rules.groups.into_iter().map(Arc::new).collect();
    let said = match UnitFile::parse(tests, &ParseOptions::default()) {
        Ok(file) => {
            let failures = run(&file, &groups, &RunOptions::default(), &|_| true);
            failures.iter().map(|f| format!("FAILED\n{f}\n")).collect::<String>()
        }
        Err(problems) => problems.iter().map(|p| format!("{p}\n")).collect(),
    };
    expected.assert_eq(&said);
}

#[test]
fn what_is_as_expected_says_nothing() {
    check(
        r#"
evaluation_interval: 1m
tests:
- interval: 1m
  external_labels: {region: eu}
  input_series:
  - {series: 'up{instance="a"}', values: '1 0x10'}
  - {series: 'up{instance="b"}', values: '1x11'}
  - {series: latency, values: '{{schema:0 sum:5 count:4 buckets:[1 2 1]}}x5'}
  alert_rule_test:
  - {eval_time: 5m, alertname: Down}
  - eval_time: 6m30s
    alertname: Down
    exp_alerts:
    - exp_labels: {severity: page, instance: a}
      exp_annotations: {summary: a of eu is down}
  promql_expr_test:
  - {expr: 'up:count', eval_time: 3m, exp_samples: [{labels: up:count, value: 2}]}
  - {expr: 'ALERTS{alertstate="pending"}', eval_time: 1m, exp_samples: [{labels: 'ALERTS{alertname="Down",alertstate="pending",instance="a",severity="page"}', value: 1}]}
  - {expr: 'latency', eval_time: 0, exp_samples: [{labels: latency, histogram: '{{schema:0 sum:5 count:4 buckets:[1 2 1]}}'}]}
- start_timestamp: 2024-01-01T00:00:00Z
  promql_expr_test:
  - {expr: time(), eval_time: 5m, exp_samples: [{value: 1704067500}]}
"#,
        expect![""],
    );
}

#[test]
fn what_differs_is_shown_in_full_and_in_short() {
    check(
        r#"
tests:
- name: first
  input_series:
  - {series: 'up{instance="a"}', values: '0x10'}
  alert_rule_test:
  - eval_time: 10m
    alertname: Down
    exp_alerts:
    - exp_labels: {severity: page, instance: b}
  promql_expr_test:
  - {expr: up, eval_time: 1m, exp_samples: [{labels: 'up{instance="a"}', value: 1}]}
  - {expr: 'up +', eval_time: 1m}
  - {expr: 'up * NaN', eval_time: 1m, exp_samples: [{labels: '{instance="a"}', value: .nan}]}
"#,
        expect![[r#"
            FAILED
                name: first,
                alertname: Down, time: 10m,
                    exp:[
                        0:
                          Labels:{alertname="Down", instance="b", severity="page"}
                          Annotations:{}
                        ],
                    got:[
                        0:
                          Labels:{alertname="Down", instance="a", severity="page"}
                          Annotations:{summary="a of  is down"}
                        ]
                    - {alertname="Down", instance="b", severity="page"} {}
                    + {alertname="Down", instance="a", severity="page"} {summary="a of  is down"}
            FAILED
                name: first,
                expr: "up", time: 1m,
                    exp: {__name__="up", instance="a"} 1
                    got: {__name__="up", instance="a"} 0
                    - {__name__="up", instance="a"} 1
                    + {__name__="up", instance="a"} 0
            FAILED
                name: first,
                expr: "up +", time: 1m, err: 1:5: parse error: unexpected end of input
            FAILED
                name: first,
                expr: "up * NaN", time: 1m,
                    exp: {instance="a"} NaN
                    got: {instance="a"} NaN
                    - {instance="a"} NaN
                    + {instance="a"} NaN
                    hint: NaN is equal to nothing, itself included; test `expr != expr` instead
        "#]],
    );
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    check(
        "tests:\n- input_series:\n  - {series: 'up{', values: '1'}\n  - {series: up, values: '1x'}\n  alert_rule_tests: []\n  alert_rule_test:\n  - {eval_time: 5m}\ngroup_eval_order: [a, a]\n",
        expect![[r#"
            1:1: group name repeated in evaluation order: a
            3:14: series: 1:4: parse error: unexpected end of input inside braces
            4:26: values: "" is no number of times (at most 100000)
            5:3: field alert_rule_tests not found in a test
            7:5: an item under alert_rule_test misses required attribute alertname
        "#]],
    );
}
