//! A report as one page that loads nothing: it can be mailed, kept, and printed.

use super::chart;
use super::document::{Cell, Document, Section, money, of, signed};
use crate::finance::report::{CostReport, DayItem};

/// Colours for light and dark, numbers in columns, statements in folds.
const STYLE: &str = "
:root{--paper:#fff;--ink:#1c2430;--soft:#5d6878;--line:#e3e7ed;--bar:#2f6fde;--soon:#b5cdf6;--good:#1b7f4b;--warn:#a35b00;--bad:#b3261e;--card:#f6f8fb}
@media (prefers-color-scheme:dark){:root{--paper:#12161c;--ink:#e6eaf0;--soft:#98a3b3;--line:#2a323d;--bar:#6ea0ff;--soon:#324a74;--good:#5fd196;--warn:#f0b35c;--bad:#ff8a80;--card:#1a2029}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 24px 64px}h1{font-size:26px;margin:0 0 4px}h2{font-size:18px;margin:40px 0 8px}
.facts,.note{color:var(--soft);margin:0}.facts span{margin-right:20px;white-space:nowrap}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:12px;margin:24px 0 8px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}.card b{display:block;font-size:24px;font-variant-numeric:tabular-nums}
.card small{color:var(--soft)}.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}th{color:var(--soft);font-weight:600;white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.up{color:var(--bad)}.down{color:var(--good)}td.w{overflow-wrap:anywhere;min-width:7.5em}td.w:first-child{min-width:0}
.state{border-radius:99px;padding:1px 10px;border:1px solid currentColor;font-size:13px;white-space:nowrap}.ok{color:var(--good)}.at_risk{color:var(--warn)}.exceeded{color:var(--bad)}
details{margin:8px 0 0;color:var(--soft)}summary{cursor:pointer;font-size:13px}pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;white-space:pre-wrap;overflow-wrap:anywhere;font-size:12.5px;color:var(--ink)}
svg{width:100%;height:auto;display:block}.bar{fill:var(--bar)}.soon{fill:var(--soon)}.rule{stroke:var(--line)}.scale,.day{fill:var(--soft);font-size:11px}.scale{text-anchor:end}.day{text-anchor:middle}
footer{margin-top:48px;color:var(--soft);font-size:13px}@media print{details{display:none}main{padding:0}}
";

/// Text within HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// The page.
pub fn page(report: &CostReport) -> String {
    let document = of(report);
    let title = escape(&document.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
    );
    facts(&document, &mut out);
    cards(report, &mut out);
    days(report, &mut out);
    for section in &document.sections {
        write_section(section, &mut out);
    }
    out.push_str("<footer>Amounts are shown rounded; hold the pointer over one for its exact value. Every section unfolds the SQL that gives its numbers.</footer>\n</main>\n</body>\n</html>\n");
    out
}

fn facts(document: &Document, out: &mut String) {
    out.push_str("<p class=\"facts\">");
    for (name, value) in &document.facts {
        out.push_str(&format!("<span>{}: {}</span> ", escape(name), escape(value)));
    }
    out.push_str("</p>\n");
}

fn direction(exact: &str) -> &'static str {
    match exact {
        "0" => "",
        text if text.starts_with('-') => " down",
        _ => " up",
    }
}

/// The headline of each currency: what it cost, and where the month ends.
fn cards(report: &CostReport, out: &mut String) {
    out.push_str("<div class=\"cards\">\n");
    for total in &report.totals {
        let percent = total.change_percent.as_ref().map(|p| format!(" ({p}%)")).unwrap_or_default();
        let change = format!("{}{percent}", signed(&total.change));
        out.push_str(&format!(
            "<div class=\"card\"><small>{} in the period</small><b title=\"{}\">{}</b><small class=\"{}\">{} against before</small></div>\n",
            escape(&total.currency),
            escape(&total.cost),
            money(&total.cost),
            direction(&total.change).trim(),
            escape(&change),
        ));
    }
    for end in &report.forecast {
        let Some(total) = &end.total else { continue };
        let bounds = end.low.as_ref().zip(end.high.as_ref()).map(|(l, h)| format!("{} to {}", money(l), money(h)));
        out.push_str(&format!(
            "<div class=\"card\"><small>{} at the end of {}</small><b title=\"{}\">{}</b><small>{}</small></div>\n",
            escape(&end.currency),
            escape(end.period.from.get(..7).unwrap_or(&end.period.from)),
            escape(total),
            money(total),
            escape(&bounds.unwrap_or_else(|| "history is too short for bounds".to_owned())),
        ));
    }
    out.push_str("</div>\n");
}

fn days(report: &CostReport, out: &mut String) {
    for total in &report.totals {
        let days: Vec<&DayItem> = report.days.iter().filter(|d| d.currency == total.currency).collect();
        if days.len() > 1 {
            out.push_str(&format!("<h2>{} per day</h2>\n", escape(&total.currency)));
            out.push_str(&chart::bars(&days, &total.currency));
            if days.iter().any(|d| d.forecast) {
                out.push_str("<p class=\"note\">Pale bars are forecast.</p>\n");
            }
            fold(std::slice::from_ref(&report.days_sql), out);
        }
    }
}

fn write_section(section: &Section, out: &mut String) {
    out.push_str(&format!("<h2>{}</h2>\n", escape(section.title)));
    if let Some(note) = &section.note {
        out.push_str(&format!("<p class=\"note\">{}</p>\n", escape(note)));
    }
    if !section.rows.is_empty() {
        out.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
        for (i, head) in section.head.iter().enumerate() {
            let number = section.rows.iter().any(|r| r.get(i).is_some_and(Cell::is_number));
            let class = if number { " class=\"n\"" } else { "" };
            out.push_str(&format!("<th scope=\"col\"{class}>{}</th>", escape(head)));
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for row in &section.rows {
            out.push_str("<tr>");
            row.iter().for_each(|cell| write_cell(cell, out));
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
    }
    fold(&section.sql, out);
}

fn write_cell(cell: &Cell, out: &mut String) {
    let text = escape(&cell.text());
    let title = cell.exact().map(|exact| format!(" title=\"{}\"", escape(exact))).unwrap_or_default();
    out.push_str(&match cell {
        Cell::Word(_) => format!("<td class=\"w\">{text}</td>"),
        Cell::State(state) => format!("<td><span class=\"state {state}\">{text}</span></td>"),
        Cell::Change(exact) => format!("<td class=\"n{}\"{title}>{text}</td>", direction(exact)),
        Cell::Money(_) | Cell::Percent(_) => format!("<td class=\"n\"{title}>{text}</td>"),
    });
}

fn fold(sql: &[String], out: &mut String) {
    let statements: Vec<&str> = sql.iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
    if !statements.is_empty() {
        out.push_str(&format!(
            "<details><summary>SQL</summary><pre>{};</pre></details>\n",
            escape(&statements.join(";\n\n"))
        ));
    }
}
