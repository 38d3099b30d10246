//! Each lever, all the way: a recommendation, an override, a plan, a dry run that changes nothing, a run, a fresh read, the ledger; and everything deleted
//! again.

use std::collections::BTreeSet;

use grid_act::journal::{FileJournal, What};
use grid_act::run::Outcome;
use grid_act::{Executor, Journal};
use grid_kube::lever::{Does, LEVERS, levers_of};
use grid_kube::object::{AUTOSCALER, CLAIM, Id, SERVICE, STATEFUL_SET};
use grid_kube::page::table;
use grid_plan::plan::{Goal, Inputs, plan};
use grid_tests::{repository, skip};
use serde_json::{Value, json};

use crate::server::cluster;
use crate::support::{World, act, address, advice, allowed, bind, deployment, node_pools, object, path, storage_class};

/// A resource as it is made, and what is changed of it one after the other.
struct Case {
    address: &'static str,
    made: Value,
    changes: Vec<(&'static str, Value)>,
}

fn cases() -> Vec<Case> {
    let case = |address, made, changes| Case { address, made, changes };
    vec![
        case(
            "container_service.scaled",
            json!({"image": "shop:1", "env": {"LEVEL": "info"}, "kubernetes": {"target_cpu_percent": 60}}),
            vec![
                ("max", json!(6)),
                ("min", json!(2)),
                ("kubernetes.target_cpu_percent", json!(50)),
                ("cpu_milli", json!(300)),
                ("memory_mib", json!(768)),
                ("kubernetes.cpu_limit_milli", json!(1500)),
                ("kubernetes.memory_limit_mib", json!(1024)),
                ("image", json!("shop:2")),
                ("port", json!(9090)),
                ("env.LEVEL", json!("debug")),
                ("env.MORE", json!("yes")),
                ("kubernetes.take_over", json!(["max", "min"])),
            ],
        ),
        case(
            "container_service.fixed",
            json!({"image": "db:1", "desired": 3, "kubernetes": {"workload": "StatefulSet"}}),
            vec![("desired", json!(1)), ("cpu_milli", json!(2000)), ("memory_mib", json!(4096))],
        ),
        case(
            "block_disk.one",
            json!({"size_gib": 20, "kubernetes": {"storage_class": "grows"}}),
            vec![("kubernetes.take_over", json!(["size_gib"])), ("size_gib", json!(30))],
        ),
        case(
            "file_store.many",
            json!({"size_gib": 1024, "kubernetes": {"storage_class": "grows"}}),
            vec![("kubernetes.take_over", json!(["size_gib"])), ("size_gib", json!(2048))],
        ),
        case(
            "node_pool.levers",
            json!({"max": 10, "kubernetes": {"node_class": "karpenter.k8s.aws/EC2NodeClass/default"}}),
            vec![
                ("max", json!(5)),
                ("desired", json!(4)),
                ("kubernetes.cpu_limit_milli", json!(32_000)),
                ("kubernetes.memory_limit_mib", json!(65_536)),
                ("kubernetes.take_over", json!(["max"])),
            ],
        ),
    ]
}

#[tokio::test]
async fn each_lever_from_a_recommendation_to_the_ledger() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_levers", reason),
    };
    let namespace = "levers";
    cluster.namespace(namespace).await?;
    storage_class(&cluster).await;
    node_pools(&cluster).await?;
    let cloud = cluster.grid(namespace).await;
    let mut world = World::new(grid_kube::kinds());
    let mut done: BTreeSet<(&str, &str)> = BTreeSet::new();
    for case in cases() {
        let address = address(case.address);
        world.want(&address, &case.made);
        world.settle(&cloud).await.map_err(|why| anyhow::anyhow!("{address}: {why}"))?;
        let id = world.state.resources[&address].id.clone();
        if address.kind() == "block_disk" || address.kind() == "file_store" {
            bind(&cluster, namespace, address.name(), &format!("{}Gi", case.made["size_gib"])).await?;
        }
        for (field, value) in &case.changes {
            let entry = act(&mut world, &cloud, advice(&address, field, value)).await;
            entry.map_err(|why| anyhow::anyhow!("{address}.{field}: {why}"))?;
            let lever = levers_of(address.kind()).find(|l| l.holds(&path(field))).unwrap();
            done.insert((lever.kind, lever.field().unwrap()));
        }
        // What is fixed is told, and cannot be changed where it is.
        let now = cloud.read(&address, &id).await?.unwrap();
        for lever in levers_of(address.kind()).filter(|l| matches!(l.does, Does::Fix(_))) {
            let field = lever.field().unwrap();
            let is_told = now.fields.get(&path(field)).is_some();
            assert!(is_told || address.kind() == "node_pool", "{address}: {field} is not told");
        }
    }
    let wanted: BTreeSet<(&str, &str)> =
        LEVERS.iter().filter(|l| matches!(l.does, Does::Change(_))).map(|l| (l.kind, l.field().unwrap())).collect();
    assert_eq!(wanted.difference(&done).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());

    // In the cluster's own words.
    let web = object(&cluster, &deployment(namespace, "scaled")).await?;
    let container = &web["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": "300m", "memory": "768Mi"}, "limits": {"cpu": "1500m", "memory": "1Gi"}})
    );
    assert_eq!(container["ports"], json!([{"containerPort": 9090, "protocol": "TCP"}]));
    let scaler = object(&cluster, &Id::new(&AUTOSCALER, namespace, "scaled")).await?;
    assert_eq!((&scaler["spec"]["minReplicas"], &scaler["spec"]["maxReplicas"]), (&json!(2), &json!(6)));
    let service = object(&cluster, &Id::new(&SERVICE, namespace, "scaled")).await?;
    assert_eq!(
        (&service["spec"]["ports"][0]["port"], &service["spec"]["ports"][0]["targetPort"]),
        (&json!(9090), &json!(9090))
    );
    let set = object(&cluster, &Id::new(&STATEFUL_SET, namespace, "fixed")).await?;
    assert_eq!(set["spec"]["replicas"], json!(1));

    // And away with all of it.
    world.blueprint.resources.clear();
    world.environment.overrides.clear();
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    for sort in [&SERVICE, &AUTOSCALER, &STATEFUL_SET] {
        assert_eq!(cluster.names(sort, namespace).await?, Vec::<String>::new(), "{}", sort.plural);
    }
    assert!(cluster.get(&deployment(namespace, "scaled")).await?.is_none());
    let claim = cluster.get(&Id::new(&CLAIM, namespace, "one")).await?;
    assert!(claim.is_none_or(|c| c["metadata"]["deletionTimestamp"].is_string()), "its finalizer is a controller's");
    cluster.figure("kube_levers", true, format!("{} of {} levers", done.len(), wanted.len()))
}

