//! Every error code that a user can meet: what it is, why it happens, what to do. `grid explain CODE` and the page `/docs`
//! read this list; a test holds that no code is used without an entry here.
//!
//! 01xx who and how much, 02xx the request, 03xx the store, 04xx queries, 05xx imports, 06xx costs, 07xx alerting, 09xx defects of ours.
//! 01xx who and how much, 02xx the request, 03xx the store, 04xx queries, 05xx imports, 066x budgets, 07xx alerting, 09xx defects of ours.
//! 01xx who and how much, 02xx the request, 03xx the store, 04xx queries, 05xx imports, 06xx costs, 09xx defects of ours.
//! 01xx who and how much, 02xx the request, 03xx the store, 04xx queries, 05xx imports, 066x budgets, 08xx alerts, 09xx defects of ours.
//! 01xx who and how much, 02xx the request, 03xx the store, 04xx queries, 05xx imports, 06xx costs, 070x jobs, 09xx defects of ours.
//! 01xx who and how much, 02xx the request, 03xx the store, 04xx queries, 05xx imports, 066x budgets, 09xx defects of ours.
//! A code, once released, keeps its meaning and is never given away again.

/// One error code, explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `GRID-0412`
    pub code: &'static str,
    /// What kind of problem.
    pub title: &'static str,
    /// Why it happens.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// Looks a code up; `GRID-0412`, `grid-0412`, `0412` and `412` are the same.
pub fn explain(text: &str) -> Option<&'static Code> {
    let text = text.trim();
    let upper = text.to_ascii_uppercase();
    let digits = upper.strip_prefix("GRID-").unwrap_or(&upper);
    let number: u16 = digits.parse().ok()?;
    CODES.iter().find(|c| c.code == format!("GRID-{number:04}"))
}

const fn code(code: &'static str, title: &'static str, cause: &'static str, remedy: &'static str) -> Code {
    Code { code, title, cause, remedy }
}

