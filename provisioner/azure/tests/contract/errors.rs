//! What a runner hears when the cloud is away, does not know who asks, is busy, or says no: what happened, where, and what to do.

use std::sync::Arc;

use grid_act::Executor;
use grid_act::executor::{Call, CloudError, Token};
use grid_act::simulated::SimulatedTime;
use grid_azure::{Azure, Credentials, Settings};
use grid_model::Timestamp;
use grid_plan::plan::Action;
use grid_plan::state::Observed;
use grid_plan::{Address, Fields};
use grid_tests::{figure, skip};
use serde_json::{Value, json};

use crate::contract::{Server, shown};
use crate::support::{SCRIPT, admin, grid_with, group, group_id, object, vm, vm_id};

async fn update(cloud: &Azure, name: &str, id: &str, fields: &Value) -> Result<Observed, CloudError> {
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
        Err(reason) => return skip("azure_errors", reason),
    };
    server.seed(json!({vm_id("web"): vm("Standard_D2s_v5", "running")})).await?;
    server.seed(group("scaled", Some((2, 10)))).await?;
    let mut member = vm("Standard_D2s_v5", "running");
    member["properties"]["virtualMachineScaleSet"] = json!({"id": group_id("scaled")});
    server.seed(json!({vm_id("member"): member})).await?;
    let time = Arc::new(SimulatedTime::at(Timestamp(0)));
    let with = async |who: Credentials| grid_with(&server, time.clone(), who).await;
    let of = |text: &str| Credentials::Token(text.to_owned());
    let (admin, guest, nobody) = (with(admin()).await?, with(of("few-rights")).await?, with(of("nobody")).await?);
    let busy = |status: u16, wait: &str| {
        json!({"method": "POST", "path": "/deallocate", "times": 1, "status": status, "headers": {"retry-after": wait},
            "body": {"error": {"code": "Busy", "message": "busy"}}})
    };
    let machine = |name: &str| json!({"machine_type": {"azure": name}});
    let off = json!({"running": false});
    let (web, scaled) = (vm_id("web"), group_id("scaled"));
    let mut heard = 0;
    for (cloud, fault, name, id, fields, expected, words) in [
        (&guest, None, "vm.web", &web, off.clone(), "refused", "docs/azure.md"),
        (&nobody, None, "vm.web", &web, off.clone(), "refused", "does not know who asks"),
        (&admin, Some(busy(429, "7")), "vm.web", &web, off.clone(), "again Some(7)", "busy"),
        (&admin, Some(busy(503, "2")), "vm.web", &web, off.clone(), "again Some(2)", "busy"),
        (&admin, Some(busy(500, "2")), "vm.web", &web, off.clone(), "lost", "busy"),
        (&admin, None, "vm.web", &web, machine("m7i.large"), "refused", "InvalidParameter"),
        (&admin, None, "vm.web", &web, machine("Standard_D64s_v5"), "refused", "higher quota"),
        (&admin, None, "vm.web", &web, machine("Standard_NC6"), "again None", "AllocationFailed"),
        (&admin, None, "vm.member", &vm_id("member"), off.clone(), "refused", "is a machine of /subscriptions/"),
        (&admin, None, "vm.gone", &vm_id("gone"), off.clone(), "refused", "there is no vm"),
        (&admin, None, "autoscaling_group.scaled", &scaled, machine("Standard_D64s_v5"), "refused", "higher quota"),
        (&admin, None, "postgresql.db", &web, json!({}), "unsupported", "azure cannot update postgresql"),
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
    // What was refused has left all as it was, without a token.
    let now = object(&server, &web).await?;
    assert_eq!((&now["power"], now["tags"].get("grid:token")), (&json!("running"), None));
    assert_eq!(now["properties"]["hardwareProfile"]["vmSize"], json!("Standard_D2s_v5"));
    let (vm, token, fields) = (Address::parse("vm.web")?, Token::of_text("x"), Fields::default());
    let call = Call { address: &vm, action: Action::Create, before: None, fields: &fields, token: &token };
    assert_eq!(admin.apply(&call).await.unwrap_err().to_string(), "azure cannot create vm");
    assert!(admin.destroy(&vm, &vm_id("gone"), &token).await.is_ok(), "what is gone is deleted");
    figure("azure_errors", true, format!("contract server: {heard} answers, each as a runner must take it"));
    Ok(())
}

#[tokio::test]
async fn nobody_is_there() -> anyhow::Result<()> {
    let time = Arc::new(SimulatedTime::at(Timestamp(0)));
    let at = |url: &str, who: Credentials| Settings { endpoint_url: url.to_owned(), ..Settings::new("s-1", who) };
    let cloud = Azure::new(at("http://127.0.0.1:9", admin()), time.clone()).await?;
    let vm = Address::parse("vm.a")?;
    let error = cloud.read(&vm, &vm_id("a")).await.unwrap_err();
    assert!(matches!(&error, CloudError::Lost(why) if why.contains("get virtual machine a")), "{error}");
    // Without a token nothing was asked, so nothing is lost.
    let (authority, text) = ("http://127.0.0.1:9".to_owned(), || "x".to_owned());
    let who = Credentials::Client { authority, tenant: text(), client: text(), secret: "hidden".to_owned() };
    let error =
        Azure::new(at("http://127.0.0.1:9", who), time.clone()).await?.read(&vm, &vm_id("a")).await.unwrap_err();
    assert!(matches!(&error, CloudError::Again { .. }) && !error.to_string().contains("hidden"), "{error}");
    assert!(Azure::new(at("ftp://x", admin()), time.clone()).await.is_err());
    assert!(Azure::new(at("", admin()), time).await.is_err());
    Ok(())
}
