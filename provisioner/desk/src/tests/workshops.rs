//! Drivers that keep something of each environment.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use grid_act::Executor;
use parking_lot::Mutex;

use super::inventory::Still;
use super::{Bed, SPEC, by, tenant};
use crate::{Desk, FILE_NAME, New, Options, Site, Workshop};

/// Makes drivers in one region alone, and remembers for whom.
#[derive(Default)]
struct Shop(Mutex<Vec<Site>>);

#[async_trait]
impl Workshop for Shop {
    fn driver(&self, site: Site) -> Result<Arc<dyn Executor>, String> {
        if site.target.region != "here" {
            return Err(format!("nothing is made in {}", site.target.region));
        }
        self.0.lock().push(site);
        Ok(Arc::new(Still))
    }

    async fn copy_to(&self, folder: &Path) -> Result<(), String> {
        std::fs::write(folder.join("shop"), "kept").map_err(|e| e.to_string())
    }
}

#[tokio::test]
async fn each_environment_has_a_driver_of_its_own() {
    let bed = Bed::new().await;
    let shop = Arc::new(Shop::default());
    let options = Options {
        outside: bed.world.clone(),
        executors: BTreeMap::new(),
        workshops: BTreeMap::from([("shop".to_owned(), shop.clone() as Arc<dyn Workshop>)]),
        surveyors: BTreeMap::new(),
        time: bed.time.clone(),
        inline: true,
    };
    let desk = Desk::open(&bed.folder.path().join("other.db"), options).await.unwrap();
    assert_eq!(desk.drivers(), ["dry-run", "shop"]);
    let new = |region: &str, existing: &[(&str, &str)]| New {
        name: "prod".to_owned(),
        spec: SPEC.to_owned(),
        cloud: "aws".to_owned(),
        region: Some(region.to_owned()),
        driver: Some("shop".to_owned()),
        existing: existing.iter().map(|(a, id)| ((*a).to_owned(), (*id).to_owned())).collect(),
        ..New::default()
    };
    // What cannot be is told at once.
    let refused = desk.create(&tenant(), &by("ada"), new("elsewhere", &[])).await.unwrap_err().to_string();
    assert!(refused.contains("nothing is made in elsewhere"), "{refused}");
    let refused = desk.create(&tenant(), &by("ada"), new("here", &[("vm.web", "i-1")])).await.unwrap_err().to_string();
    assert!(refused.contains("take it over then"), "{refused}");
    assert!(desk.environments(&tenant()).await.unwrap().is_empty());

    desk.create(&tenant(), &by("ada"), new("here", &[])).await.unwrap();
    let site = shop.0.lock().last().cloned().unwrap();
    assert_eq!((site.tenant, site.environment.as_str()), (tenant(), "prod"));
    let wanted: Vec<String> = site.wanted.keys().map(ToString::to_string).collect();
    assert_eq!(wanted, ["network.main", "vm.web"]);

    // What it keeps is in a copy.
    let copy = tempfile::tempdir().unwrap();
    desk.copy_to(&copy.path().join(FILE_NAME)).await.unwrap();
    assert_eq!(std::fs::read_to_string(copy.path().join("shop")).unwrap(), "kept");
    desk.close().await;
}
