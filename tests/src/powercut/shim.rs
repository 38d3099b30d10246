//! The file layer: built on first use, put beneath a program by its environment, steered through a file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, ensure};

use crate::server::target_dir;

/// The layer beneath one server: where it watches, writes down and takes orders.
#[derive(Debug, Clone)]
pub struct Shim {
    library: PathBuf,
    /// The watched folder. Durable itself; everything below is forgotten unless synced.
    pub root: PathBuf,
    /// Where changes are written down.
    pub trace: PathBuf,
    /// Where faults are ordered, see `tests/faultfs/src/fault.rs`.
    pub control: PathBuf,
}

impl Shim {
    /// A layer with its files in a folder that exists; makes the watched folder `root` in it.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().context("resolve the folder")?;
        let root = folder.join("root");
        std::fs::create_dir_all(&root)?;
        Ok(Self { library: library()?, root, trace: folder.join("trace"), control: folder.join("control") })
    }

    /// The variables that put it beneath a program.
    pub fn env(&self) -> Vec<(String, String)> {
        let pair = |name: &str, path: &Path| (name.to_owned(), path.display().to_string());
        vec![
            pair("LD_PRELOAD", &self.library),
            pair("FAULTFS_ROOT", &self.root),
            pair("FAULTFS_TRACE", &self.trace),
            pair("FAULTFS_CONTROL", &self.control),
        ]
    }

    /// Orders faults from now on; an empty text ends them.
    pub fn order(&self, rules: &str) -> anyhow::Result<()> {
        // Renamed into place, so that no change of the server ever sees half a rule.
        let draft = self.control.with_extension("draft");
        std::fs::write(&draft, rules).and_then(|()| std::fs::rename(&draft, &self.control)).context("order faults")
    }
}

/// Why the layer cannot be used here, if so.
pub fn unusable() -> Option<&'static str> {
    let here = cfg!(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"));
    (!here).then_some("the file layer needs Linux with glibc in 64 bits")
}

/// The library, built by cargo on first use. `cargo test` builds what tests link, and nothing links this one. It has a target
/// directory of its own, so that it neither waits for another build nor disturbs one.
fn library() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|e| format!("{e:#}")));
    built.clone().map_err(anyhow::Error::msg)
}

fn build() -> anyhow::Result<PathBuf> {
    let target = target_dir().join("faultfs");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--locked", "--offline", "--quiet", "--package", "grid-faultfs", "--target-dir"])
        .arg(&target);
    let output = command.current_dir(crate::repository()).output().context("run cargo to build tests/faultfs")?;
    ensure!(output.status.success(), "build tests/faultfs:\n{}", String::from_utf8_lossy(&output.stderr));
    let library = target.join("debug/libgrid_faultfs.so");
    ensure!(library.is_file(), "cargo built no {}", library.display());
    Ok(library.canonicalize()?)
}
