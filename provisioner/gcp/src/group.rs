//! `autoscaling_group`: regional managed instance groups with their autoscaler and their template. A template cannot be changed, so another machine is
//! another template; what becomes of the machines that are there is the group's own policy.
//!
//! A group has no labels, and its own description is set once. Grid's marks lie at the end of the autoscaler's description, which can be changed; of a
//! group without an autoscaler, at the end of its template's. What has no place for a token (the size of a group without an autoscaler) is one call
//! that says what is to be: it is looked at again, and found done.

use std::collections::{BTreeMap, BTreeSet};

use google_cloud_compute_v1::model::autoscaling_policy::Mode;
use google_cloud_compute_v1::model::{
    Autoscaler, AutoscalingPolicy, AutoscalingPolicyCpuUtilization, InstanceGroupManager, InstanceGroupManagerVersion,
    InstanceTemplate,
};
use grid_act::native::failure::Failure;
use grid_act::native::seen::{Marks, Seen, Want};
use grid_act::native::{Account as _, fields};
use serde_json::json;

use crate::client::{Gcp, Pages, Where};
use crate::limits::PAGE_ROWS;
use crate::words::{described, last, name_by_token, of_description, path};

/// A group with what belongs to it.
struct Whole {
    group: InstanceGroupManager,
    scaler: Option<Autoscaler>,
    template: Option<InstanceTemplate>,
}

impl Whole {
    /// The one template of its machines; nothing while it has two, which is a rollout of somebody's.
    fn template_url(group: &InstanceGroupManager) -> Option<&str> {
        match group.versions.as_slice() {
            [] => group.instance_template.as_deref(),
            [one] => one.instance_template.as_deref(),
            _ => None,
        }
    }

    fn marks(&self) -> Marks {
        let of = match &self.scaler {
            Some(scaler) => scaler.description.as_deref(),
            None => self.template.as_ref().and_then(|t| t.description.as_deref()),
        };
        of_description(of.unwrap_or_default())
    }

    /// Whether its autoscaler moves its number.
    fn is_scaled(&self) -> bool {
        let policy = self.scaler.as_ref().and_then(|s| s.autoscaling_policy.as_ref());
        policy.is_some_and(|p| p.mode != Some(Mode::Off))
    }

    fn seen(&self, gcp: &Gcp) -> Option<Seen> {
        let (project, region) = (&gcp.settings.project, &gcp.settings.region);
        let name = self.group.name.clone()?;
        let policy = self.scaler.as_ref().and_then(|s| s.autoscaling_policy.as_ref());
        let load = policy.and_then(|p| p.cpu_utilization.as_ref()).and_then(|c| c.utilization_target);
        let properties = self.template.as_ref().and_then(|t| t.properties.as_ref());
        let disks = properties.map(|p| p.disks.as_slice()).unwrap_or_default();
        let disk = disks.iter().find(|d| d.boot == Some(true)).or(disks.first());
        let size = disk.and_then(|d| d.initialize_params.as_ref()).and_then(|p| p.disk_size_gb);
        let desired = self.group.target_size;
        let number = self.group.id.map_or_else(String::new, |n| n.to_string());
        let outputs = [("desired", json!(desired)), ("group", json!(self.group.instance_group.as_deref().map(path)))];
        let labels = properties.map(|p| p.labels.clone()).unwrap_or_default();
        Some(Seen {
            id: format!("projects/{project}/regions/{region}/instanceGroupManagers/{name}"),
            full_name: format!(
                "//compute.googleapis.com/projects/{project}/regions/{region}/instanceGroupManagers/{number}"
            ),
            name,
            region: region.clone(),
            tags: labels.into_iter().collect(),
            marks: self.marks(),
            machine: properties.and_then(|p| p.machine_type.as_deref()).map(|m| last(m).to_owned()),
            own: fields(json!({
                "min": policy.and_then(|p| p.min_num_replicas),
                "max": policy.and_then(|p| p.max_num_replicas),
                "target_cpu_percent": load.map(|share| (share * 100.0).round() as i64),
                "desired": desired.filter(|_| !self.is_scaled()),
                "disk_gib": size,
            })),
            outputs: outputs.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_owned(), v)).collect(),
            ..Seen::default()
        })
    }
}

