//! `grid demo`: seed a small company through the decoders of the real protocols, show what can be asked, serve it.

mod marker;
mod seed;
mod tour;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use tracing::info;

use crate::args::DemoArgs;
use crate::shutdown::Signals;
use crate::unit::{parse_time, show_bytes, show_count};
use crate::{clock, out, setup, telemetry, wire};

use marker::{Found, Marker};

/// Seeds unless that was done before, prints the tour, serves unless told to stop.
pub async fn run(file: Option<&Path>, args: DemoArgs, started: Instant) -> anyhow::Result<ExitCode> {
    let mut flags = args.serve.settings();
    if std::env::var_os("GRID__LOG__FILTER").is_none() {
        // A demo talks to a person; the log repeats what the tour says.
        flags.push(crate::config::FlagSetting { path: "log.filter", flag: "(demo)", text: "warn".to_owned() });
    }
    let config = setup::config(file, flags)?;
    let until = parse_time(&args.until, clock::now()).map_err(anyhow::Error::msg)?;
    let mut signals = Signals::catch()?;
    let data_dir = config.data_dir();
    let marker = Marker { seed: args.seed, days: args.days, until: until.0, complete: false };
    let found = marker::look(&data_dir)?;
    let observed = wire::observe(&config)?;
    // Bound before the work, so that a taken port is told at once.
    let sockets = if args.exit { None } else { Some(wire::Sockets::bind(&config).await?) };
    let work = async {
        let rooms = wire::Rooms::open(&config).await?;
        match found {
            Found::Complete(known) => tell_known(&known, &marker),
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
    tour::show(&rooms.engine, url.as_deref(), started).await?;
    if let Some(bytes) = telemetry::resident_bytes() {
        info!(resident_bytes = bytes, "memory after seeding");
    }
    match sockets {
        Some(sockets) => wire::serve(&config, rooms, sockets, observed, signals, started).await?,
        None => {
            observed.discard().await;
            rooms.store.close().await.context("flush and close the store")?;
        }
    }
    Ok(ExitCode::SUCCESS)
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
