//! What SQL sees of the desk.
use grid_model::lent::{actions, audit, plans, releases, savings};
use grid_model::{Amount, Lent, TenantId};
use serde_json::json;

use super::{Bed, advice, by, tenant};

fn money(text: &str) -> Option<Amount> {
    Some(Amount::parse(text).unwrap().0)
}

#[tokio::test]
async fn what_is_kept_is_rows_of_tables() {
    let bed = Bed::new().await;
    bed.create(json!({ "verify_hours": 2, "policy": {
        "autonomy": "automatic",
        "limits": { "adds_max": "0", "saves_max": null, "risk_max": 0.05, "steps_max": 1, "blast_max": 0, "moved_max": "100" },
        "two_people_for_errors": true,
    } }))
    .await;
    bed.submit("ada").await.unwrap();
    let id = bed.environment().await["resources"][1]["id"].as_str().unwrap().to_owned();
    bed.desk.accept(&tenant(), &advice("rightsize", "t3.large", &id), &by("ada")).await.unwrap().unwrap();
    let tables = bed.desk.tables();
    let read = |table| {
        let tables = tables.clone();
        async move { tables.rows(&tenant(), table).await.unwrap() }
    };

    let deeds = audit::read(&read(Lent::Audit).await).unwrap();
    assert!(deeds.windows(2).all(|two| two[0].audit_id > two[1].audit_id), "{deeds:?}");
    let made = deeds.last().unwrap();
    assert_eq!(
        (made.actor.as_str(), made.action.as_str(), made.subject.as_str()),
        ("ada", "environment.create", "prod")
    );
    assert_eq!(made.time.to_string(), "2026-10-28T00:00:00.000000000Z");

    let made = plans::read(&read(Lent::Plans).await).unwrap();
    let first = made.iter().find(|p| p.creates == 2).unwrap();
    assert_eq!(
        (first.monthly_delta, first.monthly_cost, first.currency.as_str()),
        (money("72.48"), money("72.48"), "USD")
    );
    assert_eq!((first.goal.as_str(), first.unknown_costs), ("apply", 0));

    let all = releases::read(&read(Lent::Releases).await).unwrap();
    let of = |name: &str| all.iter().find(|r| r.release_id == name).unwrap();
    assert_eq!((of("prod-1").state.as_str(), of("prod-1").monthly_delta), ("done", money("72.48")));
    assert_eq!(
        (of("prod-2").approved_by.as_deref(), of("prod-2").monthly_delta),
        (Some("policy of prod"), money("-35.04"))
    );
    assert_eq!(of("prod-2").recommendation_id.as_deref(), Some("r-1"));
    assert!(made.iter().any(|p| p.plan_id == of("prod-2").plan_id));

    let under_way = actions::read(&read(Lent::Actions).await).unwrap();
    assert_eq!((under_way.len(), under_way[0].state.as_str()), (1, "verifying"));
    assert_eq!((under_way[0].monthly_cost_before, under_way[0].monthly_cost_after), (money("72.48"), money("37.44")));
    assert_eq!(under_way[0].proposed.as_deref(), Some("\"t3.large\""));

    // The ledger: what was promised first, what bills say later, without anybody asking.
    let check = async |expected: (&str, Option<Amount>)| {
        let entries = savings::read(&read(Lent::Savings).await).unwrap();
        assert_eq!((entries[0].outcome.as_str(), entries[0].realised_saving), expected);
        assert_eq!(entries[0].predicted_saving, money("35").unwrap());
    };
    check(("under_way", None)).await;
    bed.later(3).await;
    check(("not_billed_yet", None)).await;
    *bed.world.billed.lock() = Some((money("70").unwrap(), money("40").unwrap()));
    bed.later(2).await;
    check(("less", money("30"))).await;

    let stranger = TenantId::parse("stranger").unwrap();
    for table in Lent::ALL {
        assert_eq!(tables.rows(&stranger, table).await.unwrap().num_rows(), 0, "{}", table.name());
        assert_eq!(read(table).await.schema(), table.schema(), "{}", table.name());
    }
}
