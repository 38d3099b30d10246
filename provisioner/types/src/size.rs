//! Sizes: processors and memory to the machine that a cloud calls so. The table lies in `catalog/sizes.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use crate::target::Cloud;

/// Virtual CPUs and GiB of memory: `2x8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory_gib: u32,
}

/// Why a text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSize {
    /// It is written in another way.
    #[error("this is no size")]
    Form,
    /// No cloud has it.
    #[error("{asked} is larger than any machine that is known, {largest}")]
    TooLarge {
        /// What was asked for.
        asked: Size,
        /// What there is.
        largest: Size,
    },
}

impl BadSize {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Form => "write virtual CPUs, `x`, and GiB of memory: `2x8`",
            Self::TooLarge { .. } => "name the machine itself in `machine_type`",
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.cpus, self.memory_gib)
    }
}

impl FromStr for Size {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let number = |t: &str| {
            let right = (1..=5).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit()) && !t.starts_with('0');
            if right { t.parse::<u32>().ok() } else { None }
        };
        let (cpus, memory) = text.split_once('x').ok_or(BadSize::Form)?;
        let (Some(cpus), Some(memory_gib)) = (number(cpus), number(memory)) else { return Err(BadSize::Form) };
        let asked = Self { cpus, memory_gib };
        let all = TABLE.iter().filter(|((family, _), _)| family == "vm").filter_map(|(_, sizes)| sizes.last());
        let largest = all.copied().map(|(size, _)| size).min().unwrap_or(asked);
        if cpus > largest.cpus || memory_gib > largest.memory_gib {
            return Err(BadSize::TooLarge { asked, largest });
        }
        Ok(asked)
    }
}

/// The smallest machine of a family that has at least this. Families are `vm`, `database`, `cache`, ...; see the table.
pub fn machine(cloud: Cloud, family: &str, size: Size) -> Option<&'static str> {
    let sizes = TABLE.get(&(family.to_owned(), cloud.name().to_owned()))?;
    let fits = |of: &Size| of.cpus >= size.cpus && of.memory_gib >= size.memory_gib;
    sizes.iter().find(|(of, _)| fits(of)).map(|(_, name)| *name)
}

/// (family, cloud) -> machines from the smallest to the largest.
static TABLE: LazyLock<BTreeMap<(String, String), Vec<(Size, &'static str)>>> = LazyLock::new(|| {
    let text = include_str!("../catalog/sizes.toml");
    let table: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>> =
        toml::from_str(text).unwrap_or_else(|e| panic!("catalog/sizes.toml: {e}"));
    let mut made: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (family, sizes) in table {
        for (size, machines) in sizes {
            let (cpus, memory) = size.split_once('x').unwrap_or_default();
            let size = Size { cpus: cpus.parse().unwrap_or(0), memory_gib: memory.parse().unwrap_or(0) };
            for (cloud, name) in machines {
                let name: &'static str = name.leak();
                made.entry((family.clone(), cloud)).or_default().push((size, name));
            }
        }
    }
    made.values_mut().for_each(|sizes| sizes.sort_by_key(|(s, _)| (s.cpus, s.memory_gib)));
    made
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_find_machines() {
        for (size, family, wanted) in [
            ("2x8", "vm", "m7i.large Standard_D2s_v5 n2-standard-2"),
            // In between: the next that has both.
            ("3x8", "vm", "m7i.xlarge Standard_D4s_v5 n2-standard-4"),
            ("1x2", "vm", "t3.small Standard_B1ms e2-small"),
            ("2x8", "database", "db.m7g.large GP_Standard_D2ds_v5 db-custom-2-8192"),
        ] {
            let size: Size = size.parse().expect("a size");
            let found = Cloud::HCL.map(|c| machine(c, family, size).unwrap_or("-"));
            assert_eq!(found.join(" "), wanted, "{size} {family}");
        }
    }

    #[test]
    fn every_size_that_is_read_has_a_machine() {
        for cpus in 1..=64 {
            for memory in [1, 2, 3, 4, 8, 16, 30, 32, 64, 100, 128, 200, 256] {
                let Ok(size) = format!("{cpus}x{memory}").parse::<Size>() else { continue };
                for (family, cloud) in TABLE.keys().filter(|(family, _)| family != "cache") {
                    let cloud = Cloud::parse(cloud).expect("a cloud");
                    assert!(machine(cloud, family, size).is_some(), "{size} {family} {}", cloud.name());
                }
            }
        }
    }

    #[test]
    fn what_is_no_size() {
        for text in ["", "2", "x", "2x", "x8", "02x8", "2x8x1", "+2x8", "-1x2", "2.5x8", "999999x1", "2X8", "4096x1"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
