//! What resource types render to, as a real API server takes it: read by its own reader of YAML, with unknown and doubled fields refused, and through
//! its own validation and admission. Objects of kinds that others' projects add are left out: nobody serves them here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use grid_tests::{figure, repository, skip};
use grid_types::node::{Node, Tree, read};
use grid_types::{Cloud, Format, Rendered, Target, render, types};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use serde_json::Value;

use crate::examples::{cases, everything};
use crate::server::{Cluster, cluster};

/// Types of which every object of every variant is taken: fewer is a loss.
const WHOLE: usize = 7;

/// One object of a file.
struct Document {
    text: String,
    group: String,
    version: String,
    kind: String,
    namespace: String,
    name: String,
    /// The type that it stands for; empty if it is shared.
    of: String,
}

impl Document {
    fn id(&self) -> String {
        format!("{} {}/{}", self.key(), self.namespace, self.name)
    }

    fn key(&self) -> String {
        format!("{}/{} {}", self.group, self.version, self.kind)
    }
}

/// The text at a path, empty where there is none.
fn text(node: &Node, path: &[&str]) -> String {
    match (&node.value, path) {
        (Tree::Text(text), []) => text.clone(),
        (Tree::Map(pairs), [first, rest @ ..]) => {
            let found = pairs.iter().find(|(key, _)| matches!(&key.value, Tree::Text(key) if key == first));
            found.map_or_else(String::new, |(_, value)| text(value, rest))
        }
        _ => String::new(),
    }
}

fn documents(rendered: &Rendered) -> Vec<Document> {
    let document = |part: &str| {
        let node = read(part, Format::Yaml).unwrap_or_else(|e| panic!("{}", e.show("manifest", part)));
        let api = text(&node, &["apiVersion"]);
        let (group, version) = api.split_once('/').unwrap_or(("", &api));
        let resource = text(&node, &["metadata", "annotations", "grid/resource"]);
        Document {
            text: part.to_owned(),
            group: group.to_owned(),
            version: version.to_owned(),
            kind: text(&node, &["kind"]),
            namespace: text(&node, &["metadata", "namespace"]),
            name: text(&node, &["metadata", "name"]),
            of: resource.split('.').next().unwrap_or_default().to_owned(),
        }
    };
    // What others stand in comes first.
    let order = |name: &str| name != "shared.yaml";
    let mut files: Vec<_> = rendered.files.iter().collect();
    files.sort_by_key(|(name, _)| order(name));
    files.into_iter().flat_map(|(_, text)| text.split("---\n")).map(document).collect()
}

/// What a cluster serves of itself, by kind: the word of it in addresses, and whether it stands in a namespace.
struct Served<'a> {
    cluster: &'a Cluster,
    kinds: BTreeMap<String, Option<(String, bool)>>,
    namespaces: BTreeSet<String>,
}

impl Served<'_> {
    async fn kind(&mut self, of: &Document) -> Option<(String, bool)> {
        // Karpenter's kind is there in name only: another test adds it.
        if of.group == "karpenter.sh" {
            return None;
        }
        if let Some(known) = self.kinds.get(&of.key()) {
            return known.clone();
        }
        let gvk = GroupVersionKind::gvk(&of.group, &of.version, &of.kind);
        let found = pinned_kind(self.cluster.client(), &gvk).await.ok();
        let found = found.map(|(resource, can)| (resource.plural, can.scope == Scope::Namespaced));
        self.kinds.insert(of.key(), found.clone());
        found
    }

    /// Applies an object as it is written; what is there after that. `None` if nobody serves its kind here.
    async fn apply(&mut self, of: &Document, is_dry: bool) -> anyhow::Result<Option<Value>> {
        let Some((plural, is_namespaced)) = self.kind(of).await else { return Ok(None) };
        if is_namespaced && self.namespaces.insert(of.namespace.clone()) {
            // It may be there: it is rendered too.
            let _ = self.cluster.namespace(&of.namespace).await;
        }
        let root = if of.group.is_empty() { "api".to_owned() } else { format!("apis/{}", of.group) };
        let place = if is_namespaced { format!("namespaces/{}/", of.namespace) } else { String::new() };
        let dry = if is_dry { "&dryRun=All" } else { "" };
        let address = format!(
            "/{root}/{}/{place}{plural}/{}?fieldManager=grid&force=true&fieldValidation=Strict{dry}",
            of.version, of.name
        );
        let asked = http::Request::patch(address).header("content-type", "application/apply-patch+yaml");
        let answer = self.cluster.client().request_text(asked.body(of.text.clone().into_bytes())?).await;
        let answer = answer.with_context(|| format!("{} {}", of.key(), of.name))?;
        let mut object: Value = serde_json::from_str(&answer)?;
        // The server counts a claim as written though nothing of it is other than before (1.37).
        object["metadata"]["resourceVersion"] = Value::Null;
        object["metadata"]["managedFields"] = Value::Null;
        Ok(Some(object))
    }
}