/// All groups of the region.
pub(crate) async fn all(gcp: &Gcp) -> Result<Vec<Seen>, Failure> {
    let mut scalers: BTreeMap<String, Autoscaler> = BTreeMap::new();
    let mut pages = Pages::of("regionAutoscalers.list");
    loop {
        let ask = gcp.scalers.list().set_project(&gcp.settings.project).set_region(&gcp.settings.region);
        let ask = ask.set_max_results(PAGE_ROWS).set_or_clear_page_token(pages.at());
        let page = Box::pin(gcp.call("regionAutoscalers.list", ask.send())).await?;
        let target = |scaler: Autoscaler| Some((path(scaler.target.as_deref()?).to_owned(), scaler));
        scalers.extend(page.items.into_iter().filter_map(target));
        if !pages.turn(page.next_page_token)? {
            break;
        }
    }
    let mut templates: BTreeMap<String, Option<InstanceTemplate>> = BTreeMap::new();
    let (mut all, mut pages) = (Vec::new(), Pages::of("regionInstanceGroupManagers.list"));
    loop {
        let ask = gcp.groups.list().set_project(&gcp.settings.project).set_region(&gcp.settings.region);
        let ask = ask.set_max_results(PAGE_ROWS).set_or_clear_page_token(pages.at());
        let page = Box::pin(gcp.call("regionInstanceGroupManagers.list", ask.send())).await?;
        for group in page.items {
            let scaler = group.self_link.as_deref().and_then(|link| scalers.get(path(link))).cloned();
            let url = Whole::template_url(&group).unwrap_or_default().to_owned();
            let template = match templates.get(&url) {
                Some(known) => known.clone(),
                None => templates.entry(url.clone()).or_insert(template(gcp, &url).await?).clone(),
            };
            all.extend(Whole { group, scaler, template }.seen(gcp));
        }
        if !pages.turn(page.next_page_token)? {
            return Ok(all);
        }
    }
}

/// The region's group of an id, as Terraform imports it by.
fn name_of<'a>(gcp: &Gcp, id: &'a str) -> Result<&'a str, Failure> {
    match id.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", project, "regions", region, "instanceGroupManagers", name]
            if *project == gcp.settings.project && *region == gcp.settings.region =>
        {
            Ok(name)
        }
        _ => {
            let form = "projects/PROJECT/regions/REGION/instanceGroupManagers/NAME";
            Err(Failure::refused(format!("{id:?} is no id of an autoscaling_group in {}: it is {form}", gcp.place())))
        }
    }
}

async fn whole(gcp: &Gcp, id: &str) -> Result<Whole, Failure> {
    let name = name_of(gcp, id)?;
    let (project, region) = (&gcp.settings.project, &gcp.settings.region);
    let ask = gcp.groups.get().set_project(project).set_region(region).set_instance_group_manager(name);
    let call = format!("regionInstanceGroupManagers.get {name}");
    let group = Box::pin(gcp.call(&call, ask.send())).await?;
    let scaler = match group.status.as_ref().and_then(|s| s.autoscaler.as_deref()) {
        Some(url) => {
            let ask = gcp.scalers.get().set_project(project).set_region(region).set_autoscaler(last(url));
            Some(Box::pin(gcp.call(&format!("regionAutoscalers.get {}", last(url)), ask.send())).await?)
        }
        None => None,
    };
    let template = template(gcp, Whole::template_url(&group).unwrap_or_default()).await?;
    Ok(Whole { group, scaler, template })
}

/// A template by its address, in a region or everywhere; `None` for no address.
async fn template(gcp: &Gcp, url: &str) -> Result<Option<InstanceTemplate>, Failure> {
    if url.is_empty() {
        return Ok(None);
    }
    let (project, name) = (&gcp.settings.project, last(url));
    let call = format!("instanceTemplates.get {name}");
    let found = if is_regional(url) {
        let ask = gcp.regional_templates.get().set_project(project).set_region(&gcp.settings.region);
        Box::pin(gcp.call(&call, ask.set_instance_template(name).send())).await?
    } else {
        Box::pin(gcp.call(&call, gcp.templates.get().set_project(project).set_instance_template(name).send())).await?
    };
    Ok(Some(found))
}

