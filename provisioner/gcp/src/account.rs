//! A project as [`grid_act::native`] drives it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use grid_act::native::Account;
use grid_act::native::failure::Failure;
use grid_act::native::lever::Lever;
use grid_act::native::seen::{Marks, Seen, Want};
use grid_types::Cloud;
use grid_types::size::{Size, machine};

use crate::client::Gcp;
use crate::lever::LEVERS;
use crate::{group, vm};

#[async_trait]
impl Account for Gcp {
    fn driver(&self) -> &'static str {
        "gcp"
    }

    fn place(&self) -> String {
        format!("{} of project {}", self.settings.region, self.settings.project)
    }

    fn machines(&self) -> &'static str {
        Cloud::Google.name()
    }

    fn machine_of(&self, size: &str) -> Option<&'static str> {
        machine(Cloud::Google, "vm", size.parse::<Size>().ok()?)
    }

    fn levers(&self) -> &'static [Lever] {
        LEVERS
    }

    async fn all(&self, kind: &str) -> Result<Vec<Seen>, Failure> {
        match kind {
            "vm" => vm::all(self).await,
            _ => group::all(self).await,
        }
    }

    async fn look(&self, kind: &str, id: &str) -> Result<Option<Seen>, Failure> {
        let found = match kind {
            "vm" => vm::look(self, id).await,
            _ => group::look(self, id).await,
        };
        match found {
            Err(failure) if failure.is_gone() => Ok(None),
            answer => answer,
        }
    }

    async fn change(
        &self,
        kind: &str,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        marks: &Marks,
    ) -> Result<(), Failure> {
        match kind {
            "vm" => vm::change(self, seen, want, changed).await,
            _ => group::change(self, seen, want, changed, marks).await,
        }
    }

    async fn mark(&self, kind: &str, seen: &Seen, marks: &Marks) -> Result<(), Failure> {
        match kind {
            "vm" => vm::mark(self, seen, marks).await,
            _ => group::mark(self, seen, marks).await,
        }
    }

    async fn remove(&self, kind: &str, seen: &Seen) -> Result<(), Failure> {
        match kind {
            "vm" => vm::remove(self, seen).await,
            _ => group::remove(self, seen).await,
        }
    }
}
