//! Grafana on Grid: what `grid grafana export` writes, our dashboards on the demo's data, and dashboards that others wrote.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use grid_tests::figures::say;
use grid_tests::grafana::{Dashboard, View, rows};
use grid_tests::targets::{Page, TEXT, Targets};
use grid_tests::{Grid, Options, figure, now_ns, repository, run_grid, shared_data, skip};
use serde_json::Value;

const DAY: i64 = 86_400;
const PATIENCE: Duration = Duration::from_secs(60);

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|e| e == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn ours() -> anyhow::Result<Vec<Dashboard>> {
    files(&repository().join("dashboards/grafana"))?.iter().map(|path| Dashboard::read(path)).collect()
}

/// The demo, a page to scrape, and own telemetry every second.
async fn demo() -> anyhow::Result<(Grid, Targets, tempfile::TempDir)> {
    let targets = Targets::start().await?;
    targets.set("/metrics", Page::of(TEXT, "# TYPE t gauge\nt 1\n"));
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("prometheus.yml");
    let address = targets.address;
    std::fs::write(
        &config,
        format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- {{job_name: page, static_configs: [{{targets: ['{address}']}}]}}\n"
        ),
    )?;
    let options = Options {
        verb: "demo".to_owned(),
        args: ["--days", "2", "--scrape"]
            .map(str::to_owned)
            .into_iter()
            .chain([config.display().to_string()])
            .collect(),
        env: vec![("GRID__TELEMETRY__INTERVAL".to_owned(), "1s".to_owned())],
        ..Options::default()
    };
    Ok((Grid::start_with(options).await?, targets, folder))
}