fn is_regional(url: &str) -> bool {
    url.contains("/regions/")
}

pub(crate) async fn look(gcp: &Gcp, id: &str) -> Result<Option<Seen>, Failure> {
    Ok(whole(gcp, id).await?.seen(gcp))
}

pub(crate) async fn change(
    gcp: &Gcp,
    of: &Seen,
    want: &Want<'_>,
    changed: &BTreeSet<String>,
    marks: &Marks,
) -> Result<(), Failure> {
    let changed = |name: &str| changed.contains(name);
    let now = whole(gcp, &of.id).await?;
    let (project, region, name) = (&gcp.settings.project, &gcp.settings.region, &of.name);
    // Everything that will be refused is refused before the first call.
    if changed("desired") && now.is_scaled() {
        let why = format!("{name}: desired is its autoscaler's: set min and max, or leave desired out");
        return Err(Failure::refused(why));
    }
    let scales = changed("min") || changed("max") || changed("target_cpu_percent");
    if scales && now.scaler.is_none() {
        let why = format!("{name} has no autoscaler: let the recipe make one, or set desired");
        return Err(Failure::refused(why));
    }
    if changed("machine") && now.template.is_none() {
        let why = format!("{name} has several templates: somebody rolls out one of them, so its machine is left alone");
        return Err(Failure::refused(why));
    }
    if changed("desired") {
        let ask = gcp.groups.resize().set_project(project).set_region(region).set_instance_group_manager(name);
        let ask = ask.set_size(want.int("desired").unwrap_or_default());
        gcp.done(&format!("regionInstanceGroupManagers.resize {name}"), Where::Region, ask.send()).await?;
    }
    if let (true, Some(scaler)) = (scales, &now.scaler) {
        // Both bounds together: one alone may lie outside of the other as it is.
        let mut policy = AutoscalingPolicy::new()
            .set_or_clear_min_num_replicas(want.int("min"))
            .set_or_clear_max_num_replicas(want.int("max"));
        if let (true, Some(percent)) = (changed("target_cpu_percent"), want.int("target_cpu_percent")) {
            let load = AutoscalingPolicyCpuUtilization::new().set_utilization_target(f64::from(percent) / 100.0);
            policy = policy.set_cpu_utilization(load);
        }
        patch_scaler(gcp, scaler, Autoscaler::new().set_autoscaling_policy(policy)).await?;
    }
    if let (true, Some(old)) = (changed("machine"), &now.template) {
        let machine = want.machine(gcp)?.unwrap_or_default();
        let url = template_with(gcp, &now, old, &machine, marks).await?;
        let body = InstanceGroupManager::new()
            .set_or_clear_fingerprint(now.group.fingerprint.clone().filter(|_| !changed("desired")))
            .set_versions([InstanceGroupManagerVersion::new().set_instance_template(url)]);
        let ask = gcp.groups.patch().set_project(project).set_region(region).set_instance_group_manager(name);
        let call = format!("regionInstanceGroupManagers.patch {name}");
        gcp.done(&call, Where::Region, ask.set_body(body).send()).await?;
        drop_template(gcp, &now).await;
    }
    Ok(())
}

async fn patch_scaler(gcp: &Gcp, scaler: &Autoscaler, body: Autoscaler) -> Result<(), Failure> {
    let name = scaler.name.as_deref().unwrap_or_default();
    let ask = gcp.scalers.patch().set_project(&gcp.settings.project).set_region(&gcp.settings.region);
    let call = format!("regionAutoscalers.patch {name}");
    gcp.done(&call, Where::Region, ask.set_autoscaler(name).set_body(body).send()).await
}

