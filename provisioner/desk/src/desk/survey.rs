//! What accounts have: looked at now and then, written down, listed beside what environments know.

use std::collections::BTreeMap;

use grid_model::{TenantId, Timestamp};
use grid_plan::Address;
use serde_json::{Value, json};

use super::Desk;
use crate::dryrun::DRY_RUN;
use crate::error::DeskError;
use crate::inventory::{Owners, Place, Sighting, Survey};
use crate::keep::{Batch, Kind};
use crate::limits::INVENTORY_MAX;
use crate::show;

/// Which resources are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceAsk {
    /// Of this environment.
    pub environment: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this region.
    pub region: Option<String>,
    /// Only those that an environment knows, or only those that none does.
    pub owned: Option<bool>,
}

impl Desk {
    /// Looks at every account for every tenant that has an environment there, and writes down what it has, without what belongs to other tenants. What failed
    /// is told and holds up no other.
    pub async fn survey(&self) -> Vec<(TenantId, String, DeskError)> {
        let mut failed = Vec::new();
        let mut seen: BTreeMap<String, Survey> = BTreeMap::new();
        let mut owners: Vec<(TenantId, Owners)> = Vec::new();
        for tenant in self.0.keep.tenants().await.unwrap_or_default() {
            match self.0.keep.owners(&tenant).await {
                Ok(of) => owners.push((tenant, of)),
                // Not knowing what is whose, nothing is written.
                Err(e) => return vec![(tenant, String::new(), e)],
            }
        }
        for (tenant, _) in &owners {
            if let Err(e) = self.survey_dry_run(tenant).await {
                failed.push((tenant.clone(), DRY_RUN.to_owned(), e));
            }
            let drivers = match self.drivers_of(tenant).await {
                Ok(drivers) => drivers,
                Err(e) => {
                    failed.push((tenant.clone(), String::new(), e));
                    continue;
                }
            };
            for driver in drivers {
                let Some(surveyor) = self.0.surveyors.get(&driver) else { continue };
                // One look serves all tenants of an account.
                if !seen.contains_key(&driver) {
                    let survey = surveyor.survey(self.now()).await;
                    for one in &survey.failed {
                        tracing::warn!(driver, what = one.what, why = one.why, "what an account has cannot be listed");
                    }
                    if survey.left_out > 0 {
                        tracing::warn!(driver, left_out = survey.left_out, "an account has more than is kept");
                    }
                    seen.insert(driver.clone(), survey);
                }
                let Some(mut survey) = seen.get(&driver).cloned() else { continue };
                survey.rows.retain(|of| {
                    let place = (driver.clone(), of.kind.clone(), of.id.clone());
                    owners.iter().all(|(other, all)| other == tenant || all.of(&place).is_none())
                });
                if let Err(e) = self.keep_survey(tenant, &driver, survey).await {
                    failed.push((tenant.clone(), driver, e));
                }
            }
        }
        failed
    }

    /// The drivers of a tenant's environments.
    async fn drivers_of(&self, tenant: &TenantId) -> Result<Vec<String>, DeskError> {
        let mut drivers = Vec::new();
        for name in self.0.keep.names(tenant, Kind::Environment, "").await? {
            let driver = self.room(tenant, &name).await?.about.driver;
            if !drivers.contains(&driver) {
                drivers.push(driver);
            }
        }
        Ok(drivers)
    }

    async fn keep_survey(&self, tenant: &TenantId, driver: &str, mut survey: Survey) -> Result<(), DeskError> {
        survey.rows.truncate(INVENTORY_MAX);
        let mut batch = Batch::of(tenant);
        batch.inventory(driver, survey)?;
        self.0.keep.write(batch).await
    }

    /// What the driver that touches no cloud has: a look costs nothing, so it follows every change.
    pub(super) async fn survey_dry_run(&self, tenant: &TenantId) -> Result<(), DeskError> {
        let mut regions: BTreeMap<String, String> = BTreeMap::new();
        for name in self.0.keep.names(tenant, Kind::Environment, "").await? {
            let room = self.room(tenant, &name).await?;
            regions.insert(name, room.about.region);
        }
        let now = self.now();
        let sighting = |(environment, address, of): (String, String, grid_plan::state::Observed)| {
            let address = Address::parse(&address).ok()?;
            let tags = of.fields.to_json()["tags"].as_object().cloned().unwrap_or_default();
            let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(Sighting {
                kind: address.kind().to_owned(),
                id: of.id,
                arn: String::new(),
                region: regions.get(&environment).cloned().unwrap_or_default(),
                name: address.name().to_owned(),
                tags: tags.into_iter().map(|(key, value)| (key, text(value))).collect(),
                fields: of.fields.to_json(),
                at: now.0,
            })
        };
        let rows = self.0.keep.driven(tenant).await?.into_iter().filter_map(sighting).collect();
        self.keep_survey(tenant, DRY_RUN, Survey { rows, ..Survey::default() }).await
    }

    /// What environments know, and what else their accounts have.
    pub async fn resources(&self, tenant: &TenantId, ask: &ResourceAsk) -> Result<Vec<Value>, DeskError> {
        let names = match &ask.environment {
            Some(name) => vec![name.clone()],
            None => self.0.keep.names(tenant, Kind::Environment, "").await?,
        };
        let mut seen: BTreeMap<Place, Sighting> = BTreeMap::new();
        for (driver, of) in self.0.keep.inventory(tenant).await? {
            seen.insert((driver, of.kind.clone(), of.id.clone()), of);
        }
        let mut all = Vec::new();
        for name in names {
            let room = self.room(tenant, &name).await?;
            let Value::Array(of) = show::resources(&room) else { continue };
            for mut one in of {
                let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
                let key = (room.about.driver.clone(), text("kind"), text("id"));
                one["name"] = json!(format!("{name}/{}", one["address"].as_str().unwrap_or_default()));
                one["driver"] = json!(key.0);
                one["region"] = json!(room.about.region);
                if let Some(of) = seen.remove(&key) {
                    one["region"] = json!(of.region);
                    one["arn"] = json!((!of.arn.is_empty()).then_some(of.arn));
                    one["title"] = json!(of.name);
                    one["tags"] = json!(of.tags);
                    one["observed"] = json!(show::time(Timestamp(of.at)));
                }
                all.push(one);
            }
        }
        if ask.environment.is_none() {
            let owned = self.0.keep.owners(tenant).await?;
            for ((driver, kind, id), of) in seen.into_iter().filter(|(place, _)| owned.of(place).is_none()) {
                all.push(json!({
                    // A tilde begins no name of an environment, so the names stay apart.
                    "name": format!("~{driver}/{kind}/{id}"),
                    "environment": null,
                    "address": null,
                    "kind": kind,
                    "id": id,
                    "arn": (!of.arn.is_empty()).then_some(of.arn),
                    "title": of.name,
                    "driver": driver,
                    "region": of.region,
                    "tags": of.tags,
                    "fields": of.fields,
                    "observed": show::time(Timestamp(of.at)),
                }));
            }
        }
        let is = |one: &Value, name: &str, wish: &Option<String>| {
            wish.as_deref().is_none_or(|wish| one[name].as_str() == Some(wish))
        };
        all.retain(|one| {
            is(one, "kind", &ask.kind)
                && is(one, "region", &ask.region)
                && ask.owned.is_none_or(|owned| owned != one["environment"].is_null())
        });
        Ok(all)
    }
}
