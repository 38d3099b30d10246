//! Prints how the release queue does on generated traces beside first come first served: `cargo run --release -p grid-plan --example queue_traces`.
#![allow(clippy::print_stdout, reason = "it is a program that prints figures")]

use grid_plan::queue::Settings;
use grid_plan::queue::simulate::{Shape, conflict_share, first_come, ours, trace};

fn main() {
    println!(
        "seed load conflicts fifo_mean_s ours_mean_s lower fifo_max_s ours_max_s starved p50_covers p90_covers one_slot_lower"
    );
    for (load, seeds) in [(0.8, 1..=3_u64), (0.6, 1..=3), (0.95, 1..=3)] {
        for seed in seeds {
            let trace = trace(&Shape { load, ..Shape::default() }, seed);
            let (fifo, own) = (first_come(&trace), ours(&trace, &Settings::default(), 200));
            let (p50, p90) = own.coverage();
            // How much of it is the order alone, with one release at a time.
            let alone = ours(&trace, &Settings { slots: 1, ..Settings::default() }, 200);
            println!(
                "{seed:4} {load:4} {:9.2} {:11.0} {:11.0} {:4.0}% {:10.0} {:10.0} {:7} {p50:10.3} {p90:10.3} {:13.0}%",
                conflict_share(&trace),
                fifo.mean_s(),
                own.mean_s(),
                100.0 * (1.0 - own.mean_s() / fifo.mean_s()),
                fifo.quantile_s(1.0),
                own.quantile_s(1.0),
                own.starved,
                100.0 * (1.0 - alone.mean_s() / fifo.mean_s()),
            );
        }
    }
}
