//! `vm`: machines of Compute Engine. Their type can only be changed while they stand; a machine that ran before runs again afterwards.

use std::collections::{BTreeMap, BTreeSet};

use google_cloud_compute_v1::model::{Instance, InstancesSetLabelsRequest, InstancesSetMachineTypeRequest};
use grid_act::executor::CloudError;
use grid_act::native::failure::Failure;
use grid_act::native::seen::{Marks, Seen, Want};
use grid_act::native::{Account as _, fields};
use serde_json::json;

use crate::client::{Gcp, Pages, Where};
use crate::limits::PAGE_ROWS;
use crate::words::{RESTART_LABEL, labels, last, of_labels, path};

fn seen(gcp: &Gcp, instance: &Instance) -> Option<Seen> {
    let (project, region) = (&gcp.settings.project, &gcp.settings.region);
    let (name, zone) = (instance.name.clone()?, last(instance.zone.as_deref()?).to_owned());
    let state = instance.status.as_ref().and_then(|s| s.name()).unwrap_or("UNKNOWN").to_owned();
    let tags: BTreeMap<String, String> = instance.labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let restarts = tags.get(RESTART_LABEL).is_some_and(|v| v == "yes");
    let (is_running, is_moving) = match state.as_str() {
        "RUNNING" => (true, false),
        "PROVISIONING" | "STAGING" | "REPAIRING" => (true, true),
        "STOPPING" | "SUSPENDING" | "DEPROVISIONING" | "PENDING_STOP" => (false, true),
        _ => (false, false),
    };
    let network = instance.network_interfaces.first();
    let disk = instance.disks.iter().find(|d| d.boot == Some(true)).or(instance.disks.first());
    let items = instance.metadata.as_ref().map(|m| m.items.as_slice()).unwrap_or_default();
    let maker = items.iter().find(|i| i.key.as_deref() == Some("created-by")).and_then(|i| i.value.as_deref());
    let number = instance.id.map_or_else(String::new, |n| n.to_string());
    let outputs = [
        ("private_ip", json!(network.and_then(|n| n.network_ip.as_deref()))),
        ("zone", json!(zone)),
        ("state", json!(state)),
    ];
    Some(Seen {
        id: format!("projects/{project}/zones/{zone}/instances/{name}"),
        full_name: format!("//compute.googleapis.com/projects/{project}/zones/{zone}/instances/{number}"),
        name: name.clone(),
        region: region.clone(),
        marks: of_labels(&tags),
        machine: instance.machine_type.as_deref().map(|m| last(m).to_owned()),
        own: fields(json!({
            "running": is_running || restarts,
            "disk_gib": disk.and_then(|d| d.disk_size_gb),
            "google": {"subnetwork": network.and_then(|n| n.subnetwork.as_deref()).map(path)},
        })),
        outputs: outputs.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_owned(), v)).collect(),
        handles: [("zone", zone), ("name", name), ("state", state.clone())].into(),
        busy: is_moving.then_some(state),
        owner: maker.filter(|m| m.contains("/instanceGroupManagers/")).map(|m| path(m).to_owned()),
        is_unfinished: restarts,
        tags,
    })
}

/// All machines of the region's zones.
pub(crate) async fn all(gcp: &Gcp) -> Result<Vec<Seen>, Failure> {
    let (mut all, mut pages) = (Vec::new(), Pages::of("instances.aggregatedList"));
    let zones = format!("zones/{}-", gcp.settings.region);
    loop {
        let ask = gcp.instances.aggregated_list().set_project(&gcp.settings.project);
        let ask = ask.set_max_results(PAGE_ROWS).set_or_clear_page_token(pages.at());
        let page = Box::pin(gcp.call("instances.aggregatedList", ask.send())).await?;
        if let Some(zone) = page.unreachables.iter().find(|u| u.contains(&zones)) {
            // Half a listing would say that the other half is gone.
            return Err(Failure::again(None, format!("instances.aggregatedList: {zone} does not answer")));
        }
        let here = page.items.iter().filter(|(scope, _)| scope.starts_with(&zones));
        all.extend(here.flat_map(|(_, of)| &of.instances).filter_map(|instance| seen(gcp, instance)));
        if !pages.turn(page.next_page_token)? {
            return Ok(all);
        }
    }
}

/// The zone and the name of an id, as Terraform imports it by.
fn parts(gcp: &Gcp, id: &str) -> Result<(String, String), Failure> {
    match id.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", project, "zones", zone, "instances", name]
            if *project == gcp.settings.project && zone.starts_with(&format!("{}-", gcp.settings.region)) =>
        {
            Ok(((*zone).to_owned(), (*name).to_owned()))
        }
        _ => {
            let form = "projects/PROJECT/zones/ZONE/instances/NAME";
            Err(Failure::refused(format!("{id:?} is no id of a vm in {}: it is {form}", gcp.place())))
        }
    }
}

