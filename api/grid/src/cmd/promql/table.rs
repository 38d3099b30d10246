//! An answer for people: a row per series; over a range, its shape and figures.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use grid_promql::number;
use grid_promql::points::Grid;
use grid_promql_syntax::{format_duration, quote};

use super::answer::{Data, Labels, Many, NAME, Number, One, Point, Sample, label_names, short};
use super::{Steps, show_time, spark};

/// Marks of a line if nobody says how wide it may be.
const MARKS_PIPED: usize = 60;
/// Marks that labels have to leave room for.
const MARKS_MIN: usize = 20;
/// Marks that a line has even if it becomes too wide.
const MARKS_LEAST: usize = 8;
/// Characters of a label's value that are shown at least.
const LABEL_MIN: usize = 6;
/// Characters between columns.
const GUTTER: usize = 2;
/// What is said of a line over a range.
const FIGURES: [&str; 4] = ["min", "mean", "max", "last"];
/// Behind figures that are counts of native histograms.
const OF_COUNT: &str = "(count)";

/// How wide it may be: what `COLUMNS` says, else the terminal's width, else anything.
pub(super) fn width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
    columns.filter(|width| *width > 0).or_else(|| Table::new().width().map(usize::from))
}

/// The whole text.
pub(super) fn write(data: &Data, steps: &Steps, width: Option<usize>) -> String {
    match (data, steps) {
        (Data::Scalar(Sample(_, Number(value))), _) => format!("{}\n", number::json(*value)),
        (Data::String(Sample(_, text)), _) => format!("{text}\n"),
        _ if data.is_empty() => String::new(),
        (Data::Vector(all), _) => instant(all, width),
        (Data::Matrix(all), Steps::Instant(_)) => raw(all, width),
        (Data::Matrix(all), Steps::Range(grid)) => range(all, *grid, width),
    }
}

fn instant(all: &[One], width: Option<usize>) -> String {
    let rows = all.iter().filter_map(|one| Some((&one.metric, vec![cell(one.sample()?.1)]))).collect();
    labelled(&Rows { own: &["value"], rows }, width)
}

/// The samples of a range vector as they are.
fn raw(all: &[Many], width: Option<usize>) -> String {
    let samples = |many: &Many| -> Vec<Vec<String>> {
        many.samples().into_iter().map(|(time, point)| vec![show_time(time), cell(point)]).collect()
    };
    let rows = all.iter().flat_map(|many| samples(many).into_iter().map(|cells| (&many.metric, cells))).collect();
    labelled(&Rows { own: &["time", "value"], rows }, width)
}

fn cell(point: Point<'_>) -> String {
    match point {
        Point::Float(value) => number::json(value),
        Point::Histogram(h) => h.summary(),
    }
}

/// Rows with labels and columns of their own.
struct Rows<'a> {
    own: &'a [&'a str],
    rows: Vec<(&'a Labels, Vec<String>)>,
}

