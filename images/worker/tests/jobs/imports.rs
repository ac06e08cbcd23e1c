//! Which files imports mean, where some of their spellings are asked for only while it is compiled already.

use crate::bench::Bench;

#[tokio::test]
async fn file_for_imports_alone_counts_although_the_other_one_was_found_first() {
    for (app, expected) in [("@import 'a';", "import"), ("@use 'a';", "module")] {
        let files =
            [("app.scss", app), ("_a.scss", "a { of: module }"), ("_a.import.scss", "a { of: import }")];
        let mut bench = Bench::start(&files);
        let job = bench.job("/app.css");
        let manifest = bench.run(&job).await;
        assert_eq!(bench.css("/app.css", &manifest).await, format!("a {{\n  of: {expected};\n}}\n"));
        bench.stop().await;
    }
}

#[tokio::test]
async fn what_appears_beside_a_source_is_noticed_by_the_next_refresh() {
    let mut bench = Bench::start(&[("app.scss", "@import 'a';"), ("_a.scss", "a { b: c }")]);
    let job = bench.job("/app.css");
    bench.run(&job).await;
    bench.write("_a.import.scss", "a { b: new }");
    let refresh = bench.refresh("/app.css");
    let manifest = bench.run(&refresh).await;
    assert_eq!(bench.css("/app.css", &manifest).await, "a {\n  b: new;\n}\n");
    bench.stop().await;
}

#[tokio::test]
async fn imports_in_lines_of_comment_are_no_part_of_the_closure() {
    let mut bench = Bench::start(&[("app.scss", "// @import 'a';\nb { c: d }"), ("_a.scss", "")]);
    let job = bench.job("/app.css");
    let closure = bench.run(&job).await.closure;
    assert_eq!((closure.read.len(), closure.absent), (1, Vec::new()));
    bench.stop().await;
}

#[tokio::test]
async fn files_of_one_name_and_several_endings_load_each_other() {
    let mut bench = Bench::start(&[
        ("app.scss", "@use 'reset';"),
        ("_reset.scss", "@forward 'reset.css';"),
        ("reset.css", "a { b: c }"),
    ]);
    let job = bench.job("/app.css");
    let manifest = bench.run(&job).await;
    assert_eq!(bench.css("/app.css", &manifest).await, "a {\n  b: c;\n}\n");
    bench.stop().await;
}
