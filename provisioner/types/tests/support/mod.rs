//! What the tests of this crate share: examples out of the catalog, and the checks of HCL and manifests against schemas.
#![allow(dead_code, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own data has failed")]

pub(crate) mod examples;
pub(crate) mod manifest;
pub(crate) mod schema;

use std::path::PathBuf;

use grid_types::Cloud;

/// A file of this crate.
pub(crate) fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares with a file, or writes it when told to.
pub(crate) fn golden(name: &str, text: &str) {
    let path = file(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    if text != wanted {
        let line = text.lines().zip(wanted.lines()).position(|(a, b)| a != b).unwrap_or_default();
        let at = |t: &str| t.lines().nth(line).unwrap_or_default().to_owned();
        panic!("{name} is old, from line {}:\n- {}\n+ {}\nUPDATE_EXPECT=1 writes it", line + 1, at(&wanted), at(text));
    }
}

/// The folder of a cloud's recipes, and the name of its schema.
pub(crate) fn provider(cloud: Cloud) -> &'static str {
    cloud.recipes()
}
