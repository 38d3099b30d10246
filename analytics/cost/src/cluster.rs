//! Who uses a Kubernetes node: weights from requests and usage, by the rule that OpenCost documents: a container is charged for the larger of
//! what it requests and what it uses. What nobody requests or uses of the node is idle.
//!
//! Unlike there, rates are only the proportion of a core to a gibibyte: the node's cost comes from the bill, and the weights share it out. So
//! the parts of a node are its bill, and idle is what is left of it: neither negative nor invented. Where containers together hold more than
//! the node has (usage above requests), the node is full, idle is zero, and each pays its part.

use crate::split::Weight;

/// Bytes of a gibibyte.
const GIB: f64 = 1_073_741_824.0;

/// What one core, one gibibyte and one GPU cost an hour relative to each other. By default the list prices of a general-purpose machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportion {
    /// One core.
    pub cpu: f64,
    /// One GiB of memory.
    pub ram: f64,
    /// One GPU.
    pub gpu: f64,
}

impl Default for Proportion {
    fn default() -> Self {
        Self { cpu: 0.031_611, ram: 0.004_237, gpu: 0.95 }
    }
}

/// What a node has.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Capacity {
    /// Cores.
    pub cpu_cores: f64,
    /// Bytes of memory.
    pub ram_bytes: f64,
    /// GPUs.
    pub gpus: f64,
}

/// What a container had of a node in an hour, as averages over the hour: one that ran for half of it counts half.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Use {
    /// Cores requested.
    pub cpu_request: f64,
    /// Cores used.
    pub cpu_usage: f64,
    /// Bytes of memory requested.
    pub ram_request: f64,
    /// Bytes of memory used.
    pub ram_usage: f64,
    /// GPUs held.
    pub gpus: f64,
}

impl Use {
    /// The cores that are charged.
    pub fn cpu(&self) -> f64 {
        larger(self.cpu_request, self.cpu_usage)
    }

    /// The bytes of memory that are charged.
    pub fn ram(&self) -> f64 {
        larger(self.ram_request, self.ram_usage)
    }
}

/// The larger of two measurements; one that is missing (NaN) does not count.
fn larger(a: f64, b: f64) -> f64 {
    a.max(b).max(0.0)
}

/// Weights of one thing: CPU, memory or GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    /// CPU.
    pub cpu: Weight,
    /// Memory.
    pub ram: Weight,
    /// GPU.
    pub gpu: Weight,
}

impl Parts {
    /// All three together.
    pub fn total(&self) -> Weight {
        Weight::new(self.cpu.units().saturating_add(self.ram.units()).saturating_add(self.gpu.units()))
    }
}

/// The weights of containers on a node, in their order, and of what is idle.
pub fn share_node(node: &Capacity, uses: &[Use], proportion: &Proportion) -> (Vec<Parts>, Parts) {
    let parts: Vec<Parts> = uses
        .iter()
        .map(|u| Parts {
            cpu: Weight::of_measurement(u.cpu() * proportion.cpu),
            ram: Weight::of_measurement(u.ram() / GIB * proportion.ram),
            gpu: Weight::of_measurement(u.gpus * proportion.gpu),
        })
        .collect();
    let sum = |of: fn(&Parts) -> Weight| parts.iter().fold(0_u64, |sum, p| sum.saturating_add(of(p).units()));
    let idle =
        |has: f64, of: fn(&Parts) -> Weight| Weight::new(Weight::of_measurement(has).units().saturating_sub(sum(of)));
    let idle = Parts {
        cpu: idle(node.cpu_cores * proportion.cpu, |p| p.cpu),
        ram: idle(node.ram_bytes / GIB * proportion.ram, |p| p.ram),
        gpu: idle(node.gpus * proportion.gpu, |p| p.gpu),
    };
    (parts, idle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::split;
    use grid_model::Amount;
    use proptest::prelude::*;

    #[test]
    fn the_larger_of_request_and_usage_is_charged() {
        let node = Capacity { cpu_cores: 4.0, ram_bytes: 16.0 * GIB, gpus: 0.0 };
        let one = Proportion { cpu: 1.0, ram: 1.0, gpu: 1.0 };
        let uses = [
            Use { cpu_request: 1.0, cpu_usage: 0.2, ram_request: GIB, ram_usage: 2.0 * GIB, gpus: 0.0 },
            Use { cpu_request: 0.0, cpu_usage: 1.5, ram_request: f64::NAN, ram_usage: 4.0 * GIB, gpus: 0.0 },
        ];
        let (parts, idle) = share_node(&node, &uses, &one);
        let units = |p: &Parts| (p.cpu.units() / 1000, p.ram.units() / 1000);
        assert_eq!(parts.iter().map(units).collect::<Vec<_>>(), [(1000, 2000), (1500, 4000)]);
        assert_eq!(units(&idle), (1500, 10_000));
        // More used than there is: full, and nothing below zero.
        let busy = [Use { cpu_usage: 6.0, ..Use::default() }, Use { cpu_request: 2.0, ..Use::default() }];
        let (parts, idle) = share_node(&Capacity { cpu_cores: 4.0, ..Capacity::default() }, &busy, &one);
        assert_eq!((idle.cpu.units(), parts[0].cpu.units()), (0, 6_000_000));
    }

    proptest! {
        /// A node's parts are its cost, whatever is measured.
        #[test]
        fn a_node_costs_what_it_costs(
            cost in 0_i128..10_i128.pow(24),
            cpu in prop::collection::vec((any::<f64>(), any::<f64>()), 0..20),
            cores in 0.0_f64..256.0,
        ) {
            let uses: Vec<Use> = cpu.iter().map(|(r, u)| Use { cpu_request: *r, cpu_usage: *u, ..Use::default() }).collect();
            let node = Capacity { cpu_cores: cores, ram_bytes: 8.0 * GIB, gpus: 0.0 };
            let (parts, idle) = share_node(&node, &uses, &Proportion::default());
            let weights: Vec<Weight> = parts.iter().chain([&idle]).map(Parts::total).collect();
            let split = split(Amount(cost), &weights).unwrap();
            prop_assert_eq!(split.iter().map(|p| p.0).sum::<i128>(), cost);
            prop_assert!(split.iter().all(|p| p.0 >= 0));
        }
    }
}
