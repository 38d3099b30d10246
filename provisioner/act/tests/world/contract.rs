//! What the suites of drivers do that change what somebody else has made, each against the contract server of its cloud: taking over, every lever all
//! the way, and answers that fail. A contract server is no cloud: the figures say so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use grid_act::Executor;
use grid_act::executor::CloudError;
use grid_act::native::lever::{Does, Lever, kinds, kinds_of, table};
use grid_plan::adopt::{Found, adopt};
use grid_plan::inventory::Inventory;
use grid_plan::{Address, Path};
use grid_tests::peers::{Peer, free_port, until_ready};
use grid_tests::repository;
use serde_json::Value;

use crate::world::{World, act, advice};

/// A contract server, and somebody who works in its cloud without Grid.
pub(crate) struct Server {
    pub(crate) url: String,
    client: reqwest::Client,
    log: PathBuf,
    _peer: Peer,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.log);
    }
}

impl Server {
    /// Starts the server of a script of `tests/peers`; why it cannot be, if it cannot.
    pub(crate) async fn start(script: &str) -> anyhow::Result<Result<Self, String>> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let python = std::env::split_paths(&path).map(|dir| dir.join("python3")).find(|file| file.exists());
        let Some(python) = python else { return Ok(Err("no python3 for the contract server".to_owned())) };
        let port = free_port()?;
        let script = repository().join("tests/peers").join(script);
        let log = std::env::temp_dir().join(format!("grid-contract-{port}.log"));
        let mut command = tokio::process::Command::new(python);
        // Nothing is to be left in the repository.
        command.arg("-B").arg(&script).arg(port.to_string());
        let peer = Peer::start(&mut command, &log)?;
        let (client, url) = (reqwest::Client::new(), format!("http://127.0.0.1:{port}"));
        let ready = until_ready(&client, &format!("{url}/_test/ready"), Duration::from_secs(60)).await;
        ready.with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
        Ok(Ok(Self { url, client, log, _peer: peer }))
    }

    /// Makes things as somebody else would.
    pub(crate) async fn seed(&self, things: Value) -> anyhow::Result<()> {
        self.client.put(format!("{}/_test/seed", self.url)).json(&things).send().await?.error_for_status()?;
        Ok(())
    }

    /// Lets calls fail.
    pub(crate) async fn fault(&self, fault: Value) -> anyhow::Result<()> {
        self.client.post(format!("{}/_test/fault", self.url)).json(&fault).send().await?.error_for_status()?;
        Ok(())
    }

    /// Every call that was let in and changes something.
    pub(crate) async fn log(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.client.get(format!("{}/_test/log", self.url)).send().await?.json().await?)
    }

    /// All that is there.
    pub(crate) async fn store(&self) -> anyhow::Result<BTreeMap<String, Value>> {
        Ok(self.client.get(format!("{}/_test/store", self.url)).send().await?.json().await?)
    }
}

/// Takes over what somebody else has made: every field that is told is one that a lever knows, the plan is empty, seen anew it still is, the inventory
/// finds the same, and nothing was touched.
pub(crate) async fn taken_over(
    server: &Server,
    cloud: &dyn Executor,
    inventory: &Inventory,
    levers: &'static [Lever],
    ids: &[(&str, &str)],
) -> anyhow::Result<World> {
    let mut world = World::new(kinds(levers));
    let mut found = Vec::new();
    for (kind, id) in ids {
        let observed = cloud.import(&Address::new(kind, "theirs")?, id).await?;
        assert!(observed.fields.len() > 1, "{id} tells nothing");
        for (path, _) in observed.fields.iter() {
            let is_known = levers.iter().any(|l| l.kind == *kind && l.holds(path));
            assert!(is_known, "{kind}: {path} is told, and could not be wanted");
        }
        let title = id.rsplit('/').next().unwrap_or(id).to_owned();
        found.push(Found { kind: (*kind).to_owned(), title, observed });
    }
    let adopted = adopt("shop", "prod", &found, &world.kinds);
    assert!(adopted.refused.is_empty());
    (world.blueprint, world.state) = (adopted.blueprint, adopted.state);
    assert!(world.plan().is_empty(), "{:?}", world.plan().steps);
    for (address, old) in world.state.resources.clone() {
        let mut now = cloud.read(&address, &old.id).await?.context("it is gone")?;
        now.managed = old.managed;
        world.state.commit("test", world.state.serial, [(address, Some(now))])?;
    }
    assert!(world.plan().is_empty(), "{:?}", world.plan().steps);
    let listed = inventory.found(&kinds_of(levers));
    for one in &found {
        let same = listed.iter().find(|f| f.kind == one.kind && f.observed.id == one.observed.id);
        assert_eq!(same.map(|f| &f.observed), Some(&one.observed), "{}", one.observed.id);
    }
    let error = cloud.import(&Address::parse("vm.none")?, &format!("{}-none", ids[0].1)).await;
    assert!(error.is_err_and(|e| e.to_string().contains("there is no vm")));
    assert_eq!(server.log().await?, Vec::<String>::new(), "something was touched");
    Ok(world)
}

