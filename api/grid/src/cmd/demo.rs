//! `grid demo`: seed a small company through the decoders of the real protocols, show what can be asked, serve it.

mod marker;
mod seed;
mod provision;
mod tour;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use tracing::info;

use crate::args::DemoArgs;
use crate::config::{Config, FlagSetting};
use crate::shutdown::Signals;
use crate::unit::{parse_time, show_bytes, show_count};
use crate::{clock, out, setup, telemetry, wire};

use marker::{Found, Marker};

/// Seeds unless that was done before, prints the tour, serves unless told to stop.
pub(crate) async fn run(file: Option<&Path>, args: DemoArgs, started: Instant) -> anyhow::Result<ExitCode> {
    let config = settings(file, &args)?;
    let until = parse_time(&args.until, clock::now()).map_err(anyhow::Error::msg)?;
    if args.facts {
        let demo = crate::demo::Demo::new(args.seed, until, args.days);
        out::line(&serde_json::to_string_pretty(&demo.facts().json())?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut signals = Signals::catch()?;
    let data_dir = config.data_dir();
    let marker = Marker { seed: args.seed, days: args.days, until: until.0, complete: false };
    let found = marker::look(&data_dir)?;
    let mut observed = wire::observe(&config)?;
    // Bound before the work, so that a taken port is told at once.
    let sockets = if args.exit { None } else { Some(wire::Sockets::bind(&config).await?) };
    let work = async {
        let rooms = wire::Rooms::open(&config).await?;
        observed.receive(&rooms.store);
        match &found {
            Found::Complete(known) => tell_known(known, &marker),
            Found::Nothing => {
                marker.write(&data_dir)?;
                let report = seed::seed(&config, &rooms, &marker).await?;
                Marker { complete: true, ..marker }.write(&data_dir)?;
                out::say(&format!(
                    "{} samples, {} log records, {} spans, {} charges from {} requests and {} bills ({}) in {:.1} s",
                    show_count(report.samples),
                    show_count(report.logs),
                    show_count(report.spans),
                    show_count(report.charges),
                    show_count(report.requests),
                    report.bills,
                    show_bytes(report.bytes),
                    report.elapsed.as_secs_f64()
                ));
            }
        }
        anyhow::Ok(rooms)
    };
    let rooms = tokio::select! {
        rooms = work => rooms?,
        signal = signals.next() => {
            info!(signal, "stopped while seeding");
            out::say("stopped while seeding; the next `grid demo` begins again");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let url = sockets.as_ref().map(wire::Sockets::url).transpose()?;
    let known = match &found {
        Found::Complete(known) => known.until,
        Found::Nothing => until.0,
    };
    tour::show(&config, &rooms, grid_model::Timestamp(known), url.as_deref(), started).await?;
    if let Some(bytes) = telemetry::resident_bytes() {
        info!(resident_bytes = bytes, "memory after seeding");
    }
    match sockets {
        Some(sockets) => wire::serve(&config, rooms, sockets, observed, signals, started).await?,
        None => {
            rooms.desk.close().await;
            rooms.store.close().await.context("flush and close the store")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a demo prefers where nobody said otherwise: a log that does not repeat the tour, a small buffer (seeding writes
/// much at once, and small flushes overlap with it better), and no telemetry of a process that ends at once.
const PREFERENCES: [(&str, &str); 3] =
    [("log.filter", "warn"), ("storage.flush_bytes", "16MiB"), ("storage.buffer_bytes_max", "48MiB")];

fn settings(file: Option<&Path>, args: &DemoArgs) -> anyhow::Result<Config> {
    let said = setup::config(file, args.serve.settings())?;
    let mut flags = args.serve.settings();
    let mut prefer = |path: &'static str, text: &str| {
        if said.origin(path) == "default" {
            flags.push(FlagSetting { path, flag: "(demo)", text: text.to_owned() });
        }
    };
    for (path, text) in PREFERENCES {
        prefer(path, text);
    }
    if args.exit {
        prefer("telemetry.to", "off");
    }
    setup::config(file, flags)
}

fn tell_known(known: &Marker, asked: &Marker) {
    out::say("this directory holds the demo already; nothing is seeded twice");
    if (known.seed, known.days) != (asked.seed, asked.days) {
        out::say(&format!(
            "it was seeded with --seed {} --days {}; name another --data-dir for other data",
            known.seed, known.days
        ));
    }
}
