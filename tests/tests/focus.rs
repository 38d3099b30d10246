//! FOCUS conformance: our table of rules against the requirement model, Grid's verdicts against the public validator's, and the page
//! that says both (`docs/focus-conformance.md`; `UPDATE_EXPECT=1` writes it).

#[path = "focus/model.rs"]
mod model;
#[path = "focus/page.rs"]
mod page;
#[path = "focus/planted.rs"]
mod planted;
#[path = "focus/reasons.rs"]
mod reasons;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use grid_focus_rules::{Applicability, Check, Checker, Column, Report, Rule, RuleKind, Status, Version, table};
use grid_tests::{figure, peers, shared_data, skip};

use self::model::{Demand, Published};
use self::planted::{Bill, bills};

/// Verdicts of the public validator: by file, then by rule.
type Verdicts = BTreeMap<String, BTreeMap<String, (String, u64)>>;

#[test]
fn our_table_is_the_requirement_model() -> anyhow::Result<()> {
    let Some(data) = shared_data() else { return skip("focus_rules_table", "no ../shared/data here") };
    let text = std::fs::read_to_string(data.join("focus/requirements_model-1.2.json"))?;
    let published = model::read(&serde_json::from_str(&text)?)?;
    let ours: BTreeMap<&str, &Rule> = table::model().map(|r| (r.id, r)).collect();
    let (theirs, own): (BTreeSet<&str>, BTreeSet<&str>) =
        (published.keys().map(String::as_str).collect(), ours.keys().copied().collect());
    assert_eq!(own.symmetric_difference(&theirs).collect::<Vec<_>>(), Vec::<&&str>::new(), "ids of one side only");
    let mut wrong = Vec::new();
    for (id, theirs) in &published {
        let rule = ours[id.as_str()];
        if rule.kind.name() != theirs.kind || rule.keyword.name() != theirs.keyword || rule.needs != theirs.needs {
            wrong.push(format!("{id}: kind, keyword or criteria"));
        }
        // A rule whose published check is wrong says so, and may differ from it; no other may.
        if rule.defect.is_none() {
            wrong.extend(difference(rule, theirs));
        }
    }
    let measured = format!(
        "{} of {} rules, {} with a defect named",
        ours.len() - wrong.len(),
        published.len(),
        ours.values().filter(|r| r.defect.is_some()).count()
    );
    figure("focus_rules_table", wrong.is_empty(), measured);
    assert!(wrong.is_empty(), "{} of {} rules differ from the model:\n{}", wrong.len(), ours.len(), wrong.join("\n"));
    Ok(())
}

fn difference(rule: &Rule, theirs: &Published) -> Option<String> {
    let demand = theirs.demand.as_ref()?;
    let same = match demand {
        Demand::Check(check) => *check == rule.check,
        Demand::Parts(parts) => *parts == rule.parts(),
        Demand::Values(column, values) => {
            let own: BTreeSet<(String, String)> = match rule.check {
                Check::OneOf(c, own) if c == *column => own.iter().map(|v| ((*v).to_owned(), String::new())).collect(),
                Check::Child(c, tree) if c == *column => {
                    tree.iter().flat_map(|(_, own)| own.iter()).map(|v| ((*v).to_owned(), String::new())).collect()
                }
                Check::ChildOf(c, Column::ServiceCategory, tree) if c == *column => {
                    let pairs = tree.iter().flat_map(|(parent, own)| own.iter().map(move |v| (v, parent)));
                    pairs.map(|(v, parent)| ((*v).to_owned(), (*parent).to_owned())).collect()
                }
                _ => BTreeSet::new(),
            };
            own == *values
        }
    };
    let condition = model::same(&rule.when, &theirs.when);
    (!same || !condition).then(|| format!("{}: check {:?}, of rows {:?}", rule.id, rule.check, rule.when))
}