async fn get(gcp: &Gcp, zone: &str, name: &str) -> Result<Instance, Failure> {
    let ask = gcp.instances.get().set_project(&gcp.settings.project).set_zone(zone).set_instance(name);
    Box::pin(gcp.call(&format!("instances.get {name}"), ask.send())).await
}

pub(crate) async fn look(gcp: &Gcp, id: &str) -> Result<Option<Seen>, Failure> {
    let (zone, name) = parts(gcp, id)?;
    Ok(seen(gcp, &get(gcp, &zone, &name).await?))
}

/// Sets labels, and takes those away that have no value. By the fingerprint of a fresh look, because the call replaces all of them.
async fn relabel(gcp: &Gcp, of: &Seen, set: Vec<(String, Option<String>)>) -> Result<(), Failure> {
    let (zone, name) = (of.handle("zone"), of.handle("name"));
    let now = get(gcp, zone, name).await?;
    let mut wanted = now.labels.clone();
    for (key, value) in set {
        match value {
            Some(value) => drop(wanted.insert(key, value)),
            None => drop(wanted.remove(&key)),
        }
    }
    if wanted == now.labels {
        return Ok(());
    }
    let body =
        InstancesSetLabelsRequest::new().set_labels(wanted).set_or_clear_label_fingerprint(now.label_fingerprint);
    let ask = gcp.instances.set_labels().set_project(&gcp.settings.project).set_zone(zone).set_instance(name);
    gcp.done(&format!("instances.setLabels {name}"), Where::Zone(zone), ask.set_body(body).send()).await
}

async fn stop(gcp: &Gcp, of: &Seen) -> Result<(), Failure> {
    let (zone, name) = (of.handle("zone"), of.handle("name"));
    let ask = gcp.instances.stop().set_project(&gcp.settings.project).set_zone(zone).set_instance(name);
    gcp.done(&format!("instances.stop {name}"), Where::Zone(zone), ask.send()).await
}

async fn start(gcp: &Gcp, of: &Seen) -> Result<(), Failure> {
    let (zone, name) = (of.handle("zone"), of.handle("name"));
    let ask = gcp.instances.start().set_project(&gcp.settings.project).set_zone(zone).set_instance(name);
    gcp.done(&format!("instances.start {name}"), Where::Zone(zone), ask.send()).await
}

pub(crate) async fn change(gcp: &Gcp, of: &Seen, want: &Want<'_>, changed: &BTreeSet<String>) -> Result<(), Failure> {
    let (project, zone, name) = (&gcp.settings.project, of.handle("zone"), of.handle("name"));
    let restart = |yes: bool| vec![(RESTART_LABEL.to_owned(), yes.then(|| "yes".to_owned()))];
    let was_running = of.own.get(&grid_plan::Path::of(["running"])) == Some(&json!(true));
    let wants_running = want.bool("running").unwrap_or(was_running);
    let mut stands = of.handle("state") == "TERMINATED";
    if of.handle("state") == "SUSPENDED" && (wants_running || changed.contains("machine")) {
        return Err(Failure::refused(format!("{name} is suspended: resume it, or stop it, first")));
    }
    if changed.contains("machine") {
        if wants_running && !stands {
            relabel(gcp, of, restart(true)).await?;
        }
        if !stands {
            stop(gcp, of).await?;
            stands = true;
        }
        let machine = want.machine(gcp)?.unwrap_or_default();
        let body =
            InstancesSetMachineTypeRequest::new().set_machine_type(format!("zones/{zone}/machineTypes/{machine}"));
        let ask = gcp.instances.set_machine_type().set_project(project).set_zone(zone).set_instance(name);
        let call = format!("instances.setMachineType {name}");
        let answer = gcp.done(&call, Where::Zone(zone), ask.set_body(body).send()).await;
        if let (Err(Failure { error: CloudError::Refused(_), .. }), true) = (&answer, wants_running) {
            // Nobody comes again for what was refused, so it must not be left standing.
            start(gcp, of).await?;
            relabel(gcp, of, restart(false)).await?;
        }
        answer?;
    }
    if wants_running && stands {
        start(gcp, of).await?;
    } else if !wants_running && !stands {
        stop(gcp, of).await?;
    }
    relabel(gcp, of, restart(false)).await
}

pub(crate) async fn mark(gcp: &Gcp, of: &Seen, marks: &Marks) -> Result<(), Failure> {
    relabel(gcp, of, labels(marks)).await
}

pub(crate) async fn remove(gcp: &Gcp, of: &Seen) -> Result<(), Failure> {
    let (zone, name) = (of.handle("zone"), of.handle("name"));
    let ask = gcp.instances.delete().set_project(&gcp.settings.project).set_zone(zone).set_instance(name);
    gcp.done(&format!("instances.delete {name}"), Where::Zone(zone), ask.send()).await
}
