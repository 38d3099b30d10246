//! The bar: every lever against moto, from a recommendation to a verified change; what moto lacks is listed, and nothing else.

use std::collections::BTreeMap;

use grid_act::Executor;
use grid_act::acting::Realised;
use grid_act::executor::TOKEN_TAG;
use grid_act::run::Outcome;
use grid_aws::lever::{Does, LEVERS, levers_of};
use grid_aws::page::table;
use grid_plan::Address;
use grid_tests::{figure, repository, skip};

use crate::fixtures::{Case, is_gone, stage};
use crate::support::{World, act, advice, aws, moto};

#[tokio::test]
async fn every_lever_from_recommendation_to_ledger() -> anyhow::Result<()> {
    let moto = match moto().await? {
        Ok(moto) => moto,
        Err(reason) => return skip("aws_levers", reason),
    };
    let region = "eu-central-1";
    let (cloud, stage) = (aws(&moto, region).await, stage(&moto, region).await?);
    let (mut wrong, mut proven, mut lacking, mut whole) = (Vec::new(), 0, Vec::new(), Vec::new());
    for case in stage.cases() {
        let (fine, lacks) = kind(&cloud, &case, &mut wrong).await;
        if lacks.is_empty() && fine == levers_of(case.kind).filter(|l| !matches!(l.does, Does::Fix(_))).count() {
            whole.push(case.kind);
        }
        proven += fine;
        lacking.extend(lacks);
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    let all = LEVERS.iter().filter(|l| !matches!(l.does, Does::Fix(_))).count();
    assert_eq!(proven + lacking.len(), all, "every lever was tried");
    proof(&whole);
    figure(
        "aws_levers",
        proven + lacking.len() == all,
        format!("{proven} of {all} levers of 13 types; moto 5.2.5 lacks {}: {}", lacking.len(), lacking.join(", ")),
    );
    Ok(())
}

/// Makes one of a kind, changes each field that can be changed, and deletes it: how many levers worked, and which moto lacks.
async fn kind(cloud: &grid_aws::Aws, case: &Case, wrong: &mut Vec<String>) -> (usize, Vec<String>) {
    let (mut proven, mut lacking) = (0, Vec::new());
    let mut world = World::new(grid_aws::kinds());
    let address = Address::new(case.kind, "a").unwrap();
    world.want(&address, &case.made);
    if let Some(why) = levers_of(case.kind).find(|l| l.does == Does::Create).and_then(|l| l.lacks) {
        assert!(world.settle(cloud).await.is_err(), "moto has {why} by now: say so");
        let all = levers_of(case.kind).filter(|l| !matches!(l.does, Does::Fix(_)));
        lacking.extend(all.map(|l| format!("{} {:?} ({why})", case.kind, l.does)));
        return (proven, lacking);
    }
    let dry = world.dry(&world.plan(), cloud).await;
    assert!(matches!(dry.outcomes[0].1, Outcome::WouldDo(_)), "{:?}", dry.outcomes);
    if let Err(why) = world.settle(cloud).await {
        wrong.push(format!("{}: create: {why}", case.kind));
        return (proven, lacking);
    }
    proven += 1;
    let id = world.state.resources[&address].id.clone();
    let mut left: BTreeMap<&str, _> = case.changes.iter().map(|(path, to)| (*path, to.clone())).collect();
    for lever in levers_of(case.kind) {
        let Does::Change(name) = lever.does else { continue };
        let says = |path: &&str| match name {
            "machine" => ["size", "machine_type.aws", "memory_gib"].contains(path),
            // One call takes both: the archive stands for its bucket too.
            "source" => *path == "archive",
            name => *path == name || path.starts_with(&format!("{name}.")),
        };
        let Some(path) = case.changes.iter().map(|(path, _)| *path).find(says) else {
            wrong.push(format!("{}: nothing tries {name}", case.kind));
            continue;
        };
        if name == "source" {
            proven += 1;
            continue;
        }
        let to = left.remove(path).unwrap();
        match (act(&mut world, cloud, advice(&address, path, &to)).await, lever.lacks) {
            (Ok(entry), None) => {
                assert!(matches!(entry.realised, Realised::Saved(_)) && entry.is_as_predicted() == Some(true));
                proven += 1;
            }
            (Err(_), Some(call)) => lacking.push(format!("{} {name} ({call})", case.kind)),
            (Err(why), None) => wrong.push(format!("{}: {path}: {why}", case.kind)),
            (Ok(_), Some(call)) => wrong.push(format!("{}: moto has {call} by now: say so", case.kind)),
        }
    }
    // What protects itself is let go first.
    if case.changes.iter().any(|(path, _)| *path == "protect") {
        world.environment.overrides.retain(|o| o.path.to_string() != "protect");
        if let Err(why) = world.settle(cloud).await {
            wrong.push(format!("{}: unprotect: {why}", case.kind));
        }
    }
    world.blueprint.resources.clear();
    world.environment.overrides.clear();
    match world.settle(cloud).await {
        Ok(()) if is_gone(cloud, &address, &id).await => proven += 1,
        Ok(()) => wrong.push(format!("{}: {id} is still there", case.kind)),
        Err(why) => wrong.push(format!("{}: delete: {why}", case.kind)),
    }
    (proven, lacking)
}

/// What was proven is kept beside the types, whose table of tiers is made of it.
fn proof(kinds: &[&str]) {
    let path = repository().join("provisioner/types/emulated.csv");
    let text: String = kinds.iter().map(|kind| format!("{kind},aws\n")).collect();
    let text = format!("type,cloud\n{text}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "UPDATE_EXPECT=1 writes {}", path.display());
}

#[test]
fn the_page_has_the_table() {
    let page = std::fs::read_to_string(repository().join("docs/aws.md")).unwrap_or_default();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let (before, after) = ("<!-- levers -->\n", "<!-- end of levers -->\n");
        let (head, rest) = page.split_once(before).unwrap();
        let tail = rest.split_once(after).unwrap().1;
        std::fs::write(repository().join("docs/aws.md"), format!("{head}{before}{}{after}{tail}", table())).unwrap();
        return;
    }
    assert!(page.contains(&table()), "docs/aws.md is old: UPDATE_EXPECT=1 writes it");
}

#[tokio::test]
async fn a_token_is_found_and_a_creation_is_not_doubled() -> anyhow::Result<()> {
    let moto = match moto().await? {
        Ok(moto) => moto,
        Err(reason) => return skip("aws_levers", reason),
    };
    let region = "eu-west-3";
    let (cloud, stage) = (aws(&moto, region).await, stage(&moto, region).await?);
    for case in stage.cases() {
        let address = Address::new(case.kind, "b").unwrap();
        let mut world = World::new(grid_aws::kinds());
        world.want(&address, &case.made);
        let plan = world.plan();
        let token = grid_act::executor::Token::of(plan.id, &address, plan.steps[0].action);
        assert_eq!(cloud.find(&address, &token).await?, None, "{}", case.kind);
        let fields = plan.steps[0].after.clone().unwrap();
        let call = grid_act::executor::Call {
            address: &address,
            action: plan.steps[0].action,
            before: None,
            fields: &fields,
            token: &token,
        };
        let first = cloud.apply(&call).await?;
        let again = cloud.apply(&call).await?;
        assert_eq!(first, again, "{}: moto ignores tokens, and still there is one", case.kind);
        // Moto puts no tags on node groups that are there.
        let found = (case.kind != "node_pool").then_some(first.id);
        assert_eq!(cloud.find(&address, &token).await?.map(|o| o.id), found, "{} by {TOKEN_TAG}", case.kind);
    }
    let counts = cloud.inventory(grid_model::Timestamp(0)).await;
    // Machines of groups and of pools are there beside the one that was made.
    for case in stage.cases().iter().filter(|c| c.kind != "vm") {
        let (is, of) = (counts.counts().get(case.kind).copied(), case.kind);
        let disks =
            counts.rows.iter().filter(|r| r.kind == "block_disk" && r.tags.contains_key("grid:resource")).count();
        assert_eq!(if of == "block_disk" { Some(disks) } else { is }, Some(1), "{of}");
    }
    Ok(())
}