#[tokio::test]
async fn every_panel_shows_something_of_the_demo() -> anyhow::Result<()> {
    let (grid, _targets, _folder) = demo().await?;
    // The second that has begun counts.
    let now = || now_ns() / 1_000_000_000 + 1;
    let shop = View { grid: &grid, tenant: "default", start: now() - DAY, end: now(), step: 120, scrape_interval: 60 };
    let telemetry = |end| View { grid: &grid, tenant: "grid", start: end - 300, end, step: 5, scrape_interval: 5 };
    // Rates need two exports, and something that was scraped in between.
    let began = Instant::now();
    for query in [
        "rate(grid_scrape_scrapes_total[20s]) > 0",
        "rate(grid_query_total{language=\"promql\"}[20s]) > 0",
        "grid_store_disk_free_bytes",
    ] {
        loop {
            let form = [("query", query.to_owned())];
            let data = telemetry(now()).ask("query", &form).await?.map_err(anyhow::Error::msg)?;
            if rows(&data).0 > 0 {
                break;
            }
            ensure!(began.elapsed() < PATIENCE, "{query} has no rows; the log says:\n{}", grid.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let (mut shown, mut all, mut wrong) = (0, 0, Vec::new());
    let (mut answered, mut asked) = (0, 0);
    let boards = ours()?;
    for board in &boards {
        let title = board.json["title"].as_str().context("a title")?;
        let own = board.json["templating"]["list"][0]["current"]["value"] == "grid-telemetry";
        let own_view = telemetry(now());
        let view = if own { &own_view } else { &shop };
        let variables = view.variables(&board.json).await.with_context(|| title.to_owned())?;
        for request in &board.requests {
            asked += 1;
            match view.fetch(request, &variables).await {
                Ok(0) => wrong.push(format!("{title}, {}: no rows: {}", request.panel, request.url)),
                Ok(_) => answered += 1,
                Err(e) => wrong.push(format!("{title}, {}: {e:#}", request.panel)),
            }
        }
        for target in &board.targets {
            all += 1;
            match view.evaluate(target, &variables).await?.map(|data| rows(&data)) {
                Ok((0, _)) => wrong.push(format!("{title}, {}: no rows: {}", target.panel, target.expr)),
                Ok((_, false)) => wrong.push(format!("{title}, {}: no number: {}", target.panel, target.expr)),
                Ok(_) => shown += 1,
                Err(e) => wrong.push(format!("{title}, {}: {e}: {}", target.panel, target.expr)),
            }
        }
    }
    let measured = format!("{shown} of {all} expressions of {} dashboards return rows", boards.len());
    figure("grafana_panels", wrong.is_empty() && all > 0, measured);
    let measured = format!("{answered} of {asked} requests of the cost dashboard return rows with every column");
    figure("grafana_cost", answered == asked && asked > 0, measured);
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn dashboards_of_others_evaluate() -> anyhow::Result<()> {
    let bar = "grafana_real_dashboards";
    let Some(shared) = shared_data() else {
        return skip("grafana_real_dashboards", "no shared data (GRID_SHARED_DATA)");
    };
    let grid = Grid::start().await?;
    let sets = shared.join("promql/datasets");
    for set in ["node_live.om.gz", "demo.om.gz"] {
        let file = sets.join(set);
        run_grid(&["import", "metrics", "--url", &grid.http, file.to_str().context("a path of UTF-8")?]).await?;
    }
    let list = std::fs::read_to_string(sets.join("queries_node_live.jsonl"))?;
    let first: Value = serde_json::from_str(list.lines().next().context("a query")?)?;
    let end = first["end"].as_f64().context("an end")? as i64;
    let view = View { grid: &grid, tenant: "default", start: end - 600, end, step: 15, scrape_interval: 5 };
    let (mut evaluated, mut shown, mut all, mut others, mut wrong) = (0, 0, 0, 0, Vec::new());
    let paths = files(&shared.join("dashboards"))?;
    for path in &paths {
        let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default();
        let board = Dashboard::read(path)?;
        let variables = view.variables(&board.json).await.with_context(|| name.to_owned())?;
        others += board.others;
        let (mut good, mut with_rows) = (0, 0);
        for target in &board.targets {
            match view.evaluate(target, &variables).await? {
                Ok(data) => {
                    good += 1;
                    with_rows += usize::from(rows(&data).0 > 0);
                }
                Err(e) => {
                    let expr = view.substitute(&target.expr, &variables);
                    wrong.push(format!("{name}, {}: {e}: {expr}", target.panel));
                }
            }
        }
        say(&format!("  {name}: {good} of {} evaluate, {with_rows} with rows", board.targets.len()));
        (all, evaluated, shown) = (all + board.targets.len(), evaluated + good, shown + with_rows);
    }
    let measured = format!(
        "{evaluated} of {all} PromQL expressions of {} dashboards evaluate, {shown} with rows; {others} are LogQL",
        paths.len()
    );
    figure("grafana_real_dashboards", wrong.is_empty() && all > 0, measured);
    ensure!(wrong.is_empty(), "{bar}: {} fail:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

fn yaml(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_saphyr::from_str(&text).with_context(|| path.display().to_string())
}

#[tokio::test]
async fn the_export_is_a_provisioning_folder() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("provisioning");
    let text = out.to_str().context("a path of UTF-8")?;
    let printed = run_grid(&["grafana", "export", "--out", text]).await?;
    ensure!(printed.lines().count() == 8 && printed.lines().all(|l| Path::new(l).is_file()), "{printed}");

    let sources = yaml(&out.join("datasources/grid.yaml"))?;
    let uids: Vec<_> = sources["datasources"].as_array().context("a list")?.iter().map(|s| &s["uid"]).collect();
    assert_eq!(uids, ["grid", "grid-telemetry", "grid-api"]);
    let expected = [
        ("prometheus", "/prometheus", "default"),
        ("prometheus", "/prometheus", "grid"),
        ("yesoreyeram-infinity-datasource", "", "default"),
    ];
    for (source, (kind, path, tenant)) in sources["datasources"].as_array().into_iter().flatten().zip(expected) {
        assert_eq!(source["type"], kind);
        assert_eq!(source["url"], format!("http://127.0.0.1:7080{path}"));
        assert_eq!(source["jsonData"]["httpHeaderName1"], "X-Scope-OrgID");
        assert_eq!(source["secureJsonData"]["httpHeaderValue1"], tenant);
    }
    let provider = yaml(&out.join("dashboards/grid.yaml"))?;
    let path = provider["providers"][0]["options"]["path"].as_str().context("a path")?;
    assert_eq!(Path::new(path), out.join("dashboards/grid").canonicalize()?);

    let (written, mut seen) = (files(Path::new(path))?, BTreeSet::new());
    for (file, board) in written.iter().zip(ours()?) {
        let read = Dashboard::read(file)?.json;
        ensure!(read == board.json, "{} is not what is in the repository", file.display());
        let uid = read["uid"].as_str().context("a uid")?.to_owned();
        ensure!(uid.starts_with("grid-") && seen.insert(uid), "{}: its uid is not its own", file.display());
        sound(&read).with_context(|| file.display().to_string())?;
        let source = &read["templating"]["list"][0]["current"]["value"];
        ensure!(uids.contains(&source), "{} begins with {source}, which is not provisioned", file.display());
    }
    assert_eq!(seen.len(), 6);

    // A Grafana in a container, another tenant, tokens; twice, because an export replaces the last one.
    for _ in 0..2 {
        let mut args =
            vec!["grafana", "export", "--out", text, "--url", "https://grid.example:7080/", "--tenant", "shop"];
        args.extend([
            "--token-env",
            "GRID_TOKEN",
            "--mounted-at",
            "/etc/grafana/provisioning",
            "--scrape-interval",
            "15s",
        ]);
        run_grid(&args).await?;
    }
    let source = &yaml(&out.join("datasources/grid.yaml"))?["datasources"][0];
    assert_eq!(source["url"], "https://grid.example:7080/prometheus");
    assert_eq!(source["jsonData"]["timeInterval"], "15s");
    assert_eq!(source["secureJsonData"]["httpHeaderValue1"], "shop");
    assert_eq!(source["jsonData"]["httpHeaderName2"], "Authorization");
    assert_eq!(source["secureJsonData"]["httpHeaderValue2"], "Bearer ${GRID_TOKEN}");
    let provider = yaml(&out.join("dashboards/grid.yaml"))?;
    assert_eq!(provider["providers"][0]["options"]["path"], "/etc/grafana/provisioning/dashboards/grid");
    for bad in [["--url", "http://me:secret@x"], ["--url", "grid"], ["--token-env", "a b"], ["--tenant", "a/b"]] {
        let refused = run_grid(&["grafana", "export", "--out", text, bad[0], bad[1]]).await;
        ensure!(refused.is_err(), "{bad:?} is taken");
    }
    Ok(())
}

/// What a person would trip over: panels that share an id or a place, numbers without a unit, queries of a fixed data source.
fn sound(board: &Value) -> anyhow::Result<()> {
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in board["panels"].as_array().context("panels")? {
        let title = &panel["title"];
        ensure!(ids.insert(panel["id"].to_string()), "{title} shares its id");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap_or_default();
        ensure!(at("x") + at("w") <= 24 && at("w") > 0 && at("h") > 0, "{title} is out of the grid");
        for (x, y) in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
            ensure!(places.insert((x, y)), "{title} covers another panel");
        }
        if panel["type"] == "row" {
            continue;
        }
        ensure!(panel["datasource"]["uid"] == "${datasource}", "{title} is bound to a data source");
        ensure!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        ensure!(panel["targets"].as_array().is_some_and(|t| !t.is_empty()), "{title} asks nothing");
    }
    Ok(())
}
