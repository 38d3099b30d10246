//! What Grid keeps beside a module, in `grid.json`: the resources that the module is rendered of, and the token of the last step of each. It is written
//! after Terraform has done its work; the state is Terraform's own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use grid_plan::{Address, Fields};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::limits::RECORD_BYTES_MAX;
use crate::marker::referring;

const FILE: &str = "grid.json";

/// What was applied.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) resources: BTreeMap<Address, Kept>,
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Its fields, as the last call gave them.
    pub(crate) fields: Fields,
    /// The token of the step that set them.
    pub(crate) token: String,
}

impl Record {
    /// Reads it; an empty one where there is none yet.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        let fails = |e: &dyn std::fmt::Display| format!("read {}: {e}", path.display());
        let length = match fs::metadata(&path) {
            Ok(of) => of.len(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(fails(&e)),
        };
        if length > RECORD_BYTES_MAX {
            return Err(fails(&format!("{length} bytes, at most {RECORD_BYTES_MAX} are read")));
        }
        let text = fs::read_to_string(&path).map_err(|e| fails(&e))?;
        serde_json::from_str(&text).map_err(|e| fails(&e))
    }

    /// Writes it, whole or not at all, and durably.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|e| e.to_string())?;
        replace(folder, FILE, &text)
    }

    /// The text of a spec of all resources.
    pub(crate) fn spec(&self) -> String {
        let all: Vec<Value> = self
            .resources
            .iter()
            .map(|(address, kept)| {
                json!({ "kind": address.kind(), "name": address.name(), "fields": referring(&kept.fields.to_json()) })
            })
            .collect();
        json!({ "version": 1, "resources": all }).to_string()
    }
}

/// Puts a text in a file's place, whole or not at all.
pub(crate) fn replace(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    let (path, new) = (folder.join(name), folder.join(format!(".{name}.new")));
    let write = || {
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|e: std::io::Error| format!("write {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn records_are_kept_and_are_specs() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::read(folder.path()).unwrap();
        assert_eq!(record, Record::default());
        let fields = Fields::of_json(&json!({"network": "<terraform:network.main>", "disk_gib": 20}));
        let kept = Kept { fields, token: "grid-1".to_owned() };
        record.resources.insert(Address::parse("vm.web").unwrap(), kept);
        record.write(folder.path()).unwrap();
        assert_eq!(Record::read(folder.path()).unwrap(), record);
        assert!(record.spec().contains("\"network\":\"${network.main}\""), "{}", record.spec());
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Record::read(folder.path()).unwrap_err().contains("grid.json"));
    }
}
