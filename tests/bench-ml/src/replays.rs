//! Right-sizing on virtual machines of Google and PlanetLab, scaling on the web server of NASA.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use grid_ml::{rightsize, scale};
use grid_model::time::MINUTE_NS;

use crate::{Line, loads};

const STEP_NS: i64 = 5 * MINUTE_NS;

pub(crate) fn run(data: &Path) -> anyhow::Result<Vec<Line>> {
    let mut lines = sizes(data)?;
    lines.extend(web(data)?);
    lines.push(loads::unforeseeable());
    // Its other traces are not at hand.
    grid_tests::skip("ml_scale_twitter", "the trace is not in ../shared/data/ml/web_traces")?;
    Ok(lines)
}

/// What a program that unpacks says.
fn unpack(program: &str, arguments: &[&str], file: &Path) -> anyhow::Result<String> {
    let run = Command::new(program).args(arguments).arg(file).output().with_context(|| format!("run {program}"))?;
    ensure!(run.status.success(), "{program} {}: {}", file.display(), String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).with_context(|| format!("read {}", file.display()))
}

/// Slack and violations over all machines: sums over all samples.
fn replay(machines: &[Vec<f64>]) -> (f64, f64) {
    let (mut used, mut given, mut above, mut samples) = (0.0, 0.0, 0.0, 0.0);
    for usage in machines {
        let limits = rightsize::limits(usage, STEP_NS);
        let warm_up = usize::try_from(rightsize::WARM_UP_NS / STEP_NS).unwrap_or(0);
        for (usage, limit) in usage.iter().zip(&limits).skip(warm_up) {
            used += usage;
            given += limit;
            above += f64::from(u8::from(usage > limit));
            samples += 1.0;
        }
    }
    (1.0 - used / given, above / samples)
}

fn sizes(data: &Path) -> anyhow::Result<Vec<Line>> {
    let mut vms: [Vec<Vec<f64>>; 2] = Default::default();
    // One machine after the other: each has a day of lines.
    let text = unpack("tar", &["-xzOf"], &data.join("gcd_vms/gcd_vms_dev.tar.gz"))?;
    let rows: Vec<(f64, f64)> = text
        .lines()
        .filter_map(|line| {
            let mut cells = line.split_whitespace().map(str::parse::<f64>);
            Some((cells.next()?.ok()?, cells.next()?.ok()?))
        })
        .collect();
    for machine in rows.chunks_exact(288) {
        vms[0].push(machine.iter().map(|row| row.0).collect());
        vms[1].push(machine.iter().map(|row| row.1).collect());
    }
    let mut planetlab = Vec::new();
    let mut days: Vec<_> = fs::read_dir(data.join("planetlab"))?.flatten().map(|f| f.path()).collect();
    days.sort();
    for day in days {
        let text = unpack("gzip", &["-dc"], &day)?;
        planetlab.extend(text.lines().map(|row| row.split(',').skip(1).filter_map(|v| v.parse().ok()).collect()));
    }
    let line = |id, data, machines: &[Vec<f64>], slack_most: f64, above_most: f64, bar, published| {
        let (slack, above) = replay(machines);
        Line {
            id,
            data,
            measure: "slack, share of samples above the limit; machines",
            grid: format!("{slack:.3}, {above:.4}; {}", machines.len()),
            bar,
            holds: slack <= slack_most && above <= above_most,
            published,
        }
    };
    Ok(vec![
        line(
            "ml_rightsize_cpu",
            "Google VMs, CPU, development part",
            &vms[0],
            0.22,
            0.026,
            "<= .22 at <= .026",
            "KRR .174/.125, VPA .248/.026, Autopilot-like p98 .278/.010",
        ),
        line(
            "ml_rightsize_memory",
            "Google VMs, memory, development part",
            &vms[1],
            0.146,
            0.002,
            "<= .146 at <= .002",
            "KRR .219/.0019, VPA .155/.0053, Autopilot-like p98 .146/.0030",
        ),
        line(
            "ml_rightsize_planetlab",
            "PlanetLab CPU, five days",
            &planetlab,
            0.50,
            0.064,
            "<= .50 at <= .064",
            "KRR .594/.049, VPA .564/.064, Autopilot-like p98 .723/.013",
        ),
    ])
}

fn web(data: &Path) -> anyhow::Result<[Line; 2]> {
    let text = unpack("tar", &["-xjOf"], &data.join("web_traces/nasa_workload.tbz2"))?;
    // Requests per second, one number each.
    let seconds: Vec<f64> = text.split_whitespace().filter_map(|v| v.parse().ok()).collect();
    let minutes: Vec<f64> = seconds.chunks(60).map(|minute| crate::mean(minute.iter().copied())).collect();
    let ours = scale::Score::of(&minutes, &scale::limits(&minutes, MINUTE_NS));
    let reactive = scale::Score::of(&minutes, &scale::reactive(&minutes, MINUTE_NS));
    let line = Line {
        id: "ml_scale_nasa",
        data: "NASA web server, 58 days of minutes",
        measure: "cost x, unserved; the same of reactive 70%",
        grid: format!("{:.3}, {:.4}; {:.3}, {:.4}", ours.cost, ours.unserved, reactive.cost, reactive.unserved),
        bar: "<= 1.75 at <= .007",
        holds: ours.cost <= 1.75 && ours.unserved <= 0.007,
        published: "HPA-like 2.015/.0071, hybrid 1.89/.0090, oracle 1.25/0",
    };
    Ok([line, loads::beside_autoscaler(&minutes)])
}