/// A template like another one with another machine, or the one that an earlier try has made; its address.
async fn template_with(
    gcp: &Gcp,
    of: &Whole,
    old: &InstanceTemplate,
    machine: &str,
    marks: &Marks,
) -> Result<String, Failure> {
    let (project, region) = (&gcp.settings.project, &gcp.settings.region);
    let name = name_by_token(of.group.name.as_deref().unwrap_or("grid"), &marks.token);
    let is_regional = Whole::template_url(&of.group).is_some_and(is_regional);
    let mut properties = old.properties.clone().unwrap_or_default();
    properties.machine_type = Some(machine.to_owned());
    let body = InstanceTemplate::new()
        .set_name(&name)
        .set_description(described(old.description.as_deref().unwrap_or_default(), marks))
        .set_properties(properties);
    let call = format!("instanceTemplates.insert {name}");
    let made = if is_regional {
        let ask = gcp.regional_templates.insert().set_project(project).set_region(region).set_body(body);
        gcp.done(&call, Where::Region, ask.send()).await
    } else {
        gcp.done(&call, Where::Global, gcp.templates.insert().set_project(project).set_body(body).send()).await
    };
    match made {
        // Its name holds the token, so an earlier try has made it.
        Err(failure) if failure.status == 409 => {}
        answer => answer?,
    }
    let scope = if is_regional { format!("regions/{region}") } else { "global".to_owned() };
    Ok(format!("projects/{project}/{scope}/instanceTemplates/{name}"))
}

pub(crate) async fn mark(gcp: &Gcp, of: &Seen, marks: &Marks) -> Result<(), Failure> {
    let now = whole(gcp, &of.id).await?;
    if let Some(scaler) = &now.scaler {
        let text = described(scaler.description.as_deref().unwrap_or_default(), marks);
        return patch_scaler(gcp, scaler, Autoscaler::new().set_description(text)).await;
    }
    let there = now.marks();
    if marks.size != there.size || (!marks.size.is_empty() && marks.machine != there.machine) {
        let why = format!(
            "{} has no autoscaler, so nothing of it can remember a size: name the machine in machine_type.google, and no size",
            of.name
        );
        return Err(Failure::refused(why));
    }
    Ok(())
}

pub(crate) async fn remove(gcp: &Gcp, of: &Seen) -> Result<(), Failure> {
    let now = whole(gcp, &of.id).await?;
    let (project, region, name) = (&gcp.settings.project, &gcp.settings.region, &of.name);
    // An autoscaler would be left behind, and a group that has one is not deleted.
    if let Some(scaler) = now.scaler.as_ref().and_then(|s| s.name.as_deref()) {
        let ask = gcp.scalers.delete().set_project(project).set_region(region).set_autoscaler(scaler);
        gone(gcp.done(&format!("regionAutoscalers.delete {scaler}"), Where::Region, ask.send()).await)?;
    }
    let ask = gcp.groups.delete().set_project(project).set_region(region).set_instance_group_manager(name);
    gone(gcp.done(&format!("regionInstanceGroupManagers.delete {name}"), Where::Region, ask.send()).await)?;
    drop_template(gcp, &now).await;
    Ok(())
}

/// Deletes the template of a group that has another one now, or none, if Grid has made it. One that somebody else uses since is refused and kept: it
/// costs nothing, so that is no failure.
async fn drop_template(gcp: &Gcp, of: &Whole) {
    let url = Whole::template_url(&of.group).unwrap_or_default();
    let text = of.template.as_ref().and_then(|t| t.description.as_deref()).unwrap_or_default();
    if of_description(text).token.is_empty() {
        return;
    }
    let (project, region) = (&gcp.settings.project, &gcp.settings.region);
    let (call, name) = (format!("instanceTemplates.delete {}", last(url)), last(url));
    let answer = if is_regional(url) {
        let ask = gcp.regional_templates.delete().set_project(project).set_region(region);
        gcp.done(&call, Where::Region, ask.set_instance_template(name).send()).await
    } else {
        let ask = gcp.templates.delete().set_project(project).set_instance_template(name);
        gcp.done(&call, Where::Global, ask.send()).await
    };
    drop(answer);
}

/// What is gone already is deleted.
fn gone(answer: Result<(), Failure>) -> Result<(), Failure> {
    match answer {
        Err(failure) if failure.is_gone() => Ok(()),
        answer => answer,
    }
}
