//! `vm`: virtual machines. Another size is one call; Azure restarts a machine that runs. A machine that stops is deallocated, for one that is only shut
//! down is paid for.

use std::collections::BTreeSet;

use grid_act::native::failure::Failure;
use grid_act::native::fields;
use grid_act::native::seen::{Seen, Want};
use reqwest::Method;
use serde_json::{Value, json};

use crate::account::{COMPUTE, busy, name_of, tags, text};
use crate::client::{Ask, Azure};

const SORT: &str = "virtualMachines";

fn seen(vm: &Value) -> Option<Seen> {
    let (tags, marks) = tags(vm);
    let statuses = vm.pointer("/properties/instanceView/statuses").and_then(Value::as_array).into_iter().flatten();
    let power = statuses.filter_map(|s| text(s, "/code")).find_map(|code| code.strip_prefix("PowerState/"));
    let is_moving = matches!(power, Some("starting" | "stopping" | "deallocating"));
    let state = busy(vm);
    if state.as_deref() == Some("Deleting") {
        return None;
    }
    let disk = vm.pointer("/properties/storageProfile/osDisk/diskSizeGB").cloned();
    Some(Seen {
        id: text(vm, "/id")?.to_owned(),
        // Bills have it in small letters.
        full_name: text(vm, "/id")?.to_ascii_lowercase(),
        name: text(vm, "/name")?.to_owned(),
        region: text(vm, "/location").unwrap_or_default().to_owned(),
        machine: text(vm, "/properties/hardwareProfile/vmSize").map(str::to_owned),
        own: fields(json!({
            "running": matches!(power, Some("running" | "starting")),
            "disk_gib": disk,
        })),
        outputs: power.map(|p| ("state".to_owned(), json!(p))).into_iter().collect(),
        handles: [("etag", text(vm, "/etag").unwrap_or_default().to_owned())].into(),
        owner: text(vm, "/properties/virtualMachineScaleSet/id").map(str::to_owned),
        busy: state.or(power.filter(|_| is_moving).map(str::to_owned)),
        tags,
        marks,
        ..Seen::default()
    })
}

/// All machines. A listing does not say which of them run, so each is looked at.
pub(crate) async fn all(azure: &Azure) -> Result<Vec<Seen>, Failure> {
    let path = format!("{}/providers/Microsoft.Compute/{SORT}?{COMPUTE}", azure.scope());
    let mut all = Vec::new();
    for vm in azure.list("list virtual machines", path).await? {
        let Some(id) = text(&vm, "/id") else { continue };
        match look(azure, id).await {
            // It went while we looked.
            Err(failure) if failure.is_gone() => {}
            answer => all.extend(answer?),
        }
    }
    Ok(all)
}

pub(crate) async fn look(azure: &Azure, id: &str) -> Result<Option<Seen>, Failure> {
    let name = name_of(azure, SORT, "vm", id)?;
    let vm = azure.get(format!("get virtual machine {name}"), format!("{id}?{COMPUTE}&$expand=instanceView")).await?;
    Ok(seen(&vm))
}

pub(crate) async fn change(
    azure: &Azure,
    of: &Seen,
    want: &Want<'_>,
    changed: &BTreeSet<String>,
) -> Result<(), Failure> {
    let verb = async |verb: &str| {
        let (name, path) = (format!("{verb} {}", of.name), format!("{}/{verb}?{COMPUTE}", of.id));
        azure.done(&Ask::new(name, Method::POST, path)).await
    };
    let power = want.bool("running").filter(|_| changed.contains("running"));
    // A machine that is to stand is resized while it stands, and one that is to run before it does: neither is restarted for nothing.
    if power == Some(false) {
        verb("deallocate").await?;
    }
    if changed.contains("machine") {
        let machine = want.machine(azure)?.unwrap_or_default();
        let body = json!({"properties": {"hardwareProfile": {"vmSize": machine}}});
        let ask = Ask::new(format!("resize {}", of.name), Method::PATCH, format!("{}?{COMPUTE}", of.id));
        // Stopping it has changed its ETag.
        let etag = if power == Some(false) { "" } else { of.handle("etag") };
        azure.done(&ask.body(&body, etag)).await?;
    }
    if power == Some(true) {
        verb("start").await?;
    }
    Ok(())
}

pub(crate) async fn remove(azure: &Azure, of: &Seen) -> Result<(), Failure> {
    azure.done(&Ask::new(format!("delete {}", of.name), Method::DELETE, format!("{}?{COMPUTE}", of.id))).await
}
