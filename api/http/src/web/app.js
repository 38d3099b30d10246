'use strict';
// The page at /: shows what has arrived, runs SQL, tells how to send. Talks to this server only.

const $ = (id) => document.getElementById(id);

/** Makes an element; children are nodes or text, never markup, so that data cannot become a page. */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const count = (n) => Number(n).toLocaleString('en-US');
function size(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (bytes >= 1000 && i < units.length - 1) { bytes /= 1000; i++; }
  return `${bytes < 10 && i ? bytes.toFixed(1) : Math.round(bytes)} ${units[i]}`;
}
const time = (t) => (t ? t.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC') : '');

function headers(extra) {
  const all = Object.assign({}, extra);
  if ($('tenant').value.trim()) all['X-Scope-OrgID'] = $('tenant').value.trim();
  if ($('token').value.trim()) all.Authorization = `Bearer ${$('token').value.trim()}`;
  return all;
}

/** An answer's JSON, or an error that carries the problem document. */
async function ask(path, options) {
  const response = await fetch(path, options);
  const text = await response.text();
  let body;
  try { body = JSON.parse(text); } catch { body = { title: response.statusText || 'no JSON', detail: text.slice(0, 500) }; }
  if (!response.ok) throw body;
  return body;
}

function problemCard(problem) {
  const card = el('div', { class: 'card bad' }, el('strong', {}, problem.title || 'Error'));
  if (problem.code) card.append(' ', el('a', { href: `/docs#${problem.code}` }, problem.code));
  card.append(el('br'), problem.detail || String(problem.message || problem));
  if (problem.line) card.append(` (line ${problem.line}, column ${problem.column})`);
  if (problem.hint) card.append(el('br'), el('span', { class: 'muted' }, problem.hint));
  return card;
}

// --- what has arrived ---

async function showStatus() {
  try { sessionStorage.setItem('grid', JSON.stringify({ tenant: $('tenant').value, token: $('token').value })); } catch { /* private mode */ }
  $('notice').replaceChildren();
  let status;
  try {
    status = await ask('/api/v1/status', { headers: headers() });
  } catch (problem) {
    $('server').textContent = '';
    $('tables').replaceChildren();
    $('sources').replaceChildren();
    $('notice').replaceChildren(problemCard(problem));
    return;
  }
  const s = status.server;
  $('server').textContent = `Grid ${s.version} · tenant ${status.tenant} · up since ${time(s.started)} · ${s.health}`;
  if (s.reason) $('notice').append(problemCard({ title: 'Writes are refused', detail: s.reason, hint: 'Queries still work.' }));
  const arrived = status.tables.filter((t) => t.rows > 0);
  if (arrived.length === 0) {
    $('tables').replaceChildren(emptyCard(status));
  } else {
    const body = el('tbody');
    for (const t of arrived) {
      const name = el('button', { type: 'button', title: `Query ${t.table}` }, t.table);
      name.addEventListener('click', () => { fill(`SELECT * FROM ${t.table} LIMIT 50`); run(); });
      body.append(el('tr', {}, el('th', { scope: 'row' }, name), el('td', { class: 'num' }, count(t.rows)),
        el('td', { class: 'num' }, size(t.bytes)), el('td', { class: 'num' }, count(t.files)),
        el('td', {}, time(t.first_time)), el('td', {}, time(t.last_time))));
    }
    const head = el('tr', {}, ...['Table', 'Rows', 'In files', 'Files', 'First', 'Last']
      .map((h, i) => el('th', { scope: 'col', class: i > 0 && i < 4 ? 'num' : '' }, h)));
    $('tables').replaceChildren(el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Tables' },
      el('table', {}, el('caption', {}, `${count(status.series)} series. Rows not yet in files are counted too.`), el('thead', {}, head), body)));
    const missing = status.tables.filter((t) => t.rows === 0 && ['samples', 'logs', 'spans', 'charges'].includes(t.table)).map((t) => t.table);
    if (missing.length) {
      $('notice').append(el('p', { class: 'muted' }, `Nothing yet in ${missing.join(', ')}: no sender has written there for this tenant. `, el('a', { href: '#send' }, 'How to send'), '.'));
    }
  }
  const sources = (status.sources || []).map((x) => el('li', {}, `${x.name} `, el('span', { class: 'muted' }, x.last_time ? `${x.kind}, last ${time(x.last_time)}` : x.kind)));
  $('sources').replaceChildren(...(sources.length ? [el('details', {}, el('summary', {}, 'Sources ', el('span', {}, `(${sources.length})`)), el('ul', {}, ...sources))] : []));
}