#[tokio::test]
async fn a_deployment_is_scaled_and_set_back_by_a_plan() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_levers", reason),
    };
    let namespace = "thin";
    cluster.namespace(namespace).await?;
    let cloud = cluster.grid(namespace).await;
    let folder = tempfile::tempdir()?;
    let journal = FileJournal::open(&folder.path().join("journal"))?;
    let mut world = World::new(grid_kube::kinds());
    let web = address("container_service.web");
    // All of its fields are said: a plan that takes another back makes those that are not said Grid's own.
    let said = json!({
        "image": "shop:1", "desired": 4, "port": 8080, "cpu_milli": 500, "memory_mib": 1024, "network": namespace,
        "kubernetes": {"workload": "Deployment"},
    });
    world.want(&web, &said);
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    let replicas =
        async || object(&cluster, &deployment(namespace, "web")).await.map(|d| d["spec"]["replicas"].clone());
    assert_eq!(replicas().await?, json!(4));

    let change = advice(&web, "desired", &json!(2));
    world.environment.write(change.clone())?;
    let first = world.plan();
    assert!(world.run(&first, &cloud, &journal).await.is_complete());
    assert_eq!(replicas().await?, json!(2));
    assert!(world.environment.take_back(&change.target, &change.path, &change.by.writer));
    let prices = grid_plan::cost::NoPrices(grid_model::Currency("EUR".to_owned()));
    let inputs = |state| Inputs { goal: Goal::Undo(&first), state, kinds: &world.kinds, prices: &prices, scope: None };
    let back = plan(&inputs(&world.state))?;
    let time = grid_act::simulated::SimulatedTime::at(grid_model::Timestamp(2));
    let rate = parking_lot::Mutex::new(grid_act::retry::Rate::new(100.0, 10));
    let runner = grid_act::run::Runner { executor: &cloud, journal: &journal, time: &time, seed: 2, rate };
    let current = back.current(&inputs(&world.state)).unwrap();
    let report = runner.run(current, &world.state, &allowed(&back), &|_| grid_act::run::Go::On).await?;
    assert!(matches!(report.outcomes[0].1, Outcome::Done(_)), "{:?}", report.outcomes);
    report.commit("test", &mut world.state)?;
    assert!(world.plan().is_empty(), "{:?}", world.plan().steps);
    assert_eq!(replicas().await?, json!(4));
    for of in [first.id, back.id] {
        let entries = journal.entries(of).await?;
        assert!(matches!(entries[0].what, What::Intent { .. }) && matches!(entries[1].what, What::Done { .. }));
    }
    Ok(())
}