/// Goes through levers from a recommendation to the ledger; those that were seen to do what they say.
pub(crate) async fn pulled(
    world: &mut World,
    cloud: &dyn Executor,
    levers: &'static [Lever],
    changes: &[(&str, &str, Value)],
) -> anyhow::Result<BTreeSet<(&'static str, &'static str)>> {
    let mut done = BTreeSet::new();
    for (target, field, value) in changes {
        let target = Address::parse(target)?;
        let entry = act(world, cloud, advice(&target, field, value)).await;
        entry.map_err(|why| anyhow::anyhow!("{target}.{field}: {why}"))?;
        let lever = levers.iter().find(|l| l.kind == target.kind() && l.holds(&Path::parse(field).unwrap()));
        done.insert(lever.and_then(|l| Some((l.kind, l.field()?))).context("no lever")?);
    }
    Ok(done)
}

/// The levers of a table that change something.
pub(crate) fn changing(levers: &'static [Lever]) -> BTreeSet<(&'static str, &'static str)> {
    let all = levers.iter().filter(|l| matches!(l.does, Does::Change(_)));
    all.filter_map(|l| Some((l.kind, l.field()?))).collect()
}

/// What a runner is told, in one word, with how long it is to wait.
pub(crate) fn shown(error: &CloudError) -> String {
    match error {
        CloudError::Again { after_ns, .. } => format!("again {:?}", after_ns.map(|ns| ns / 1_000_000_000)),
        CloudError::Lost(_) => "lost".to_owned(),
        CloudError::Refused(_) => "refused".to_owned(),
        CloudError::Owned { .. } => "owned".to_owned(),
        CloudError::Unsupported { .. } => "unsupported".to_owned(),
    }
}

/// Checks the table of a page, or writes it.
pub(crate) fn check_page(page: &str, levers: &'static [Lever]) {
    let (file, table) = (repository().join("docs").join(page), table(levers));
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    if std::env::var_os("UPDATE_EXPECT").is_some()
        && let Some((before, rest)) = text.split_once("<!-- levers -->\n")
        && let Some((_, after)) = rest.split_once("<!-- end of levers -->")
    {
        let text = format!("{before}<!-- levers -->\n{table}<!-- end of levers -->{after}");
        std::fs::write(&file, text).unwrap();
        return;
    }
    assert!(text.contains(&table), "docs/{page} is old: UPDATE_EXPECT=1 writes it");
}

/// Notes in the table of tiers which kinds were done against a contract server, or checks that it says so.
pub(crate) fn check_tiers(cloud: &str, done: &BTreeSet<(&'static str, &'static str)>) {
    let file = repository().join("provisioner/types/contract.csv");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|_| "type,cloud\n".to_owned());
    let mut rows: BTreeSet<String> = text.lines().skip(1).map(str::to_owned).collect();
    let wanted: BTreeSet<String> = done.iter().map(|(kind, _)| format!("{kind},{cloud}")).collect();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        rows.retain(|row| !row.ends_with(&format!(",{cloud}")));
        rows.extend(wanted);
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        std::fs::write(&file, format!("type,cloud\n{text}")).unwrap();
        return;
    }
    assert!(wanted.is_subset(&rows), "contract.csv is old: UPDATE_EXPECT=1 writes it");
}