/// A column per label. Where that is too wide, labels that all rows share are said once.
fn labelled(rows: &Rows<'_>, width: Option<usize>) -> String {
    let series = || rows.rows.iter().map(|(labels, _)| *labels);
    let mut names = label_names(series());
    let mut head = String::new();
    let mut table = columns(&names, rows);
    let Some(width) = width else { return text(&table) };
    if widest(&table) > width {
        let shared = shared(&series().collect::<Vec<_>>());
        if !shared.is_empty() {
            names.retain(|name| !shared.contains_key(*name));
            head = format!("all: {}\n", notation(&shared));
            table = columns(&names, rows);
        }
        if widest(&table) > width {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
    }
    head + &text(&table)
}

fn columns(names: &[&str], rows: &Rows<'_>) -> Table {
    let mut table = bare();
    table.set_header(names.iter().chain(rows.own));
    for (labels, own) in &rows.rows {
        let labels = names.iter().map(|name| labels.get(*name).map_or("", String::as_str));
        table.add_row(labels.chain(own.iter().map(String::as_str)).map(Cell::new));
    }
    // Numbers are compared by their ends; what says more than a number is read from its beginning.
    let words = rows.rows.iter().any(|(_, own)| own.last().is_some_and(|value| value.contains(' ')));
    if let (false, Some(value)) = (words, table.column_mut(names.len() + rows.own.len() - 1)) {
        value.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn text(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        // Each cell has a space on either side.
        text.push_str(line.strip_prefix(' ').unwrap_or(&line).trim_end());
        text.push('\n');
    }
    text
}

fn widest(table: &Table) -> usize {
    text(table).lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// Labels that all of several series have, with the same values.
fn shared(series: &[&Labels]) -> Labels {
    let Some((first, others)) = series.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Labels::new();
    };
    let of_all = |(name, value): &(&String, &String)| others.iter().all(|labels| labels.get(*name) == Some(*value));
    first.iter().filter(of_all).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// `name{label="value"}`.
fn notation(labels: &Labels) -> String {
    let name = labels.get(NAME).map_or("", String::as_str);
    let pairs: Vec<String> =
        labels.iter().filter(|(k, _)| *k != NAME).map(|(k, v)| format!("{k}={}", quote(v))).collect();
    match (name, pairs.is_empty()) {
        ("", _) | (_, false) => format!("{name}{{{}}}", pairs.join(", ")),
        (name, true) => name.to_owned(),
    }
}

/// The first characters of a text, with a sign that there were more.
fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    text.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}

/// A series of a range.
struct Line {
    /// Whether its numbers are counts of native histograms.
    counts: bool,
    slots: Vec<Option<f64>>,
    figures: [String; FIGURES.len()],
}

impl Line {
    fn of(series: &Many, grid: Grid) -> Self {
        let mut slots = vec![None; grid.len()];
        for (time, point) in series.samples() {
            let value = match point {
                Point::Float(value) => value,
                Point::Histogram(h) => h.count(),
            };
            let step = usize::try_from((time - grid.start) / grid.step).ok();
            if let Some(slot) = step.and_then(|step| slots.get_mut(step)) {
                *slot = Some(value);
            }
        }
        let (mut least, mut largest, mut sum, mut numbers) = (f64::NAN, f64::NAN, 0.0, 0.0);
        for value in slots.iter().flatten().filter(|value| !value.is_nan()) {
            least = value.min(least);
            largest = value.max(largest);
            sum += value;
            numbers += 1.0;
        }
        let last = slots.iter().flatten().next_back().copied().unwrap_or(f64::NAN);
        let figures = [least, sum / numbers, largest, last].map(short);
        Self { counts: !series.histograms.is_empty(), slots, figures }
    }
}

/// A line per series, drawn to its own scale, and below them what the marks are.
fn range(all: &[Many], grid: Grid, width: Option<usize>) -> String {
    let lines: Vec<Line> = all.iter().map(|series| Line::of(series, grid)).collect();
    let labels: Vec<&Labels> = all.iter().map(|series| &series.metric).collect();
    let mut names = label_names(labels.iter().copied());
    let (mut head, mut marks, mut label_chars_max) = (String::new(), grid.len().min(MARKS_PIPED), usize::MAX);
    if let Some(width) = width {
        let room = width.saturating_sub(figure_width(&lines));
        let least = grid.len().min(MARKS_MIN);
        let mut widths = label_widths(&names, &labels);
        if widths.iter().sum::<usize>() + least > room {
            let shared = shared(&labels);
            if !shared.is_empty() {
                head = format!("all: {}\n", notation(&shared));
                names.retain(|name| !shared.contains_key(*name));
                widths = label_widths(&names, &labels);
            }
        }
        while widths.iter().sum::<usize>() + least > room {
            let longest = widths.iter().copied().max().unwrap_or(0);
            if longest <= LABEL_MIN + GUTTER {
                break;
            }
            label_chars_max = longest - GUTTER - 1;
            widths.iter_mut().for_each(|chars| *chars = (*chars).min(longest - 1));
        }
        marks = grid.len().min(room.saturating_sub(widths.iter().sum()).max(MARKS_LEAST));
    }
    let counts = lines.iter().any(|line| line.counts);
    let mut table = bare();
    table.set_header(
        names
            .iter()
            .map(|name| cut(name, label_chars_max))
            .chain([""].iter().chain(&FIGURES).chain(counts.then_some(&"")).map(|name| (*name).to_owned())),
    );
    for (labels, line) in labels.iter().zip(&lines) {
        let values = names.iter().map(|name| cut(labels.get(*name).map_or("", String::as_str), label_chars_max));
        let of = counts.then(|| if line.counts { OF_COUNT.to_owned() } else { String::new() });
        let drawn = spark::draw(&line.slots, marks);
        table.add_row(values.chain([drawn]).chain(line.figures.iter().cloned()).chain(of));
    }
    for column in table.column_iter_mut().skip(names.len() + 1).take(FIGURES.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    head + &text(&table) + "\n" + &legend(grid, marks, &lines)
}

/// How wide the columns of labels are, with the space between them and the next.
fn label_widths(names: &[&str], series: &[&Labels]) -> Vec<usize> {
    let value = |labels: &Labels, name: &str| labels.get(name).map_or(0, |value| value.chars().count());
    let widest = |name: &&str| series.iter().map(|labels| value(labels, name)).max().unwrap_or(0);
    names.iter().map(|name| widest(name).max(name.chars().count()) + GUTTER).collect()
}

/// How wide the columns of figures are, with the space before each.
fn figure_width(lines: &[Line]) -> usize {
    let widest = |i: usize| lines.iter().map(|line| line.figures[i].chars().count()).max().unwrap_or(0);
    let figures: usize = FIGURES.iter().enumerate().map(|(i, name)| widest(i).max(name.len()) + GUTTER).sum();
    figures + if lines.iter().any(|line| line.counts) { OF_COUNT.len() + GUTTER } else { 0 }
}

fn legend(grid: Grid, marks: usize, lines: &[Line]) -> String {
    let (steps, step) = (grid.len(), format_duration(grid.step));
    let mut legend = format!("{} to {}, step {step}, {steps} step", show_time(grid.start), show_time(grid.end));
    if steps != 1 {
        legend.push('s');
    }
    if marks < steps {
        legend.push_str(&format!(" in {marks} marks (means)"));
    }
    legend.push_str("\n▁ least and █ largest of each line");
    if lines.iter().any(|line| line.slots.contains(&None)) {
        legend.push_str(&format!(", {} no sample", spark::GAP));
    }
    if lines.iter().any(|line| line.counts) {
        legend.push_str(&format!(", {OF_COUNT} observations of native histograms"));
    }
    legend.push('\n');
    legend
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::{Expect, expect};

    use super::*;

    fn data(json: &str) -> Data {
        serde_json::from_str(json).unwrap()
    }

    fn check(json: &str, steps: Steps, width: Option<usize>, wanted: &Expect) {
        wanted.assert_eq(&write(&data(json), &steps, width));
    }

    const VECTOR: &str = r#"{"resultType":"vector","result":[
        {"metric":{"__name__":"up","job":"api","instance":"a:80"},"value":[0,"1"]},
        {"metric":{"__name__":"up","job":"api","instance":"bb:80","zone":"x"},"value":[0,"0.25"]}]}"#;
    const HISTOGRAMS: &str = r#"{"resultType":"vector","result":[{"metric":{},"histogram":
        [0,{"count":"7","sum":"9.5","buckets":[[3,"-0.001","0.001","1"],[0,"0.5","1","2"],[0,"1","2","4"]]}]}]}"#;

    #[test]
    fn instants() {
        let at = Steps::Instant(0);
        check(
            VECTOR,
            at,
            None,
            &expect![[r#"
            __name__  instance  job  zone  value
            up        a:80      api            1
            up        bb:80     api  x      0.25
        "#]],
        );
        check(
            VECTOR,
            at,
            Some(30),
            &expect![[r#"
            all: up{job="api"}
            instance  zone  value
            a:80                1
            bb:80     x      0.25
        "#]],
        );
        check(
            HISTOGRAMS,
            at,
            None,
            &expect![[r#"
                value
                count 7, sum 9.5, mean 1.3571, 0 ▃▅█ 2
            "#]],
        );
        check(
            r#"{"resultType":"scalar","result":[0,"+Inf"]}"#,
            at,
            None,
            &expect![[r#"
            +Inf
        "#]],
        );
        check(
            r#"{"resultType":"string","result":[0,"words"]}"#,
            at,
            None,
            &expect![[r#"
            words
        "#]],
        );
        check(
            r#"{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[0.5,"1"],[1,"2"]]}]}"#,
            at,
            None,
            &expect![[r#"
                a  time                      value
                b  1970-01-01T00:00:00.500Z      1
                b  1970-01-01T00:00:01Z          2
            "#]],
        );
        // Lines of CSV end in CR LF (RFC 4180); the expectations here in LF, as sources do.
        let csv = |json| super::super::csv::write(&data(json)).replace("\r\n", "\n");
        expect![[r#"
            __name__,instance,job,zone,time,value
            up,a:80,api,,1970-01-01T00:00:00Z,1
            up,bb:80,api,x,1970-01-01T00:00:00Z,0.25
        "#]]
        .assert_eq(&csv(VECTOR));
        expect![[r#"
            time,value,histogram
            1970-01-01T00:00:00Z,,"{count:7, sum:9.5, [-0.001,0.001]:1, (0.5,1]:2, (1,2]:4}"
        "#]]
        .assert_eq(&csv(HISTOGRAMS));
        expect![[r#"
            time,sample_time,value
            "a,""b",1970-01-01T00:00:00.500Z,1
            "a,""b",1970-01-01T00:00:01Z,2
        "#]]
        .assert_eq(&csv(
            r#"{"resultType":"matrix","result":[{"metric":{"time":"a,\"b"},"values":[[0.5,"1"],[1,"2"]]}]}"#,
        ));
    }

    #[test]
    fn ranges() {
        let values = |of: &dyn Fn(i64) -> Option<f64>| -> String {
            let all: Vec<String> =
                (0..=60).filter_map(|i| Some(format!("[{},\"{}\"]", i * 15, number::json(of(i)?)))).collect();
            format!("[{}]", all.join(","))
        };
        let json = format!(
            r#"{{"resultType":"matrix","result":[
            {{"metric":{{"__name__":"requests","job":"checkout","instance":"10.0.0.1:8080"}},"values":{}}},
            {{"metric":{{"__name__":"requests","job":"checkout","instance":"10.0.0.2:8080"}},"values":{}}},
            {{"metric":{{"__name__":"sizes"}},"histograms":[[0,{{"count":"3","sum":"1"}}],[900,{{"count":"9","sum":"1"}}]]}}]}}"#,
            values(&|i| Some((i as f64 / 8.0).sin())),
            values(&|i| (!(20..=40).contains(&i)).then_some(1_234_567.0 + i as f64)),
        );
        let steps = Steps::Range(Grid { start: 0, end: 900_000, step: 15_000 });
        check(
            &json,
            steps,
            None,
            &expect![[r#"
                __name__  instance       job                                                                          min      mean      max     last
                requests  10.0.0.1:8080  checkout  ▅▅▅▆▆▇▇▇▇████████▇▇▇▇▆▆▅▅▅▄▄▃▃▂▂▂▂▁▁▁▁▁▁▁▁▁▂▂▂▃▃▄▄▄▅▅▆▆▆▇▇▇█  -0.99929  0.093264  0.99853    0.938
                requests  10.0.0.2:8080  checkout  ▁▁▁▁▁▂▂▂▂▂▂▂▂▃▃▃▃▃▃▃·····················▆▆▆▆▆▆▇▇▇▇▇▇▇▇▇████   1234567   1234597  1234627  1234627
                sizes                              ▁··························································█         3         6        9        9  (count)

                1970-01-01T00:00:00Z to 1970-01-01T00:15:00Z, step 15s, 61 steps in 60 marks (means)
                ▁ least and █ largest of each line, · no sample, (count) observations of native histograms
            "#]],
        );
        check(
            &json,
            steps,
            Some(80),
            &expect![[r#"
                __nam…  insta…  job                     min      mean      max     last
                reque…  10.0.…  check…  ▆██▆▃▁▂▅▇  -0.99929  0.093264  0.99853    0.938
                reque…  10.0.…  check…  ▁▂▃···▆▇█   1234567   1234597  1234627  1234627
                sizes                   ▁·······█         3         6        9        9  (count)

                1970-01-01T00:00:00Z to 1970-01-01T00:15:00Z, step 15s, 61 steps in 9 marks (means)
                ▁ least and █ largest of each line, · no sample, (count) observations of native histograms
            "#]],
        );
        let two = data(&json);
        let Data::Matrix(mut all) = two else { return };
        all.truncate(2);
        let narrow = write(&Data::Matrix(all), &steps, Some(80));
        assert!(narrow.lines().take(4).all(|line| line.chars().count() <= 80), "{narrow}");
        expect![[r#"
            all: requests{job="checkout"}
            instance                                         min      mean      max     last
            10.0.0.1:8080  ▅▆▆▇████▇▆▆▅▃▃▂▁▁▁▁▂▃▃▄▅▆▇█  -0.99929  0.093264  0.99853    0.938
            10.0.0.2:8080  ▁▁▁▂▂▂▃▃▃·········▆▆▆▇▇▇▇██   1234567   1234597  1234627  1234627

            1970-01-01T00:00:00Z to 1970-01-01T00:15:00Z, step 15s, 61 steps in 27 marks (means)
            ▁ least and █ largest of each line, · no sample
        "#]]
        .assert_eq(&narrow);
    }
}
