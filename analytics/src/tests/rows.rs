//! Logs and spans.

use expect_test::expect;
use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
use grid_model::{AttrValue, Labels, Table, Timestamp};

use super::bed::{Bed, at, check, log, one, span};

fn logs() -> Vec<grid_model::Write> {
    vec![
        log(50, "cart", "INFO", "user 42 added item", &[("code", AttrValue::Int(200)), ("user.id", "42".into())]),
        log(40, "cart", "ERROR", "Timeout: user 7 waits for payment", &[("code", AttrValue::Int(504))]),
        log(
            30,
            "pay",
            "WARN",
            "payment-gateway slow, retry=1",
            &[("q", "a \"b\"\n".into()), ("ok", AttrValue::Bool(true))],
        ),
        log(20, "pay", "ERROR", "connection reset by peer", &[("none", AttrValue::Null)]),
        log(10, "web", "INFO", "GET /index.html 200", &[]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_the_same_from_everywhere() {
    check(
        &logs(),
        vec![
            ("SELECT count(*), min(time), max(time) FROM logs", expect![[r#"
                count(*),min(time),max(time)
                5,2026-01-14T23:59:10Z,2026-01-14T23:59:50Z
            "#]]),
            ("SELECT time, service, severity, body FROM logs ORDER BY time", expect![[r#"
                time,service,severity,body
                2026-01-14T23:59:10Z,cart,INFO,user 42 added item
                2026-01-14T23:59:20Z,cart,ERROR,Timeout: user 7 waits for payment
                2026-01-14T23:59:30Z,pay,WARN,"payment-gateway slow, retry=1"
                2026-01-14T23:59:40Z,pay,ERROR,connection reset by peer
                2026-01-14T23:59:50Z,web,INFO,GET /index.html 200
            "#]]),
            ("SELECT body FROM logs WHERE service = 'pay' ORDER BY time DESC", expect![[r#"
                body
                connection reset by peer
                "payment-gateway slow, retry=1"
            "#]]),
            ("SELECT service, count(*) AS n FROM logs GROUP BY service ORDER BY n DESC, service", expect![[r#"
                service,n
                cart,2
                pay,2
                web,1
            "#]]),
            ("SELECT body FROM logs WHERE match(body, 'timeout AND user:7')", expect![[r#"
                body
                Timeout: user 7 waits for payment
            "#]]),
            ("SELECT body FROM logs WHERE match(body, 'pay* NOT slow') ORDER BY time", expect![[r#"
                body
                Timeout: user 7 waits for payment
            "#]]),
            ("SELECT body FROM logs WHERE match(body, '\"reset by\" OR index.html') ORDER BY time", expect![[r#"
                body
                connection reset by peer
                GET /index.html 200
            "#]]),
            ("SELECT body FROM logs WHERE body LIKE '%user%' AND time >= '2026-01-14T23:59:15Z'", expect![[r#"
                body
                Timeout: user 7 waits for payment
            "#]]),
            ("SELECT attributes['code'], attributes['user.id'] FROM logs ORDER BY time", expect![[r#"
                attributes['code'],attributes['user.id']
                200,42
                504,
                ,
                ,
                ,
            "#]]),
            ("SELECT attributes['q'] AS q, attr(attributes, 'ok') AS ok, labels['app'] AS app, resource['host.name'] AS host FROM logs WHERE attributes['ok'] = 'true'", expect![[r#"
                q,ok,app,host
                "a ""b""
                ",true,pay,h1
            "#]]),
            ("SELECT attributes FROM logs WHERE service = 'pay' ORDER BY time", expect![[r#"
                attributes
                "{""q"":""a \""b\""\n"",""ok"":true}"
                "{""none"":null}"
            "#]]),
            ("SELECT attributes['code'] AS code, count(*) FROM logs WHERE attributes['code'] IS NOT NULL GROUP BY attributes['code'] ORDER BY code", expect![[r#"
                code,count(*)
                200,1
                504,1
            "#]]),
            ("SELECT time_bucket('20s', time) AS t, count(*) AS n FROM logs GROUP BY t ORDER BY t", expect![[r#"
                t,n
                2026-01-14T23:59:00Z,1
                2026-01-14T23:59:20Z,2
                2026-01-14T23:59:40Z,2
            "#]]),
            ("SELECT time_bucket(INTERVAL '1 minute', time, TIMESTAMP '2026-01-14T23:59:30Z') AS t, count(*) FROM logs GROUP BY 1 ORDER BY 1", expect![[r#"
                t,count(*)
                2026-01-14T23:58:30Z,2
                2026-01-14T23:59:30Z,3
            "#]]),
            ("SELECT body FROM logs WHERE trace_id = '00000000000000000000000000000014'", expect![[r#"
                body
                connection reset by peer
            "#]]),
            ("SELECT * FROM logs WHERE trace_id = '0000000000000000000000000000000a'", expect![[r#"
                time,observed_time,severity,severity_number,service,body,body_structured,stream_id,labels,trace_id,span_id,flags,event_name,resource,scope_name,scope_version,scope_attributes,attributes,dropped_attributes_count
                2026-01-14T23:59:50Z,,INFO,9,web,GET /index.html 200,false,777551817800676280,"{""app"":""web""}",0000000000000000000000000000000a,,0,,"{""host.name"":""h1""}",,,{},{},0
            "#]]),
            ("SELECT time, service, severity, body, labels, attributes FROM logs WHERE match(body, 'user') AND service = 'cart' ORDER BY time", expect![[r#"
                time,service,severity,body,labels,attributes
                2026-01-14T23:59:10Z,cart,INFO,user 42 added item,"{""app"":""cart""}","{""code"":200,""user.id"":""42""}"
                2026-01-14T23:59:20Z,cart,ERROR,Timeout: user 7 waits for payment,"{""app"":""cart""}","{""code"":504}"
            "#]]),
            ("SELECT service FROM logs GROUP BY service HAVING count(*) > 1 ORDER BY count(*) DESC, max(time)", expect![[r#"
                service
                cart
                pay
            "#]]),
            ("SELECT DISTINCT severity FROM logs WHERE service IN (SELECT service FROM logs WHERE severity = 'WARN') ORDER BY 1", expect![[r#"
                severity
                ERROR
                WARN
            "#]]),
            ("WITH e AS (SELECT * FROM logs WHERE severity = 'ERROR') SELECT e.service, (SELECT count(*) FROM e) AS n FROM e ORDER BY 1", expect![[r#"
                service,n
                cart,2
                pay,2
            "#]]),
            ("SELECT body, row_number() OVER (PARTITION BY service ORDER BY time) AS n FROM logs ORDER BY time", expect![[r#"
                body,n
                user 42 added item,1
                Timeout: user 7 waits for payment,2
                "payment-gateway slow, retry=1",1
                connection reset by peer,2
                GET /index.html 200,1
            "#]]),
            ("SELECT service AS s FROM logs WHERE severity = 'INFO' UNION SELECT 'x' ORDER BY s", expect![[r#"
                s
                cart
                web
                x
            "#]]),
            ("SELECT max(time) - min(time) AS span, date_trunc('minute', max(time)) AS m, max(time)::date AS d FROM logs", expect![[r#"
                span,m,d
                PT40S,2026-01-14T23:59:00Z,2026-01-14
            "#]]),
            ("SELECT count(*) FROM logs WHERE attributes['code'] = 504 OR severity ~ '^WAR'", expect![[r#"
                count(*)
                2
            "#]]),
            ("SELECT body FROM logs WHERE body ILIKE '%TIMEOUT%'", expect![[r#"
                body
                Timeout: user 7 waits for payment
            "#]]),
            ("SELECT body FROM logs ORDER BY time DESC LIMIT 2", expect![[r#"
                body
                GET /index.html 200
                connection reset by peer
            "#]]),
            ("SELECT a.body FROM logs a JOIN logs b ON a.service = b.service AND a.time < b.time ORDER BY a.time", expect![[r#"
                body
                user 42 added item
                "payment-gateway slow, retry=1"
            "#]]),
            ("SELECT count(*) FROM logs WHERE time > now() - INTERVAL '25 seconds'", expect![[r#"
                count(*)
                2
            "#]]),
            ("SELECT body FROM logs WHERE time BETWEEN '2026-01-14T23:59:20Z' AND '2026-01-14T23:59:35Z' ORDER BY time", expect![[r#"
                body
                Timeout: user 7 waits for payment
                "payment-gateway slow, retry=1"
            "#]]),
            ("SELECT floor(extract(epoch from time)/60)*60 AS t, count(*) FROM logs GROUP BY t ORDER BY t", expect![[r#"
                t,count(*)
                1768435140.0,5
            "#]]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_the_same_from_everywhere() {
    let spans = [
        span(50, "web", "GET /", 30, 0),
        span(41, "cart", "add", 12, 1),
        span(40, "pay", "charge", 250, 2),
        span(12, "web", "GET /", 31, 0),
    ];
    check(
        &spans,
        vec![
            ("SELECT service, name, duration_ns, kind, status FROM spans ORDER BY start_time", expect![[r#"
                service,name,duration_ns,kind,status
                web,GET /,30000000,server,unset
                cart,add,12000000,server,ok
                pay,charge,250000000,server,error
                web,GET /,31000000,server,unset
            "#]]),
            ("SELECT span_id FROM spans WHERE trace_id = '00000000000000000000000000000004' ORDER BY span_id", expect![[r#"
                span_id
                0000000000000028
                0000000000000029
            "#]]),
            ("SELECT attributes['http.status_code'] AS code, attributes['ratio'] AS r, attributes FROM spans LIMIT 1", expect![[r#"
                code,r,attributes
                200,0.5,"{""http.status_code"":200,""ratio"":0.5}"
            "#]]),
            ("SELECT events[1]['name'] AS first_event FROM spans WHERE status = 'error'", expect![[r#"
                first_event
                retry
            "#]]),
            ("SELECT service, approx_percentile_cont(duration_ns, 0.5) AS p50, count(*) AS n FROM spans GROUP BY service ORDER BY service", expect![[r#"
                service,p50,n
                cart,12000000.0,1
                pay,250000000.0,1
                web,30500000.0,2
            "#]]),
            ("SELECT avg(duration_ns) / 1e6 AS ms FROM spans", expect![[r#"
                ms
                80.75
            "#]]),
            ("SELECT unnest(events)['name'] AS e, count(*) AS n FROM spans GROUP BY e", expect![[r#"
                e,n
                retry,4
            "#]]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_knows_its_tables() {
    let bed = Bed::new().await;
    bed.check(
        "SHOW TABLES",
        expect![[r#"
            table_catalog,table_schema,table_name,table_type
            grid,public,samples,BASE TABLE
            grid,public,series,BASE TABLE
            grid,public,exemplars,BASE TABLE
            grid,public,metadata,BASE TABLE
            grid,public,logs,BASE TABLE
            grid,public,spans,BASE TABLE
            grid,public,charges,BASE TABLE
            grid,public,prices,BASE TABLE
            grid,public,allocations,BASE TABLE
            grid,public,anomalies,BASE TABLE
            grid,public,forecasts,BASE TABLE
            grid,public,patterns,BASE TABLE
            grid,public,recommendations,BASE TABLE
            grid,public,effective_prices,VIEW
            grid,public,alerts,VIEW
            grid,public,actions,VIEW
            grid,public,audit,VIEW
            grid,public,plans,VIEW
            grid,public,releases,VIEW
            grid,public,resources,VIEW
            grid,public,savings,VIEW
            grid,grid,conformance,VIEW
            grid,grid,files,VIEW
            grid,grid,generations,VIEW
            grid,grid,imports,VIEW
            grid,grid,jobs,VIEW
            grid,grid,queries,VIEW
            grid,grid,rejects,VIEW
            grid,grid,retention,VIEW
            grid,grid,tenants,VIEW
            grid,information_schema,tables,VIEW
            grid,information_schema,views,VIEW
            grid,information_schema,columns,VIEW
            grid,information_schema,df_settings,VIEW
            grid,information_schema,schemata,VIEW
            grid,information_schema,routines,VIEW
            grid,information_schema,parameters,VIEW
        "#]],
    )
    .await;
    bed.check(
        "SHOW COLUMNS FROM metadata",
        expect![[r#"
        table_catalog,table_schema,table_name,column_name,data_type,is_nullable
        grid,public,metadata,metric,Utf8View,NO
        grid,public,metadata,time,"Timestamp(ns, ""UTC"")",NO
        grid,public,metadata,type,Utf8View,NO
        grid,public,metadata,help,Utf8View,YES
        grid,public,metadata,unit,Utf8View,YES
    "#]],
    )
    .await;
    bed.check(
        "DESCRIBE logs",
        expect![[r#"
        column_name,data_type,is_nullable
        time,"Timestamp(ns, ""UTC"")",NO
        observed_time,"Timestamp(ns, ""UTC"")",YES
        severity,Utf8View,YES
        severity_number,Int32,NO
        service,Utf8View,YES
        body,Utf8View,YES
        body_structured,Boolean,NO
        stream_id,UInt64,NO
        labels,"Map(""entries"": non-null Struct(""key"": non-null Utf8, ""value"": Utf8), unsorted)",NO
        trace_id,Utf8View,YES
        span_id,Utf8View,YES
        flags,UInt32,NO
        event_name,Utf8View,YES
        resource,"Map(""entries"": non-null Struct(""key"": non-null Utf8, ""value"": Utf8), unsorted)",NO
        scope_name,Utf8View,YES
        scope_version,Utf8View,YES
        scope_attributes,"Map(""entries"": non-null Struct(""key"": non-null Utf8, ""value"": Utf8), unsorted)",NO
        attributes,"Map(""entries"": non-null Struct(""key"": non-null Utf8, ""value"": Utf8), unsorted)",NO
        dropped_attributes_count,UInt32,NO
    "#]],
    )
    .await;
    bed.check("SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = 'grid' ORDER BY table_name", expect![[r#"
        table_schema,table_name
        grid,conformance
        grid,files
        grid,generations
        grid,imports
        grid,jobs
        grid,queries
        grid,rejects
        grid,retention
        grid,tenants
    "#]]).await;
    bed.check("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'samples' ORDER BY ordinal_position", expect![[r#"
        column_name,data_type
        series_id,UInt64
        time,"Timestamp(ns, ""UTC"")"
        start_time,"Timestamp(ns, ""UTC"")"
        value,Float64
        is_stale,Boolean
        value_int,Int64
        histogram,"Struct(""kind"": non-null Utf8, ""count"": non-null UInt64, ""count_float"": Float64, ""sum"": Float64, ""min"": Float64, ""max"": Float64, ""schema"": Int32, ""zero_threshold"": Float64, ""zero_count"": non-null UInt64, ""zero_count_float"": Float64, ""positive_spans"": List(Struct(""offset"": non-null Int32, ""length"": non-null UInt32)), ""positive_counts"": List(UInt64), ""positive_counts_float"": List(Float64), ""negative_spans"": List(Struct(""offset"": non-null Int32, ""length"": non-null UInt32)), ""negative_counts"": List(UInt64), ""negative_counts_float"": List(Float64), ""bounds"": List(Float64), ""quantiles"": List(Struct(""quantile"": non-null Float64, ""value"": non-null Float64)), ""reset_hint"": non-null Int32)"
    "#]]).await;
    bed.check(
        "SELECT schema_name FROM information_schema.schemata ORDER BY 1",
        expect![[r#"
        schema_name
        grid
        metrics
        public
    "#]],
    )
    .await;
    bed.check(
        "SELECT * FROM information_schema.df_settings",
        expect![[r#"
            name,value,description
        "#]],
    )
    .await;
    bed.check(
        "SELECT count(*) > 100 AS many FROM information_schema.routines",
        expect![[r#"
        many
        true
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_was_not_read() {
    let bed = Bed::new().await;
    for write in logs() {
        bed.write(write).await;
        bed.store.flush().await.unwrap();
    }
    let plan = bed.csv("EXPLAIN ANALYZE SELECT body FROM logs WHERE time < '2026-01-14T23:59:15Z'").await;
    assert!(plan.contains("GridScanExec: table=logs, files=1/5"), "{plan}");
    assert!(plan.contains("files_pruned=4"), "{plan}");
    assert!(plan.contains("row_groups_pruned_statistics"), "{plan}");
    let plain = bed.csv("EXPLAIN SELECT body FROM logs WHERE service = 'web'").await;
    assert!(plain.contains("GridScanExec"), "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_can_be_opened_by_others() {
    let bed = Bed::new().await;
    for write in logs() {
        bed.write(write).await;
    }
    bed.store.flush().await.unwrap();
    let text = bed.csv("SELECT path FROM grid.files WHERE \"table\" = 'logs'").await;
    let path = text.lines().nth(1).unwrap();
    let file = std::fs::File::open(path).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 1024).unwrap();
    assert_eq!(reader.map(|b| b.unwrap().num_rows()).sum::<usize>(), 5);
    bed.check(
        "SELECT \"table\", rows, level FROM grid.files",
        expect![[r#"
        table,rows,level
        logs,5,0
    "#]],
    )
    .await;
    bed.check(
        "SELECT files, rows, current FROM grid.generations",
        expect![[r#"
        files,rows,current
        1,5,true
    "#]],
    )
    .await;
    bed.check(
        "SELECT tenant, files, file_rows, buffered_rows FROM grid.tenants",
        expect![[r#"
        tenant,files,file_rows,buffered_rows
        default,1,5,0
    "#]],
    )
    .await;
    bed.check(
        "SELECT state, query FROM grid.queries",
        expect![[r#"
        state,query
        running,"SELECT state, query FROM grid.queries"
    "#]],
    )
    .await;
    bed.check(
        "SELECT * FROM grid.retention",
        expect![[r#"
        table,keep_days
    "#]],
    )
    .await;
    bed.check(
        "SELECT count(*) FROM grid.imports",
        expect![[r#"
        count(*)
        0
    "#]],
    )
    .await;
    bed.check(
        "SELECT count(*) FROM grid.rejects",
        expect![[r#"
        count(*)
        0
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_index_and_the_scan_agree() {
    let bed = Bed::new().await;
    for i in 0..400 {
        let word = if i % 50 == 0 { "needle" } else { "hay" };
        bed.write(log(100_000 - i, "s", "INFO", &format!("line {i} {word} User:{}", i % 7), &[])).await;
        if i % 100 == 99 {
            bed.store.flush().await.unwrap();
        }
    }
    let queries = ["needle", "needle AND user:0", "line NOT hay", "\"399 hay\"", "need*", "absent"];
    let mut before = Vec::new();
    for q in queries {
        before.push(bed.csv(&format!("SELECT body FROM logs WHERE match(body, '{q}') ORDER BY time")).await);
    }
    bed.store.compact().await.unwrap();
    let indexed = bed.csv("SELECT count(*) FROM grid.files WHERE text_index IS NOT NULL").await;
    for (q, before) in queries.iter().zip(before) {
        let sql = format!("SELECT body FROM logs WHERE match(body, '{q}') ORDER BY time");
        assert_eq!(bed.csv(&sql).await, before, "{q}");
    }
    if indexed.lines().nth(1) != Some("0") {
        let plan = bed.csv("EXPLAIN ANALYZE SELECT body FROM logs WHERE match(body, 'needle')").await;
        assert!(plan.contains("files_text_indexed=1"), "{plan}");
    } else {
        println!("SKIPPED: compaction made no text index");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_rows_are_found_without_reading_the_oldest() {
    let bed = Bed::new().await;
    let per_service = 20_000;
    for part in 0..2 {
        let mut b = LogsBuilder::default();
        for service in ["cart", "pay", "web"] {
            let labels = Labels::of(&[("app", service)]);
            let origin =
                LogOrigin { stream_id: labels.hash64(), labels, service: service.to_owned(), ..LogOrigin::default() };
            for n in 0..per_service {
                let age = (1 - part) * per_service + per_service - n;
                let body = Some(AttrValue::String(format!("{service} {age}")));
                // All within an hour, so that each write rests in one file.
                let time = Timestamp(at(0).0 - age * 50_000_000);
                b.push(&origin, &LogRow { time, body, ..LogRow::default() });
            }
        }
        bed.write(one(Table::Logs, b.finish())).await;
        bed.store.flush().await.unwrap();
    }
    let sql = |filter: &str, order: &str| format!("SELECT body FROM logs WHERE {filter} ORDER BY {order} LIMIT 3");
    let cases = [
        (sql("service = 'pay'", "time DESC"), "body\npay 1\npay 2\npay 3\n"),
        (sql("service = 'pay' AND body LIKE '%0'", "time DESC"), "body\npay 10\npay 20\npay 30\n"),
        (sql("true", "time DESC, body"), "body\ncart 1\npay 1\nweb 1\n"),
        (sql("true", "time DESC, body DESC"), "body\nweb 1\npay 1\ncart 1\n"),
        (sql("service <> 'cart'", "time, body"), "body\npay 40000\nweb 40000\npay 39999\n"),
        // Nothing is ruled out: fewer rows than asked for.
        (sql("body LIKE 'web 2000_'", "time DESC OFFSET 8"), "body\nweb 20008\nweb 20009\n"),
        (sql("service = 'none'", "time DESC"), "body\n"),
        // Ordered by something else, and by something made of the time.
        (sql("service = 'web'", "body DESC"), "body\nweb 9999\nweb 9998\nweb 9997\n"),
        (sql("service = 'web'", "date_trunc('day', time), body"), "body\nweb 1\nweb 10\nweb 100\n"),
    ];
    // The first turn reads the footers by which the second slices.
    for turn in 0..2 {
        for (sql, expected) in &cases {
            assert_eq!(bed.csv(sql).await, *expected, "{sql}, turn {turn}");
        }
    }
    let plan = bed.csv(&format!("EXPLAIN ANALYZE {}", sql("service = 'pay'", "time DESC"))).await;
    let scan = plan.lines().find(|l| l.contains("DataSourceExec")).unwrap();
    let matched =
        scan.split("files_ranges_pruned_statistics=14 total → ").nth(1).and_then(|rest| rest.split(' ').next());
    let matched: usize = matched.and_then(|n| n.parse().ok()).unwrap_or(14);
    assert!(matched <= 8, "two files in seven slices each, most of them ruled out: {scan}");
}