#[tokio::test]
async fn what_types_render_to_is_taken() -> anyhow::Result<()> {
    let cluster = match cluster().await? {
        Ok(cluster) => cluster,
        Err(reason) => return skip("kube_manifests", reason),
    };
    if let Some(reason) = cluster.stands_in() {
        return skip("kube_manifests", reason.to_owned());
    }
    let mut served = Served { cluster: &cluster, kinds: BTreeMap::new(), namespaces: BTreeSet::new() };
    let target = Target::example(Cloud::Kubernetes);
    let (mut seen, mut whole, mut wrong) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    let (mut rendered, mut variants, mut objects) = (0, 0, 0);
    for kind in types().iter().filter(|t| grid_types::recipe::recipe(&t.name, Cloud::Kubernetes).is_some()) {
        rendered += 1;
        let mut is_whole = true;
        for case in cases(kind) {
            variants += 1;
            for document in documents(&render(&case.spec, &target)?) {
                // Variants share most of their objects: each text is tried once.
                let is_taken = match seen.get(&document.text) {
                    Some(is_taken) => *is_taken,
                    None => {
                        let is_taken = match served.apply(&document, true).await {
                            Ok(there) => {
                                objects += usize::from(there.is_some());
                                there.is_some()
                            }
                            Err(e) => {
                                wrong.push(format!("{} with {}: {e:#}", kind.name, case.what));
                                false
                            }
                        };
                        seen.insert(document.text.clone(), is_taken);
                        is_taken
                    }
                };
                is_whole &= is_taken || ![kind.name.as_str(), ""].contains(&document.of.as_str());
            }
        }
        if is_whole {
            whole.insert(kind.name.clone());
        }
    }
    // One mistake shows in many variants.
    let mut told = BTreeSet::new();
    wrong.retain(|w| {
        told.insert((w.split(" with ").next().map(str::to_owned), w.split(": ").last().map(str::to_owned)))
    });
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));

    // All at once, and in earnest; what is applied once more stays as it is.
    let all = documents(&render(&everything(Cloud::Kubernetes), &target)?);
    let mut made = BTreeMap::new();
    for document in &all {
        if let Some(there) = served.apply(document, false).await? {
            let before = made.insert(document.id(), there);
            assert_eq!(before, None, "{} twice", document.id());
        }
    }
    for document in &all {
        if let Some(there) = served.apply(document, false).await? {
            let before = &made[&document.id()];
            assert_eq!(*before, there, "{} does not stay:\n{}", document.id(), document.text);
        }
    }

    let foreign: Vec<&str> = served.kinds.iter().filter(|(_, s)| s.is_none()).map(|(key, _)| key.as_str()).collect();
    println!("taken whole: {whole:?}; kinds that nobody serves here: {foreign:?}");
    check_tiers(&whole);
    figure(
        "kube_manifests",
        whole.len() >= WHOLE,
        format!(
            "{} of {rendered} types taken whole ({objects} objects in {variants} variants, none refused), the others have objects of {} kinds \
             that others' projects add; {} objects applied, and again without a change",
            whole.len(),
            foreign.len(),
            made.len()
        ),
    );
    assert!(whole.len() >= WHOLE, "{whole:?}");
    Ok(())
}

/// What was proven is kept beside the types, whose table of tiers is made of it.
fn check_tiers(whole: &BTreeSet<String>) {
    let path = repository().join("provisioner/types/apiserver.csv");
    let rows: String = whole.iter().map(|kind| format!("{kind},kubernetes\n")).collect();
    let wanted = format!("type,cloud\n{rows}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), wanted, "UPDATE_EXPECT=1 writes {}", path.display());
}