#[tokio::test]
async fn who_asks_for_bounds_gets_an_autoscaler_and_gives_the_number_away() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_levers", reason),
    };
    let namespace = "bounds";
    cluster.namespace(namespace).await?;
    let cloud = cluster.grid(namespace).await;
    let mut world = World::new(grid_kube::kinds());
    let web = address("container_service.web");
    let scaler = Id::new(&AUTOSCALER, namespace, "web");
    world.want(&web, &json!({"image": "shop:1", "desired": 4}));
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    assert!(cluster.get(&scaler).await?.is_none());
    world.want(&web, &json!({"image": "shop:1", "min": 2, "max": 8}));
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    assert_eq!(object(&cluster, &scaler).await?["spec"]["maxReplicas"], json!(8));
    // The number is as it was until the autoscaler moves it, and Grid leaves it where that puts it.
    let id = deployment(namespace, "web");
    assert_eq!(object(&cluster, &id).await?["spec"]["replicas"], json!(4));
    cluster.change("autoscaler", &id, json!({"spec": {"replicas": 7}})).await?;
    act(&mut world, &cloud, advice(&web, "cpu_milli", &json!(250))).await.map_err(anyhow::Error::msg)?;
    assert_eq!(object(&cluster, &id).await?["spec"]["replicas"], json!(7));
    // And back.
    world.environment.overrides.clear();
    world.want(&web, &json!({"image": "shop:1", "desired": 3}));
    let done = world.settle(&cloud).await;
    assert!(done.clone().is_err_and(|why| why.contains("desired is set by")), "{done:?}");
    world.want(&web, &json!({"image": "shop:1", "desired": 3, "kubernetes": {"take_over": ["desired"]}}));
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    assert!(cluster.get(&scaler).await?.is_none());
    assert_eq!(object(&cluster, &id).await?["spec"]["replicas"], json!(3));
    Ok(())
}

#[tokio::test]
async fn who_asks_for_a_number_gets_no_bounds_of_nobody() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_levers", reason),
    };
    let namespace = "number";
    cluster.namespace(namespace).await?;
    let cloud = cluster.grid(namespace).await;
    let mut world = World::new(grid_kube::kinds());
    let web = address("container_service.web");
    // Nobody mentions bounds: the type's own make an autoscaler, which goes when somebody asks for a number.
    world.want(&web, &json!({"image": "shop:1"}));
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    assert_eq!(cluster.names(&AUTOSCALER, namespace).await?, ["web"]);
    act(&mut world, &cloud, advice(&web, "desired", &json!(2))).await.map_err(anyhow::Error::msg)?;
    assert_eq!(cluster.names(&AUTOSCALER, namespace).await?, Vec::<String>::new());
    assert_eq!(object(&cluster, &deployment(namespace, "web")).await?["spec"]["replicas"], json!(2));
    Ok(())
}

#[test]
fn the_page_says_what_can_be_done() {
    let file = repository().join("docs/kubernetes.md");
    let page = std::fs::read_to_string(&file).unwrap_or_default();
    if std::env::var_os("UPDATE_EXPECT").is_some()
        && let Some((before, rest)) = page.split_once("<!-- levers -->\n")
        && let Some((_, after)) = rest.split_once("<!-- end of levers -->")
    {
        let text = format!("{before}<!-- levers -->\n{}<!-- end of levers -->{after}", table());
        std::fs::write(&file, text).unwrap();
        return;
    }
    assert!(page.contains(&table()), "docs/kubernetes.md is old: UPDATE_EXPECT=1 writes it");
}
