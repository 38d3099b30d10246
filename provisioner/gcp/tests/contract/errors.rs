//! What a runner hears when the cloud is away, does not know who asks, is busy, or says no: what happened, where, and what to do.

use std::sync::Arc;

use grid_act::Executor;
use grid_act::executor::{Call, CloudError, Token};
use grid_act::simulated::SimulatedTime;
use grid_gcp::{Credentials, Gcp, Settings};
use grid_model::Timestamp;
use grid_plan::plan::Action;
use grid_plan::state::Observed;
use grid_plan::{Address, Fields};
use grid_tests::{figure, skip};
use serde_json::{Value, json};

use crate::contract::{Server, shown};
use crate::support::{SCRIPT, grid_with, group, group_id, object, scaler_id, vm, vm_id};

async fn update(cloud: &Gcp, name: &str, id: &str, fields: &Value) -> Result<Observed, CloudError> {
    let (address, fields) = (Address::parse(name).unwrap(), Fields::of_json(fields));
    let token = Token::of_text("grid-0123456789abcdef0123456789abcdef");
    let before = Observed { id: id.to_owned(), ..Observed::default() };
    let call =
        Call { address: &address, action: Action::Update, before: Some(&before), fields: &fields, token: &token };
    cloud.apply(&call).await
}

#[tokio::test]
async fn what_a_runner_hears() -> anyhow::Result<()> {
    let server = match Server::start(SCRIPT).await? {
        Ok(server) => server,
        Err(reason) => return skip("gcp_errors", reason),
    };
    let mut suspended = vm("n2-standard-2");
    suspended["status"] = json!("SUSPENDED");
    server.seed(json!({vm_id("web"): vm("n2-standard-2"), vm_id("rests"): suspended})).await?;
    server.seed(group("scaled", Some((2, 10)), false)).await?;
    let mut member = vm("n2-standard-2");
    let maker = "projects/17/regions/europe-west3/instanceGroupManagers/scaled";
    member["metadata"] = json!({"items": [{"key": "created-by", "value": maker}]});
    server.seed(json!({vm_id("member"): member})).await?;
    server.seed(group("rolls", None, false)).await?;
    let mut rolls = object(&server, &group_id("rolls")).await?;
    let second = rolls["versions"][0].clone();
    rolls["versions"].as_array_mut().unwrap().push(second);
    server.seed(json!({group_id("rolls"): rolls})).await?;
    let time = Arc::new(SimulatedTime::at(Timestamp(0)));
    let with = async |token: &str| grid_with(&server, time.clone(), token).await;
    let (admin, guest, nobody) = (with("all-rights").await?, with("few-rights").await?, with("nobody").await?);
    let busy = |status: u16, wait: &str| {
        json!({"method": "POST", "path": "/instances/web/stop", "times": 1, "status": status,
            "headers": {"retry-after": wait}, "body": {"error": {"code": status, "message": "busy"}}})
    };
    let often = json!({"error": {"code": 403, "message": "Quota exceeded for quota metric 'Mutate requests'"}});
    let too_often = json!({"method": "POST", "path": "/instances/web/stop", "times": 1, "status": 403, "body": often});
    let machine = |name: &str| json!({"machine_type": {"google": name}});
    let off = json!({"running": false});
    let (web, rests, scaled, rolling) = (vm_id("web"), vm_id("rests"), group_id("scaled"), group_id("rolls"));
    let mut heard = 0;
    for (cloud, fault, name, id, fields, expected, words) in [
        (&guest, None, "vm.web", &web, off.clone(), "refused", "docs/gcp.md"),
        (&nobody, None, "vm.web", &web, off.clone(), "refused", "does not know who asks"),
        (&admin, Some(busy(429, "7")), "vm.web", &web, off.clone(), "again Some(7)", "busy"),
        (&admin, Some(busy(503, "2")), "vm.web", &web, off.clone(), "again Some(2)", "busy"),
        (&admin, Some(busy(500, "2")), "vm.web", &web, off.clone(), "lost", "busy"),
        (&admin, Some(too_often), "vm.web", &web, off.clone(), "again None", "Quota exceeded for quota metric"),
        (&admin, None, "vm.web", &web, machine("x9-nothing"), "refused", "was not found"),
        (&admin, None, "vm.web", &web, machine("n2-standard-128"), "refused", "QUOTA_EXCEEDED"),
        (&admin, None, "vm.rests", &rests, off.clone(), "ok", ""),
        (&admin, None, "vm.rests", &rests, json!({"running": true}), "refused", "is suspended"),
        (&admin, None, "vm.member", &vm_id("member"), off.clone(), "refused", "is a machine of projects/17/"),
        (&admin, None, "vm.gone", &vm_id("gone"), off.clone(), "refused", "there is no vm"),
        (
            &admin,
            None,
            "autoscaling_group.scaled",
            &scaled,
            json!({"min": 9, "max": 3}),
            "refused",
            "must not be above",
        ),
        (&admin, None, "autoscaling_group.rolls", &rolling, machine("n2-standard-2"), "refused", "several templates"),
        (&admin, None, "postgresql.db", &web, json!({}), "unsupported", "gcp cannot update postgresql"),
    ] {
        if let Some(fault) = fault {
            server.fault(fault).await?;
        }
        let answer = update(cloud, name, id, &fields).await;
        let is = answer.as_ref().map_or_else(shown, |_| "ok".to_owned());
        assert_eq!(is, expected, "{name} {fields}: {answer:?}");
        assert!(answer.map_or_else(|e| e.to_string(), |_| String::new()).contains(words), "{name} {fields}");
        heard += 1;
    }
    // What has no quota for its new machine runs again with its old one.
    let now = object(&server, &web).await?;
    assert_eq!((&now["status"], now["labels"].get("grid-restart")), (&json!("RUNNING"), None));
    assert!(now["machineType"].as_str().unwrap().ends_with("/n2-standard-2"), "{now}");
    assert!(!object(&server, &scaler_id("scaled")).await?["description"].as_str().unwrap().contains("[grid"));

    let vm = Address::parse("vm.web")?;
    let token = Token::of_text("x");
    let fields = Fields::default();
    let call = Call { address: &vm, action: Action::Create, before: None, fields: &fields, token: &token };
    assert_eq!(admin.apply(&call).await.unwrap_err().to_string(), "gcp cannot create vm");
    assert!(admin.destroy(&vm, &vm_id("gone"), &token).await.is_ok(), "what is gone is deleted");
    figure("gcp_errors", true, format!("contract server: {heard} answers, each as a runner must take it"));
    Ok(())
}

#[tokio::test]
async fn nobody_is_there() -> anyhow::Result<()> {
    let settings = Settings {
        endpoint_url: Some("http://127.0.0.1:9".to_owned()),
        credentials: Credentials::Token("t".to_owned()),
        ..Settings::new("shop", "europe-west3")
    };
    assert!(!format!("{settings:?}").contains("\"t\""), "a token is not shown");
    let cloud = Gcp::new(settings, Arc::new(SimulatedTime::at(Timestamp(0)))).await?;
    let error = cloud.read(&Address::parse("vm.a")?, &vm_id("a")).await.unwrap_err();
    assert!(matches!(&error, CloudError::Lost(why) if why.contains("instances.get a")), "{error}");
    Ok(())
}
