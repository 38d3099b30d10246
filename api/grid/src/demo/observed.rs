//! A slice of the timeline, with what several signals need of it computed once.

use std::ops::Range;

use super::company::Service;
use super::world::{Minute, World};

/// What happened in a slice.
pub(crate) struct Observed {
    pub(crate) steps: Range<usize>,
    /// By step of the slice, then service.
    minutes: Vec<[Minute; Service::ALL.len()]>,
    /// Cores by pod, then step of the slice; 0 where the pod does not run.
    pub(crate) pod_cores: Vec<Vec<f64>>,
    /// Cores by node, its pods included.
    pub(crate) node_cores: Vec<Vec<f64>>,
}

impl Observed {
    pub(crate) fn of(world: &World, steps: Range<usize>) -> Self {
        let minutes: Vec<_> = steps.clone().map(|step| Service::ALL.map(|s| world.minute(s, step))).collect();
        let mut node_cores: Vec<Vec<f64>> = (0..world.company.nodes.len())
            .map(|node| steps.clone().map(|step| world.node_cpu(node, step)).collect())
            .collect();
        let mut pod_cores = Vec::with_capacity(world.company.pods.len());
        for (i, pod) in world.company.pods.iter().enumerate() {
            let mut cores = vec![0.0; steps.len()];
            let alive = pod.alive.start.max(steps.start)..pod.alive.end.min(steps.end);
            for step in alive {
                let at = step - steps.start;
                cores[at] = world.pod_cpu(i, step, minutes[at][pod.service as usize]);
                node_cores[pod.node][at] += cores[at];
            }
            pod_cores.push(cores);
        }
        Self { steps, minutes, pod_cores, node_cores }
    }

    /// What a service did in a minute of the slice.
    pub(crate) fn minute(&self, service: Service, step: usize) -> Minute {
        self.minutes[step - self.steps.start][service as usize]
    }
}
