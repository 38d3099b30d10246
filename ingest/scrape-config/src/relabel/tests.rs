#![allow(clippy::unwrap_used)]
use super::*;

fn rule(text: &str) -> Result<Rule, String> {
    let mut rule = RuleText::default();
    for (key, value) in text.split_whitespace().map(|w| w.split_once('=').unwrap()) {
        let value = value.replace('·', "");
        match key {
            "from" => rule.source_labels = value.split(',').map(str::to_owned).collect(),
            "sep" => rule.separator = Some(value),
            "re" => rule.regex = Some(value),
            "mod" => rule.modulus = Some(value.parse().unwrap()),
            "to" => rule.target_label = Some(value),
            "with" => rule.replacement = Some(value),
            "do" => rule.action = Some(value),
            _ => panic!("{key}"),
        }
    }
    Rule::new(rule, |name| !name.is_empty())
}

/// Rules divided by `|`; `dropped`, or the labels that are left. `·` writes an empty value.
#[test]
fn rules_do_what_prometheus_does() {
    for (labels, rules, want) in [
        ("a=foo b=bar", "from=a re=f(.*) to=d with=ch${1}-ch${1}", "a=foo b=bar d=choo-choo"),
        ("a=foo b=bar", "from=a,b re=f(.*);(.*)r to=a with=b${1}${2}", "a=booba b=bar"),
        ("a=foo", "from=a re=o to=x with=y", "a=foo"),
        ("a=foo", "from=a re=.*o.* do=drop", "dropped"),
        ("a=foo", "from=a re=.*b.* do=drop", "a=foo"),
        ("a=foo", "from=a re=no-match do=keep", "dropped"),
        ("a=foo", "from=a re=f.* do=keep", "a=foo"),
        ("a=foo", "from=missing re=· do=keep", "a=foo"),
        ("a=foo b=bar", "from=a re=foo to=b with=·", "a=foo"),
        ("a=foo b=bar", "from=a,b sep=- re=foo-bar to=c with=yes", "a=foo b=bar c=yes"),
        ("a=foo b=bar", "from=a,b sep=· to=c", "a=foo b=bar c=foobar"),
        ("a=foo", "to=c with=fixed", "a=foo c=fixed"),
        ("a=boo", "from=a re=(b.*) to=label_$1 with=new_$1", "a=boo label_boo=new_boo"),
        ("a=boo", "from=a re=(b.*) to=${1}_x with=$1_y", "a=boo"),
        ("a=boo", "from=a re=x(.*) to=${1} with=y", "a=boo"),
        ("a=boo", "from=a re=boo(.*) to=${1} with=y", "a=boo"),
        ("a=boo", "from=a re=(?P<n>b)oo to=c with=$n$$", "a=boo c=b$"),
        ("c=baz", "from=c to=d mod=1000 do=hashmod", "c=baz d=976"),
        ("a=foo b=bar", "from=a,b to=d mod=1000 do=hashmod", "a=foo b=bar d=750"),
        ("b1=1 b2=2 c=3", "re=b(.*) with=bar_${1} do=labelmap", "b1=1 b2=2 bar_1=1 bar_2=2 c=3"),
        ("__meta_x_y=1 a=2", "re=__meta_(.+) do=labelmap", "__meta_x_y=1 a=2 x_y=1"),
        ("a=1 b1=2 b2=3", "re=b. do=labeldrop", "a=1"),
        ("a=1 b1=2 b2=3", "re=b. do=labelkeep", "b1=2 b2=3"),
        ("a=FoO", "from=a to=a do=lowercase", "a=foo"),
        ("a=Straße b=é", "from=a,b to=c do=Uppercase", "a=Straße b=é c=STRASSE;É"),
        ("__tmp_port=1234 port=1234", "from=__tmp_port to=port do=keepequal", "__tmp_port=1234 port=1234"),
        ("__tmp_port=1234 port=99", "from=__tmp_port to=port do=keepequal", "dropped"),
        ("__tmp_port=1234 port=1234", "from=__tmp_port to=port do=dropequal", "dropped"),
        ("__tmp_port=1234 port=99", "from=__tmp_port to=port do=dropequal", "__tmp_port=1234 port=99"),
        ("a=1", "from=a to=b | from=b to=c | re=a do=labeldrop", "b=1 c=1"),
        ("a=1", "from=a re=1 do=drop | to=b with=x", "dropped"),
    ] {
        let rules: Vec<Rule> = rules.split('|').map(|r| rule(r).unwrap()).collect();
        let mut map: LabelMap = labels.split_whitespace().map(|p| p.split_once('=').unwrap()).collect();
        let got = if apply(&rules, &mut map) {
            map.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
        } else {
            "dropped".to_owned()
        };
        assert_eq!(got, want, "{labels}");
    }
}

#[test]
fn a_dot_takes_line_feeds() {
    let mut labels: LabelMap = [("a", "x\ny")].into_iter().collect();
    assert!(apply(&[rule("from=a re=x.y to=b with=z").unwrap()], &mut labels));
    assert_eq!(labels.get("b"), "z");
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    for (text, why) in [
        ("do=twist", "unknown relabel action"),
        ("from=a do=hashmod to=b", "modulus above 0"),
        ("from=a", "needs a target_label"),
        ("from=a do=lowercase", "needs a target_label"),
        ("from=a do=lowercase to=b with=x", "takes no replacement"),
        ("from=a do=keepequal to=b re=x", "takes only source_labels"),
        ("re=a do=labeldrop to=b", "takes only a regex"),
        ("from=a re=( to=b", "relabel regex"),
    ] {
        let error = rule(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    let legacy = |to: &str| {
        let text = RuleText { target_label: Some(to.to_owned()), ..RuleText::default() };
        Rule::new(text, crate::labels::is_legacy_label_name)
    };
    assert!(legacy("a_b").is_ok() && legacy("${1}_b").is_ok());
    assert!(legacy("a.b").is_err());
}
