//! What accounts have, beside what environments know.
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use grid_act::executor::{Call, CloudError, Executor, Token};
use grid_model::lent::resources;
use grid_model::{Lent, TenantId, Timestamp};
use grid_plan::Address;
use grid_plan::plan::Step;
use grid_plan::state::Observed;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Bed, SPEC, by, tenant};
use crate::{Desk, New, Options, ResourceAsk, Sighting, Survey, Surveyor, Unlisted};

/// A cloud in which nothing can be done.
pub(super) struct Still;

fn refused<T>() -> Result<T, CloudError> {
    Err(CloudError::Refused("this cloud stands still".to_owned()))
}

#[async_trait]
impl Executor for Still {
    fn name(&self) -> &'static str {
        "still"
    }
    async fn read(&self, _: &Address, _: &str) -> Result<Option<Observed>, CloudError> {
        Ok(None)
    }
    async fn find(&self, _: &Address, _: &Token) -> Result<Option<Observed>, CloudError> {
        Ok(None)
    }
    async fn diff(&self, _: &Step) -> Result<String, CloudError> {
        refused()
    }
    async fn apply(&self, _: &Call<'_>) -> Result<Observed, CloudError> {
        refused()
    }
    async fn destroy(&self, _: &Address, _: &str, _: &Token) -> Result<(), CloudError> {
        refused()
    }
    async fn import(&self, _: &Address, _: &str) -> Result<Observed, CloudError> {
        refused()
    }
}

/// An account that has what it is told.
#[derive(Default)]
struct Account(Mutex<Survey>);

#[async_trait]
impl Surveyor for Account {
    async fn survey(&self, _: Timestamp) -> Survey {
        self.0.lock().clone()
    }
}

fn seen(kind: &str, id: &str) -> Sighting {
    Sighting {
        kind: kind.to_owned(),
        id: id.to_owned(),
        arn: format!("arn:{id}"),
        region: "here".to_owned(),
        name: String::new(),
        tags: BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
        fields: json!({ "size": 1 }),
        at: 1,
    }
}

async fn create(desk: &Desk, tenant: &TenantId, driver: &str, machine: &str) {
    let new = New {
        name: "prod".to_owned(),
        spec: SPEC.to_owned(),
        cloud: "aws".to_owned(),
        driver: Some(driver.to_owned()),
        existing: BTreeMap::from([("vm.web".to_owned(), machine.to_owned())]),
        ..New::default()
    };
    desk.create(tenant, &by("ada"), new).await.unwrap();
}

/// Kind, id, environment and address of all rows.
async fn rows(desk: &Desk, tenant: &TenantId) -> Vec<String> {
    let batch = desk.tables().rows(tenant, Lent::Resources).await.unwrap();
    let text = |r: resources::ResourceRow| {
        let owner = r.environment.zip(r.resource_address).map_or("-".to_owned(), |(e, a)| format!("{e}/{a}"));
        format!("{} {} {owner}", r.kind, r.resource_id)
    };
    resources::read(&batch).unwrap().into_iter().map(text).collect()
}

#[tokio::test]
async fn an_account_is_written_down_with_its_owners() {
    let bed = Bed::new().await;
    let account = Arc::new(Account::default());
    let options = Options {
        outside: bed.world.clone(),
        executors: BTreeMap::from([("still".to_owned(), Arc::new(Still) as Arc<dyn Executor>)]),
        workshops: BTreeMap::new(),
        surveyors: BTreeMap::from([("still".to_owned(), account.clone() as Arc<dyn Surveyor>)]),
        time: bed.time.clone(),
        inline: true,
    };
    let desk = Desk::open(&bed.folder.path().join("other.db"), options).await.unwrap();
    let (acme, beta, none) = (tenant(), TenantId::parse("beta").unwrap(), TenantId::parse("none").unwrap());
    create(&desk, &acme, "still", "i-1").await;
    create(&desk, &beta, "still", "i-2").await;
    create(&desk, &none, "dry-run", "i-3").await;
    let set = |rows: &[(&str, &str)], failed: &[&str]| {
        let failed = failed.iter().map(|w| Unlisted { what: (*w).to_owned(), why: "no right".to_owned() });
        let rows = rows.iter().map(|(kind, id)| seen(kind, id)).collect();
        *account.0.lock() = Survey { rows, failed: failed.collect(), left_out: 0 };
    };
    let check = async |tenant: &TenantId, expected: &[&str]| {
        assert!(desk.survey().await.is_empty());
        assert_eq!(rows(&desk, tenant).await, expected, "{tenant}");
    };
    let all = [("vm", "i-1"), ("vm", "i-2"), ("vm", "i-9"), ("postgresql", "i-1"), ("ec2:snapshot", "s-1")];
    set(&all, &[]);
    // What belongs to another tenant is not told; the same id of another kind is something else.
    check(&acme, &["ec2:snapshot s-1 -", "postgresql i-1 -", "vm i-1 prod/vm.web", "vm i-9 -"]).await;
    check(&beta, &["ec2:snapshot s-1 -", "postgresql i-1 -", "vm i-2 prod/vm.web", "vm i-9 -"]).await;
    check(&none, &["vm i-3 prod/vm.web"]).await;
    // What could not be listed stays as it was; what could and is gone is gone.
    set(&[], &["postgresql", "tags"]);
    check(&acme, &["ec2:snapshot s-1 -", "postgresql i-1 -"]).await;
    set(&[("vm", "i-9")], &[]);
    check(&acme, &["vm i-9 -"]).await;
}

#[tokio::test]
async fn resources_are_listed_by_what_is_asked() {
    let bed = Bed::new().await;
    bed.create(json!({})).await;
    bed.submit("ada").await.unwrap();
    assert_eq!(rows(&bed.desk, &tenant()).await.len(), 2);
    let check = async |ask: ResourceAsk, expected: &[&str]| {
        let items = bed.desk.resources(&tenant(), &ask).await.unwrap();
        let names: Vec<&str> = items.iter().filter_map(|i: &Value| i["name"].as_str()).collect();
        assert_eq!(names, expected, "{ask:?}");
        assert!(items.iter().all(|i| i["observed"].is_string() && i["fields"].is_object()), "{items:#?}");
    };
    let all = ResourceAsk::default;
    check(all(), &["prod/network.main", "prod/vm.web"]).await;
    check(ResourceAsk { kind: Some("vm".to_owned()), ..all() }, &["prod/vm.web"]).await;
    check(ResourceAsk { region: Some("nowhere".to_owned()), ..all() }, &[]).await;
    check(ResourceAsk { owned: Some(false), ..all() }, &[]).await;
    check(
        ResourceAsk { environment: Some("prod".to_owned()), owned: Some(true), ..all() },
        &["prod/network.main", "prod/vm.web"],
    )
    .await;
    assert!(
        bed.desk.resources(&tenant(), &ResourceAsk { environment: Some("gone".to_owned()), ..all() }).await.is_err()
    );
}
