//! Runs files of language tests: `corpus FILE...`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for who works on the evaluator")]

fn main() {
    let (mut passed, mut all) = (0, 0);
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path).unwrap();
        match grid_promql_test::run(&text, &mut grid_promql_test::MemoryTarget::default()) {
            Err(e) => println!("{path}: {e}"),
            Ok(report) => {
                passed += report.passed;
                all += report.passed + report.failures.len();
                for f in &report.failures {
                    println!("{path}:{}: {}\n    {}", f.line, f.query, f.reason);
                }
                println!("{path}: {}/{}", report.passed, report.passed + report.failures.len());
            }
        }
    }
    println!("{passed}/{all}");
}
