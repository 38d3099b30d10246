//! Carries plans out by Terraform or OpenTofu, whichever is on the path: each environment is one root module, rendered of its resources; the state is
//! Terraform's, and providers do the work. Nothing of either is bundled.
//!
//! Entry points: [`Terraform::new`] finds the program; [`Terraform::module`] is the executor of one environment, for the runner of `grid-act`. Reading
//! order: [`settings`], `program` (how it is run), `blocks` (what a folder of HCL has, and whose it is), `change` (what a plan of Terraform says),
//! `marker` (outputs that only Terraform knows), `record` (what was applied), `module` (one environment), `executor` (a step of Grid's plan as a plan
//! of Terraform), `copy` (for backups).
//!
//! Architecture invariants:
//! - What is applied is the plan file that was checked, never "whatever is needed now": a plan of Terraform that would touch a block which this step
//!   does not change, or make one anew that exists, is refused, and nothing is done.
//! - One module is worked on by one task at a time; Terraform's own lock keeps others out.
//! - A step that is done twice is done once: the second plan of Terraform is empty.
//! - No value of the state is kept elsewhere: what one resource needs of another is a reference in HCL. Grid keeps ids alone.
//! - No clock: time is Terraform's own. Outputs that are read are bounded in [`limits`].

pub mod settings;
mod program;
mod blocks;
mod change;
mod marker;
mod record;
mod module;
mod executor;
mod copy;
pub mod limits;

pub use module::{Module, Place, Terraform};
pub use program::NoProgram;
pub use settings::{Render, Settings};

/// The driver's name.
pub const DRIVER: &str = "terraform";