function emptyCard(status) {
  const card = el('div', { class: 'card' }, el('h3', {}, `Nothing has arrived for tenant ${status.tenant}`));
  const list = el('ul');
  const item = (...children) => list.append(el('li', {}, ...children));
  item('No sender has written here yet. ', el('a', { href: '#send' }, 'Point one at this server'), ', it takes one line.');
  if (status.other_tenants) item('Other tenants have data: choose one in the field Tenant above.');
  item('To look around first, stop this server and run ', el('code', {}, 'grid demo'), ': 14 days of a small company, offline.');
  item('A sender that runs but does not show up: its own log names the refusal with a code that ', el('code', {}, 'grid explain'), ' knows.');
  card.append(list);
  return card;
}

// --- query ---

const EXAMPLES = [
  ['Tables', 'SHOW TABLES'],
  ['Metrics by series', 'SELECT metric, count(*) AS series\nFROM series\nGROUP BY metric\nORDER BY series DESC\nLIMIT 50'],
  ['Errors per hour', "SELECT time_bucket('1h', time) AS hour, service, count(*) AS errors\nFROM logs\nWHERE severity_number >= 17\nGROUP BY 1, 2\nORDER BY 1 DESC, 3 DESC\nLIMIT 100"],
  ['Full text', "SELECT time, service, severity, body\nFROM logs\nWHERE match(body, 'timeout')\nORDER BY time DESC\nLIMIT 50"],
  ['Slowest spans', 'SELECT service, name, count(*) AS spans, round(max(duration_ns) / 1e6) AS max_ms\nFROM spans\nGROUP BY 1, 2\nORDER BY max_ms DESC\nLIMIT 20'],
  ['Cost by service', 'SELECT service_name, billing_currency, sum(billed_cost) AS cost\nFROM charges\nGROUP BY 1, 2\nORDER BY cost DESC\nLIMIT 20'],
  ['Files', 'SELECT * FROM grid.files LIMIT 50'],
  ['Explain', 'EXPLAIN ANALYZE\nSELECT count(*) FROM logs'],
];

function fill(sql) { $('sql').value = sql; $('sql').focus(); }

let running = null;

async function run() {
  if (running) running.abort();
  const mine = new AbortController();
  running = mine;
  $('stop').disabled = false;
  $('problem').replaceChildren();
  $('state').textContent = 'Running…';
  const began = performance.now();
  try {
    const answer = await ask('/api/v1/sql', {
      method: 'POST',
      signal: mine.signal,
      headers: headers({ 'Content-Type': 'application/json', Accept: 'application/json' }),
      body: JSON.stringify({ query: $('sql').value, max_rows: 10000 }),
    });
    const ms = Math.round(performance.now() - began);
    $('state').textContent = `${count(answer.rows.length)} row${answer.rows.length === 1 ? '' : 's'} in ${ms} ms`;
    showAnswer(answer);
  } catch (problem) {
    if (mine.signal.aborted) { if (running === mine) $('state').textContent = 'Stopped.'; return; }
    $('state').textContent = '';
    $('answer').hidden = true;
    $('problem').replaceChildren(problemCard(problem));
  } finally {
    if (running === mine) { running = null; $('stop').disabled = true; }
  }
}

const SHOWN_ROWS = 500;

function showAnswer(answer) {
  const names = answer.columns.map((c) => c.name);
  const numeric = answer.columns.map((c) => /^(u?int|float|double|decimal)/.test(c.type));
  const head = el('tr', {}, ...names.map((n, i) => el('th', { scope: 'col', class: numeric[i] ? 'num' : '' }, n)));
  const body = el('tbody');
  for (const row of answer.rows.slice(0, SHOWN_ROWS)) {
    body.append(el('tr', {}, ...names.map((name, i) => {
      const value = row[name];
      if (value === null || value === undefined) return el('td', { class: 'cell null' }, 'null');
      const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
      return el('td', { class: numeric[i] ? 'cell num' : 'cell', title: text.length > 60 ? text.slice(0, 2000) : '' }, text);
    })));
  }
  const notes = [];
  if (answer.rows.length === 0) notes.push('No rows: the query ran and its filter matched nothing. Widen the time range, or see above whether the table has rows at all.');
  if (answer.rows.length > SHOWN_ROWS) notes.push(`The first ${SHOWN_ROWS} rows are shown.`);
  const table = el('table', {}, ...(notes.length ? [el('caption', {}, notes.join(' '))] : []), el('thead', {}, head), body);
  if (names.some((n) => n === 'plan')) for (const td of table.querySelectorAll('td')) td.style.whiteSpace = 'pre';
  $('answer').replaceChildren(table);
  $('answer').hidden = false;
}

