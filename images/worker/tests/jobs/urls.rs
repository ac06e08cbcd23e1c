//! What becomes of URLs in the CSS.

use pipeline::job::Job;

use crate::bench::Bench;

#[tokio::test]
async fn urls_of_the_sites_files_become_absolute_where_the_job_says_so() {
    let mut bench = Bench::start(&[("app.scss", "$font: '../f'; a { b: url('#{$font}/a.woff2') }")]);
    for (rebase_to, expected) in [
        (None, "../f/a.woff2"),
        (Some("https://www.shop.example/site/"), "https://www.shop.example/site/f/a.woff2"),
    ] {
        let job = Job { rebase_to: rebase_to.map(|url| url.parse().unwrap()), ..bench.job("/app.css") };
        let manifest = bench.run(&job).await;
        let css = bench.css("/app.css", &manifest).await;
        assert_eq!(css, format!("a {{\n  b: url(\"{expected}\");\n}}\n"));
    }
    bench.stop().await;
}