#[test]
fn every_static_rule_finds_the_violation_that_was_planted_for_it() -> anyhow::Result<()> {
    let reports: Vec<(Bill, Report)> = bills()
        .into_iter()
        .map(|b| {
            let r = report(&b);
            (b, r)
        })
        .collect();
    let (_, sound) = &reports[0];
    let failed: Vec<String> = sound.failed().iter().map(|r| format!("{} {:?}", r.rule.id, r.examples)).collect();
    assert!(failed.is_empty(), "the sound bill breaks {failed:?}");
    let found = |id: &str| reports.iter().any(|(_, r)| r.of(id).is_some_and(|r| r.status == Status::Failed));
    let cannot = |r: &Rule| {
        r.keyword == grid_focus_rules::Keyword::May
            || matches!(r.check, Check::Text(_) | Check::Itself(_) | Check::All(_))
    };
    let missed: Vec<&str> =
        table::model().filter(|r| r.kind == RuleKind::Static && !cannot(r) && !found(r.id)).map(|r| r.id).collect();
    // The mandatory columns that the file of few columns keeps are absent nowhere.
    let kept = [
        "CostAndUsage-D-006-M",
        "CostAndUsage-D-008-M",
        "CostAndUsage-D-013-C",
        "CostAndUsage-D-026-M",
        "CostAndUsage-D-032-M",
        "CostAndUsage-D-064-C",
    ];
    assert_eq!(missed, kept, "planted and not found");
    Ok(())
}

#[tokio::test]
async fn grid_and_the_public_validator_agree_or_differ_for_a_stated_reason() -> anyhow::Result<()> {
    let python = match peers::focus_python() {
        Ok(python) => python,
        Err(reason) => return skip("focus_rules", reason),
    };
    let folder = tempfile::tempdir()?;
    let mut files = BTreeMap::new();
    for bill in bills() {
        let path = folder.path().join(format!("{}.csv", bill.name));
        std::fs::write(&path, bill.csv()?)?;
        files.insert(path.to_str().context("write the path as text")?.to_owned(), report(&bill));
    }
    if let Some(data) = shared_data() {
        let path = data.join("focus/focus_sample_500.csv");
        files.insert(path.to_str().context("write the path as text")?.to_owned(), report_of_file(&path)?);
    }
    let paths: Vec<&str> = files.keys().map(String::as_str).collect();
    let printed = peers::run_python(&python, "focus_validate.py", &paths).await?;
    let theirs: Verdicts = serde_json::from_str(&printed).context("read the validator's verdicts")?;
    let compared = page::compare(&files, &theirs)?;
    let (agreeing, explained, unexplained) = compared.counts();
    let statics = agreeing + explained + unexplained.len();
    let measured = format!(
        "{} of {statics} static rules agree or differ for a stated reason ({agreeing} agree on all {} files, {explained} differ); {}",
        agreeing + explained,
        files.len(),
        page::dynamic_counts(),
    );
    let held = figure("focus_rules", statics == 420 && unexplained.is_empty(), measured);
    page::check_page(&compared)?;
    assert!(held, "differences without a reason:\n{}", unexplained.join("\n"));
    Ok(())
}

#[test]
fn rules_are_checked_faster_than_bills_are_read() {
    // The build of the tests is slower than a release, so that a bar which holds here holds there.
    let bill = &bills()[0];
    let header: Vec<&str> = bill.header.iter().map(String::as_str).collect();
    let mut checker = Checker::new(&header, Version::V1_2, Applicability::all());
    let rows: Vec<Vec<Option<&str>>> = bill
        .rows
        .iter()
        .map(|row| row.iter().map(|cell| Some(cell.as_str()).filter(|c| !c.is_empty())).collect())
        .collect();
    let (count, began) = (200_000u64, std::time::Instant::now());
    for (number, row) in (1..=count).zip(rows.iter().cycle()) {
        checker.row(number, row);
    }
    let report = checker.finish();
    let rate = count as f64 / began.elapsed().as_secs_f64();
    assert_eq!((report.rows, report.failed().len()), (count, 0));
    let measured = format!(
        "{rate:.0} rows/s of {} columns on one core, {} rules (build of the tests)",
        header.len(),
        report.rules.len()
    );
    figure("focus_rules_speed", rate >= 100_000.0, measured);
}

/// Grid's report on a planted bill, all criteria on, as the validator is told.
fn report(bill: &Bill) -> Report {
    let header: Vec<&str> = bill.header.iter().map(String::as_str).collect();
    let mut checker = Checker::new(&header, Version::V1_2, Applicability::all());
    for (i, row) in bill.rows.iter().enumerate() {
        checker.row_of(i as u64 + 1, |at| row.get(at).map(String::as_str));
    }
    checker.finish()
}

fn report_of_file(path: &std::path::Path) -> anyhow::Result<Report> {
    let mut reader = csv::Reader::from_path(path)?;
    let header = reader.headers()?.clone();
    let mut checker = Checker::new(&header.iter().collect::<Vec<_>>(), Version::V1_2, Applicability::all());
    for (i, record) in reader.records().enumerate() {
        let record = record?;
        checker.row_of(i as u64 + 1, |at| record.get(at));
    }
    Ok(checker.finish())
}