/// All of them, in order.
pub const CODES: &[Code] = &[
    code(
        "GRID-0101",
        "credentials missing",
        "Authentication is on and the request has no readable Authorization header.",
        "Send `Authorization: Bearer grid_...`, or HTTP basic authentication with any user name and the token as password. `grid token create` makes a token.",
    ),
    code(
        "GRID-0102",
        "token unknown",
        "The token was never created here, was revoked, or was cut while copying. A token is `grid_` and 64 hex digits.",
        "`grid token list` shows the tokens that exist by their first digits. Create another one if in doubt.",
    ),
    code(
        "GRID-0103",
        "token expired",
        "The token was created with a time of expiry, which has passed.",
        "`grid token create --expires ...` makes another; revoke the old one.",
    ),
    code(
        "GRID-0104",
        "scope missing",
        "The token is valid but does not hold the scope that this route needs: ingest (write), query (read) or admin (delete, retention, tokens, maintenance).",
        "Use a token with that scope. Scopes do not include each other.",
    ),
    code(
        "GRID-0105",
        "tenant not permitted",
        "X-Scope-OrgID names a tenant that the token does not hold. The header only narrows what the token holds.",
        "Leave the header away, correct it, or use a token for that tenant.",
    ),
    code(
        "GRID-0106",
        "tenant name invalid",
        "X-Scope-OrgID holds something else than one tenant's name: 1 to 150 of letters, digits and ! - _ . * ' ( ).",
        "Name one tenant per request. Queries over several tenants (`a|b`) do not exist.",
    ),
    code(
        "GRID-0107",
        "unknown host name",
        "The server runs without authentication and the Host header is a public name that it does not know as its own. A web page could use such a name to reach your server through your browser (DNS rebinding).",
        "Call it by address or as localhost, list the name in `guard.allowed_hosts`, or turn on tokens.",
    ),
    code(
        "GRID-0108",
        "cross-origin request",
        "The server runs without authentication and the request comes from a web page of another origin.",
        "Call Grid from its own page or from a server, or turn on tokens.",
    ),
    code(
        "GRID-0110",
        "tenant over its quota",
        "The tenant sent more rows or bytes per second than its quota, for longer than the burst allows.",
        "Wait as long as Retry-After says, send less, or raise `guard.quota_rows_per_second` and `guard.quota_bytes_per_second`. Prometheus drops data on 429 unless `retry_on_http_429` is set.",
    ),
    code(
        "GRID-0111",
        "too many requests at once",
        "As many requests of this kind as `guard.concurrency_ingest`, `_query` or `_admin` allows are under way.",
        "Wait as long as Retry-After says; every well-made client does so by itself. If it happens all the time, send larger batches or raise the limit.",
    ),
    code(
        "GRID-0112",
        "tokens cannot be checked",
        "The catalog, where tokens rest, does not answer, so nobody can be let in.",
        "Look at /readyz and at the log of the server; the disk is the usual suspect.",
    ),
    code(
        "GRID-0120",
        "body too large",
        "The body, as received, has more bytes than `guard.body_bytes_max`.",
        "Send smaller batches (OpenTelemetry: max_export_batch_size; Prometheus: max_samples_per_send), or raise the limit.",
    ),
    code(
        "GRID-0121",
        "body inflates too large",
        "The body inflates to more bytes than `guard.inflated_bytes_max`.",
        "Send smaller batches, or raise the limit.",
    ),
    code(
        "GRID-0122",
        "body too slow",
        "The body did not arrive completely within `guard.body_timeout`.",
        "Check the network between sender and server, or raise the time.",
    ),
    code(
        "GRID-0123",
        "content encoding not supported",
        "Content-Encoding is none of gzip, zstd, deflate, snappy (block format), identity, or names more than one.",
        "Choose one of these in the sender.",
    ),
    code(
        "GRID-0124",
        "body cannot be inflated",
        "The bytes are not what Content-Encoding says, or were cut.",
        "Check that nothing between sender and server unpacks or repacks bodies without changing the header.",
    ),
    code("GRID-0125", "body broke off", "The connection ended before the body did.", "Send the request again."),
    code(
        "GRID-0126",
        "no memory for the body",
        "The bodies of all requests together hold as much memory as they may.",
        "Wait as long as Retry-After says, or send smaller batches.",
    ),
    code(
        "GRID-0130",
        "binding refused",
        "The server was told to listen beyond loopback without authentication: everyone who reaches the address could read and delete all data.",
        "Create a token and set `auth.mode = \"tokens\"`, listen on 127.0.0.1, or accept the risk by `--allow-anonymous`.",
    ),
    code(
        "GRID-0201",
        "body is not what the route expects",
        "The body cannot be read: JSON is malformed, a field is missing, unknown or of the wrong type, or protobuf is damaged. `line` and `column` say where in JSON.",
        "Compare with the route's schema at /docs, and check that Content-Type names what was really sent.",
    ),
    code(
        "GRID-0202",
        "content type not supported",
        "The route does not read bodies of this Content-Type.",
        "The route's entry at /docs lists the types that it reads.",
    ),
    code(
        "GRID-0203",
        "no acceptable format",
        "The header Accept names no format in which the answer can be given.",
        "For SQL: application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream, application/vnd.apache.parquet.",
    ),
    code(
        "GRID-0204",
        "parameter invalid",
        "A parameter of the path or of the query string is missing, unknown or cannot be read.",
        "The detail names the parameter; the route's entry at /docs says what it may hold.",
    ),
    code("GRID-0205", "no such route", "No route has this path.", "/docs lists every route."),
    code(
        "GRID-0206",
        "method not allowed",
        "The path exists, but not for this method.",
        "The header Allow lists the methods; /docs explains each.",
    ),
    code(
        "GRID-0207",
        "not found",
        "There is no such import, query, token or rule, or it belongs to another tenant.",
        "List what there is by a GET on the collection.",
    ),
    code(
        "GRID-0208",
        "cursor invalid",
        "The cursor was not given by this list.",
        "Use `next_cursor` of the last answer unchanged, or begin without a cursor.",
    ),
    code(
        "GRID-0209",
        "token would grant more than its maker holds",
        "A token can only create, see and revoke tokens whose tenants and scopes it holds itself.",
        "Use a token that holds those tenants and scopes, or `grid token create --data-dir` on the machine itself.",
    ),
    code(
        "GRID-0210",
        "needs all tenants",
        "This action concerns the data of every tenant, and the token holds only some.",
        "Use a token for tenant `*`.",
    ),
    code(
        "GRID-0301",
        "store overloaded",
        "Rows arrive faster than the disk takes them; the bounded queue before the write-ahead log is full.",
        "Wait as long as Retry-After says; nothing was stored. If it lasts, look at the disk, or raise the buffer's limit.",
    ),
    code(
        "GRID-0302",
        "too many series",
        "The tenant has as many active series as its limit allows; rows of new series are refused.",
        "Find the label whose values explode (`SELECT metric, count(*) FROM series GROUP BY metric ORDER BY 2 DESC`), or raise the limit.",
    ),
    code(
        "GRID-0303",
        "series collision",
        "Two different series have the same 64-bit identity. About one chance in 10^9 at 10^5 series.",
        "Change any label of one of them. Please report it: we would like to see one.",
    ),
    code("GRID-0304", "store closed", "The server is shutting down.", "Send the request again once it is back."),
    code(
        "GRID-0305",
        "store read-only",
        "The disk is full or could not be written, so no more rows are taken; queries still work.",
        "/readyz names the reason. Free or add disk space; writing resumes by itself.",
    ),
    code(
        "GRID-0306",
        "write-ahead log failed",
        "Rows could not be made durable, so they were not acknowledged.",
        "Look at the log of the server and at the disk's health.",
    ),
    code(
        "GRID-0307",
        "store failed",
        "A file or the catalog could not be read or written.",
        "Look at the log of the server; `grid doctor` checks disk, log and catalog.",
    ),
    code(
        "GRID-0308",
        "data directory in use",
        "Another process holds the data directory open.",
        "Ask that server by `--url`, or stop it first. The lock dies with its holder.",
    ),
    code(
        "GRID-0309",
        "data directory is newer",
        "A newer Grid wrote the data directory.",
        "Use that version or a later one. Downgrades need a backup from before the upgrade.",
    ),
    code(
        "GRID-0310",
        "request too large for the log",
        "The rows of one request take more bytes than one record of the write-ahead log may have.",
        "Send smaller batches.",
    ),
    code(
        "GRID-0311",
        "no memory for new series",
        "The series of all tenants take as much memory as they may; rows of new series are refused, known ones are taken.",
        "Find the label whose values explode (`SELECT metric, count(*) FROM series GROUP BY metric ORDER BY 2 DESC`), or raise memory.limit.",
    ),
    code(
        "GRID-0312",
        "too many tenants",
        "As many tenants have rows as the server may have; the tenant that the request names would be one more. Known tenants are taken.",
        "Check the header X-Scope-OrgID of the sender, or raise storage.tenants_max.",
    ),
    code("GRID-0400", "syntax error", "The text is not SQL.", "`line` and `column` say where it stopped making sense."),
    code(
        "GRID-0401",
        "statement not allowed",
        "SQL here only reads: SELECT, WITH, VALUES, SHOW, DESCRIBE and EXPLAIN, one statement at a time.",
        "Rows come in by the ingest routes and go by POST /api/v1/delete and retention.",
    ),
    code(
        "GRID-0402",
        "unknown table",
        "The tenant has no table of that name.",
        "`SHOW TABLES` lists what there is. A metric is `metrics.\"its_name\"`.",
    ),
    code(
        "GRID-0403",
        "unknown column",
        "The table has no column of that name.",
        "`DESCRIBE table` lists the columns. Attributes are in the map: `attributes['http.method']`.",
    ),
    code(
        "GRID-0404",
        "unknown function",
        "There is no function of that name.",
        "`SHOW FUNCTIONS` lists what there is.",
    ),
    code(
        "GRID-0405",
        "statement makes no sense",
        "Types do not fit, a name is ambiguous, or a column is neither grouped nor aggregated.",
        "The detail says which; `line` and `column` say where if known.",
    ),
    code(
        "GRID-0406",
        "parameters do not fit",
        "`params` has more or fewer values than the statement has $1, $2, ..., or one of the wrong type.",
        "Give one value per placeholder.",
    ),
    code(
        "GRID-0407",
        "data does not allow it",
        "A division by zero, an overflow, or a text that is no number.",
        "Use NULLIF, TRY_CAST or a wider type.",
    ),
    code(
        "GRID-0408",
        "query too slow",
        "The query did not finish before its deadline.",
        "Ask for less time or fewer columns, or raise `timeout_ms`. EXPLAIN ANALYZE shows where time goes.",
    ),
    code(
        "GRID-0409",
        "query cancelled",
        "Somebody ended the query, or its client went away.",
        "Run it again if it was not you.",
    ),
    code(
        "GRID-0410",
        "query needs too much memory",
        "The query would hold more memory than one query may, and that part of it cannot spill to disk.",
        "Ask for less time, group by fewer columns, or raise the query memory limit.",
    ),
    code(
        "GRID-0411",
        "too many rows",
        "The answer has more rows than `max_rows`.",
        "Add LIMIT or aggregate, or raise `max_rows` up to the server's limit.",
    ),
    code(
        "GRID-0412",
        "too many queries",
        "As many queries as allowed are running, and none ended while this one waited.",
        "Try again shortly; GET /api/v1/queries shows what runs, DELETE ends one.",
    ),
    code(
        "GRID-0413",
        "statement too large",
        "The text of the statement has more bytes than the limit.",
        "Put long lists of values into `params` as an array, or into several statements.",
    ),
    code(
        "GRID-0414",
        "not supported",
        "SQL has it, this engine does not.",
        "The detail names it; most can be said another way.",
    ),
    code(
        "GRID-0450",
        "files could not be read",
        "A data file is missing or damaged.",
        "Look at the log of the server; `grid doctor` checks files against the catalog; restore from a backup if one is lost.",
    ),
    code(
        "GRID-0451",
        "query engine failed",
        "A defect of Grid or of its query engine.",
        "Please report the statement and the detail.",
    ),
    code(
        "GRID-0501",
        "bill not readable",
        "The file is none of the formats that are understood, or is damaged.",
        "Name the format by `format`, and compare with docs: FOCUS 1.0-1.4 as CSV, CSV.gz or Parquet, AWS CUR as CSV.",
    ),
    code(
        "GRID-0502",
        "import refused",
        "The import contradicts what is stored, for instance an older manifest version for the same dataset, account and period.",
        "Import the newer one, or say `restate=true` if the older one is really meant.",
    ),
    code(
        "GRID-0503",
        "import failed",
        "The rows were read but could not be stored; nothing of the import is visible.",
        "Look at the log of the server, then import the same file again: it is idempotent.",
    ),
    code(
        "GRID-0504",
        "upload empty",
        "The request holds no file.",
        "Send the file as the body, or as one or more parts of multipart/form-data.",
    ),
    code(
        "GRID-0505",
        "upload too large",
        "The upload has more bytes than the limit for bills.",
        "Split it, or use `grid import bill --data-dir` on the machine itself, which has no limit.",
    ),
    code(
        "GRID-0611",
        "rules not understood",
        "`allocation.toml`, the table of aliases or the table of rates has a mistake. Nothing was changed.",
        "The problem names line and column and shows each mistake with a caret. docs/allocation.md has the grammar; `grid cost rules check FILE` reads a file without keeping it.",
    ),
    code(
        "GRID-0612",
        "changed meanwhile",
        "The change was made to a version that no longer holds: somebody else wrote another one.",
        "Read the text again, apply the change to it, and send the version that was read.",
    ),
    code(
        "GRID-0613",
        "measurement failed",
        "A rule splits cost by a metric whose query cannot be answered, or answers without the columns that it needs.",
        "Try the query with `grid promql` or `grid query`. The last good allocation stays until it works.",
    ),
    code(
        "GRID-0614",
        "allocation refused",
        "A sum of costs left 38 digits, the rules find too many owners, or parts did not sum to their charge.",
        "The allocation before stays as it is. If the parts did not sum up, this is a defect of Grid; please report it.",
    ),
    code(
        "GRID-0661",
        "budget not valid",
        "A field of the budget says something that no budget can mean: an amount that is not above zero, a period that does not exist, a filter over a column that charges do not have.",
        "The detail names the field and what it may be; of a filter it shows the place. `docs/costs.md` describes every field.",
    ),
    code(
        "GRID-0662",
        "changed meanwhile",
        "The document has another version than the one that the change was made from: somebody else changed it.",
        "Read it again, apply the change to what is there now, and send it with that version. Without a version the last writer wins.",
    ),
    code(
        "GRID-0663",
        "document refused",
        "The document's name is empty or too long, its text too large, or the tenant has as many as it may.",
        "The detail names the bound. Delete what is not needed any more, or choose a shorter name.",
    ),
    code(
        "GRID-0701",
        "rules unusable",
        "A group of alert or recording rules does not read: its YAML, a field, an expression or a template. `mistakes` lists all that is wrong with line and column.",
        "Correct what `mistakes` says. `grid rules check FILE` says the same of a file.",
    ),
    code(
        "GRID-0710",
        "findings not kept",
        "A job of Grid's insight read and thought, but the store or its catalog did not take the rows. The store's own message is in `grid.jobs`, column `error`.",
        "Look for what ails the store: `grid doctor`. The job runs again at its next time, and its findings then cover what this run missed.",
    ),
    code(
        "GRID-0711",
        "state of a job unreadable",
        "The document that holds the state of a job, or what it says, does not read or write as JSON.",
        "The job begins with a new state at its next run. Report it with the line of the log: this is a defect.",
    ),
    code(
        "GRID-0712",
        "job took too long",
        "A run of a job of Grid's insight took longer than ten minutes and was ended. Nothing of it was kept.",
        "Look at `grid.queries` for the slow statement; fewer metrics or a shorter retention make it faster. The job runs again at its next time.",
    ),
    code(
        "GRID-0713",
        "model ended unexpectedly",
        "A thread on which a model thinks died.",
        "The log has its last words. Report it: this is a defect. The job runs again at its next time.",
    ),
    code(
        "GRID-0801",
        "silence refused",
        "The silence would match everything, ends before it starts, is over already, or its texts are too long.",
        "The detail says which. A silence needs a matcher that absent labels do not satisfy, such as `alertname=\"X\"`.",
    ),
    code(
        "GRID-0802",
        "matcher not understood",
        "A matcher is not written as Alertmanager reads it, or its regular expression has a mistake.",
        "Write `name=\"value\"`, `!=`, `=~` or `!~`; names and values with spaces or other special characters stand in double quotes.",
    ),
    code(
        "GRID-0803",
        "webhook refused",
        "The webhook's address, name, matchers, grouping or secret cannot be used. Addresses must be public: the server would otherwise call whatever only it can reach.",
        "The detail names the field. An operator can allow networks by `alerting.webhook_networks`; docs/notifications.md says what that means.",
    ),
    code(
        "GRID-0804",
        "too many of them",
        "The tenant has as many webhooks or silences as it may have, or a request holds too many alerts.",
        "The detail names the bound. Delete what is not needed any more, or send less at once.",
    ),
    code(
        "GRID-0805",
        "idempotency key used before",
        "A request with the same Idempotency-Key made something else.",
        "Use another key for another request; the same key only to send the same request again.",
    ),
    code(
        "GRID-0806",
        "notifications failed",
        "The database of alerts, silences and deliveries (`alerts.db`) could not be read or written.",
        "Look at the log of the server and at the disk. What was not acknowledged was not taken: send it again.",
    ),
    code(
        "GRID-0807",
        "alerting configuration refused",
        "The file of `alerting.config` is not an Alertmanager configuration, or asks for something that Grid does not build.",
        "The message names the place. docs/notifications.md lists what is read, what has no effect, and what is refused.",
    ),
    code(
        "GRID-0808",
        "no alerts here",
        "Alerts, silences and webhooks belong to a running server; the command works on a directory that no server holds.",
        "Start `grid serve` and ask it by `--url`.",
    ),
    code(
        "GRID-0851",
        "not as things are",
        "What was asked for does not go with what is there: a plan whose inputs have changed, a field that somebody else writes, a name that is taken, a release that has ended.",
        "Read it again (`grid env show`, `grid plan show`, `grid release show`) and ask for what is possible now.",
    ),
    code(
        "GRID-0852",
        "request of provisioning wrong",
        "A name, a field, a gate, a freeze, a policy or a plan makes no sense; the detail says which and why.",
        "Compare with the command's --help and the guide to releases.",
    ),
    code(
        "GRID-0853",
        "spec wrong",
        "A spec of resources has mistakes: an unknown type or field, a value out of bounds, a reference to nothing.",
        "`grid resource check FILE` shows every mistake with its place; `grid resource show TYPE` says what a type has.",
    ),
    code(
        "GRID-0854",
        "environment held",
        "A release is at work on the environment, and nothing changes it meanwhile, so that a run that is cut short can go on.",
        "Wait for it (`grid release watch`), or `grid release cancel` stops it at its next safe point.",
    ),
    code(
        "GRID-0855",
        "too many",
        "There are as many environments, gates, policies or votes as may be.",
        "Remove one that nobody needs.",
    ),
    code(
        "GRID-0856",
        "driver did not answer",
        "The driver of the environment, a cloud, did not answer or refused.",
        "The detail has its words. Nothing was done without being written down; try again.",
    ),
    code(
        "GRID-0857",
        "database of the desk failed",
        "The file `desk.db` in the data directory could not be read or written, or holds what does not read.",
        "Look at the log of the server and at the disk; `grid doctor` checks both.",
    ),
    code(
        "GRID-0858",
        "no environments here",
        "Environments, plans and releases are kept by a server, or by a data directory that a command opens by itself.",
        "Start `grid serve` and ask it by --url.",
    ),
    code(
        "GRID-0901",
        "internal error",
        "A defect of Grid.",
        "Please report what you did, the detail, and the log lines around it.",
    ),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn codes_are_sorted_unique_and_explained() {
        for pair in CODES.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} before {}", pair[0].code, pair[1].code);
        }
        for c in CODES {
            assert!(c.code.len() == 9 && !c.title.ends_with('.'), "{c:?}");
            assert!(c.cause.ends_with('.') && c.remedy.ends_with('.'), "{c:?}");
        }
        for text in ["GRID-0412", "grid-0412", "0412", " 412 "] {
            assert_eq!(explain(text).unwrap().title, "too many queries");
        }
        for text in ["", "GRID-", "9999", "GRID-041x", "-412"] {
            assert!(explain(text).is_none(), "{text}");
        }
    }

    /// Every `GRID-nnnn` that the sources of the workspace mention outside tests is in the list.
    #[test]
    fn no_code_is_used_without_an_explanation() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut unknown = Vec::new();
        let mut stack: Vec<_> =
            ["api", "analytics", "ingest", "store", "ml", "provisioner"].iter().map(|d| root.join(d)).collect();
        while let Some(path) = stack.pop() {
            if path.is_dir() {
                stack.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
                continue;
            }
            if path.extension().is_none_or(|e| e != "rs") || path.ends_with("codes.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices("\"GRID-") {
                let code: String = text[at + 1..].chars().take(9).collect();
                // `"GRID-0110", "title"`: a code has one title wherever it is used.
                let title = text[at + 11..]
                    .trim_start_matches([',', ' ', '\n'])
                    .strip_prefix('"')
                    .and_then(|t| t.split('"').next());
                if let (Some(known), Some(title)) = (explain(&code), title)
                    && text[..at].trim_end().ends_with(',')
                    && text[..at].rsplit("::").next().is_some_and(|status| {
                        status.trim_end_matches([',', ' ', '\n']).bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
                    })
                    && known.title != title
                {
                    unknown.push(format!("{}: {code} is called {title:?}, not {:?}", path.display(), known.title));
                }
                if code[5..].bytes().all(|b| b.is_ascii_digit()) && explain(&code).is_none() {
                    unknown.push(format!("{}: {code}", path.display()));
                }
            }
        }
        assert!(unknown.is_empty(), "{unknown:#?}");
    }
}
