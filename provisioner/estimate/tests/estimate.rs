//! From files to totals: tiers, free units, unknowns, budgets, comparisons; and the list of types in the documents.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own input has failed")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::expect;
use grid_estimate::compare::{self, Verdict};
use grid_estimate::read::hcl;
use grid_estimate::{Estimate, NoPrices, PriceFile, PriceSource, Usage, estimate, rules, show};
use grid_model::{Amount, Currency};

const MAIN: &str = r#"
provider "aws" {
  region = "eu-west-1"
}
resource "aws_instance" "web" {
  count         = 2
  instance_type = "m5.large"
  root_block_device {
    volume_type = "gp3"
    volume_size = 50
  }
}
resource "aws_apigatewayv2_api" "api" {
  protocol_type = "HTTP"
}
resource "aws_vpc" "net" {}
resource "aws_made_up" "x" {}
resource "aws_db_instance" "open" {
  instance_class = aws_made_up.x.class
}
"#;

const USAGE: &str = "resource_usage:\n  aws_apigatewayv2_api.api:\n    monthly_requests: 400000000\n";

const PRICES: &str = "component,unit,price\n\"Instance usage (Linux/UNIX, on-demand, m5.large)\",hours,0.107\n\
                      \"Storage (general purpose SSD, gp3)\",GB,0.088\nRequests (first 300M),1M requests,1.11\n";

fn made(main: &str, usage: &str, prices: &dyn PriceSource) -> Estimate {
    let files = BTreeMap::from([("main.tf".to_owned(), main.to_owned())]);
    let inventory = hcl::read(&files, BTreeMap::new()).unwrap();
    estimate(&inventory, &Usage::read("usage.yml", usage).unwrap(), prices, &Currency("USD".to_owned()))
}

#[test]
fn a_missing_price_is_unknown_and_the_total_a_bound() {
    let prices = PriceFile::read("prices.csv", PRICES).unwrap();
    expect![[r#"
        Name                                                Monthly qty  Unit         Monthly cost
        aws_apigatewayv2_api.api                                                        >= $333.00
          Requests (first 300M)                                     300  1M requests       $333.00
          Requests (over 300M)                                      100  1M requests       unknown
        aws_instance.web[0]                                                                 $82.51
          Instance usage (Linux/UNIX, on-demand, m5.large)          730  hours              $78.11
          root_block_device
            Storage (general purpose SSD, gp3)                       50  GB                  $4.40
        aws_instance.web[1]                                                                 $82.51
          Instance usage (Linux/UNIX, on-demand, m5.large)          730  hours              $78.11
          root_block_device
            Storage (general purpose SSD, gp3)                       50  GB                  $4.40
        Total                                                                           >= $498.02

        6 resources: 3 estimated, 1 free
        not in the total: 3 components unknown
        unknown: aws_db_instance.open: instance_class is known only after apply
        unsupported: aws_made_up.x: there is no rule for this type
    "#]]
    .assert_eq(&show::table::table(&made(MAIN, USAGE, &prices)));
}

#[test]
fn nothing_is_ever_a_silent_zero() {
    let estimate = made(MAIN, USAGE, &NoPrices);
    let json = show::json::json("main", &estimate, None, None);
    assert!(json["totalMonthlyCost"].is_null());
    let text = json.to_string();
    assert!(!text.contains("\"monthlyCost\":\"0\""), "{text}");
    assert_eq!(json["gridUnknown"], 8);
}

#[test]
fn a_budget_holds_only_if_all_is_known() {
    let prices = PriceFile::read("prices.csv", PRICES).unwrap();
    let web = MAIN.split("resource \"aws_apigatewayv2_api\"").next().unwrap();
    let known = made(web, "", &prices);
    let amount = |text: &str| Amount::parse(text).unwrap().0;
    assert_eq!(known.total.monthly, amount("165.02"));
    assert_eq!(compare::budget(&known.total, amount("165.02")), Verdict::Within);
    assert_eq!(compare::budget(&known.total, amount("165.01")), Verdict::Above);
    let open = made(MAIN, USAGE, &prices);
    assert_eq!(compare::budget(&open.total, amount("100000")), Verdict::Unknown);
    assert_eq!(compare::budget(&open.total, amount("1")), Verdict::Above);
}

#[test]
fn two_options_differ_by_what_is_known() {
    let prices = PriceFile::read("prices.csv", PRICES).unwrap();
    let web = MAIN.split("resource \"aws_apigatewayv2_api\"").next().unwrap();
    let (before, after) =
        (made(web, "", &prices), made(&web.replace("= 2", "= 1").replace("= 50", "= 100"), "", &prices));
    let comparison = compare::compare(&before, &after).unwrap();
    expect![[r#"
        Name                    Before   After  Difference
        ~ aws_instance.web[0]   $82.51  $86.91      +$4.40
        - aws_instance.web[1]   $82.51       -     -$82.51
        Total                  $165.02  $86.91     -$78.11

        1 resources: 1 estimated, 0 free
    "#]]
    .assert_eq(&show::table::comparison(&before, &after, &comparison));
}

#[test]
fn the_document_lists_every_type() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/estimates.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut list = String::from("| service | types |\n|---|---|\n");
    let mut services: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (kind, service, _) in rules::priced() {
        services.entry((kind.split('_').next().unwrap(), service)).or_default().push(kind);
    }
    for ((_, service), kinds) in &services {
        let kinds: Vec<_> = kinds.iter().map(|k| format!("`{k}`")).collect();
        writeln!(list, "| {service} | {} |", kinds.join(", ")).unwrap();
    }
    let free = rules::free().count();
    writeln!(list, "\n{} types are estimated, {free} more are known to be free.", rules::priced().count()).unwrap();
    let (begin, end) = ("UPDATE_EXPECT=1 -->\n", "<!-- end of types -->");
    let (head, rest) = text.split_once(begin).unwrap();
    let (_, tail) = rest.split_once(end).unwrap();
    let wanted = format!("{head}{begin}{list}{end}{tail}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    assert!(text == wanted || std::env::var_os("UPDATE_EXPECT").is_some(), "docs/estimates.md is old: UPDATE_EXPECT=1");
}