// --- send ---

function snippets() {
  const base = location.origin;
  const tenant = $('tenant').value.trim();
  const token = $('token').value.trim() ? 'grid_YOUR_TOKEN' : '';
  const pairs = [];
  if (tenant) pairs.push(['X-Scope-OrgID', tenant]);
  if (token) pairs.push(['Authorization', `Bearer ${token}`]);
  const curl = pairs.map(([k, v]) => ` \\\n  -H '${k}: ${v}'`).join('');
  const otelHeaders = pairs.length ? `\nexport OTEL_EXPORTER_OTLP_HEADERS="${pairs.map(([k, v]) => `${k}=${encodeURIComponent(v)}`).join(',')}"` : '';
  const yamlHeaders = (indent) => (pairs.length ? `\n${indent}headers:${pairs.map(([k, v]) => `\n${indent}  ${k}: "${v}"`).join('')}` : '');
  return [
    ['OpenTelemetry SDK', 'any language, by environment', `export OTEL_EXPORTER_OTLP_ENDPOINT=${base}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf${otelHeaders}`],
    ['OpenTelemetry Collector', 'exporter', `exporters:\n  otlphttp/grid:\n    endpoint: ${base}${yamlHeaders('    ')}\n    compression: zstd`],
    ['Prometheus', 'remote write', `remote_write:\n  - url: ${base}/prometheus/api/v1/write\n    protobuf_message: io.prometheus.write.v2.Request   # leave away before Prometheus 3${yamlHeaders('    ')}`],
    ['Grafana Alloy, Promtail, Fluent Bit', 'Loki push', `# Alloy\nloki.write "grid" {\n  endpoint {\n    url = "${base}/loki/api/v1/push"${pairs.length ? `\n    headers = { ${pairs.map(([k, v]) => `"${k}" = "${v}"`).join(', ')} }` : ''}\n  }\n}`],
    ['One log line', 'curl', `curl -i ${base}/loki/api/v1/push${curl} \\\n  -H 'Content-Type: application/json' \\\n  -d "{\\"streams\\":[{\\"stream\\":{\\"service\\":\\"hello\\"},\\"values\\":[[\\"$(date +%s)000000000\\",\\"it works\\"]]}]}"`],
    ['A cloud bill', 'FOCUS CSV or Parquet, AWS CUR CSV', `curl --data-binary @focus.csv '${base}/api/v1/imports?dataset=my-bill&name=focus.csv'${curl}`],
    ['Query from a script', 'curl, CSV out', `curl ${base}/api/v1/sql${curl} \\\n  -H 'Content-Type: application/sql' -H 'Accept: text/csv' \\\n  -d 'SELECT * FROM logs ORDER BY time DESC LIMIT 10'`],
  ];
}

function showSnippets() {
  const open = new Set([...document.querySelectorAll('#snippets details[open]')].map((d) => d.dataset.name));
  $('snippets').replaceChildren(...snippets().map(([name, what, text], i) => {
    const copy = el('button', { type: 'button' }, 'Copy');
    copy.addEventListener('click', async () => {
      try { await navigator.clipboard.writeText(text); copy.textContent = 'Copied'; } catch { copy.textContent = 'Select and copy by hand'; }
      setTimeout(() => { copy.textContent = 'Copy'; }, 1500);
    });
    const details = el('details', { 'data-name': name }, el('summary', {}, `${name} `, el('span', {}, `· ${what}`)),
      el('div', { class: 'snippet' }, el('pre', { tabindex: '0' }, el('code', {}, text)), copy));
    if (open.size ? open.has(name) : i === 0) details.open = true;
    return details;
  }));
}

// --- begin ---

try {
  const kept = JSON.parse(sessionStorage.getItem('grid') || '{}');
  $('tenant').value = kept.tenant || '';
  $('token').value = kept.token || '';
} catch { /* private mode */ }
for (const [name, sql] of EXAMPLES) {
  const button = el('button', { type: 'button' }, name);
  button.addEventListener('click', () => fill(sql));
  $('examples').append(button);
}
$('who').addEventListener('submit', (event) => { event.preventDefault(); showStatus(); showSnippets(); });
$('ask').addEventListener('submit', (event) => { event.preventDefault(); run(); });
$('stop').addEventListener('click', () => { if (running) running.abort(); });
$('sql').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
});
showStatus();
showSnippets();
setInterval(() => { if (!document.hidden && !document.activeElement?.closest('#tables')) showStatus(); }, 15000);
