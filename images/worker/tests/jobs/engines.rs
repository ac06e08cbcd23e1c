//! Which engine makes what, and which of its sources a style sheet is made from.

use std::fs;

use pipeline::{
    manifest::{Manifest, Outcome},
    options::{CompileOptions, Engine, SassEngine},
};

use crate::bench::Bench;

const PLAIN: &str = "a { b: c }";
/// grass gives it as it stands.
const MODERN: &str = "a { b: pow(2, 3) }";

impl Bench {
    async fn refresh_now(&mut self, path: &str) -> Manifest {
        let job = self.refresh(path);
        self.run(&job).await
    }
}

#[tokio::test]
async fn engine_stands_in_the_manifest_until_the_closure_changes() {
    let mut bench = Bench::start(&[("app.scss", "@import 'part';"), ("_part.scss", MODERN)]);
    let job = bench.job("/app.css");
    let mut seen = vec![bench.run(&job).await.engine];
    for text in [MODERN, PLAIN, PLAIN, "a { b: $missing }", MODERN] {
        bench.write("_part.scss", text);
        seen.push(bench.refresh_now("/app.css").await.engine);
    }
    let [grass, sasso] = SassEngine::ALL.map(SassEngine::label);
    assert_eq!(seen, [sasso, sasso, grass, grass, sasso, sasso]);
    bench.stop().await;
}

#[tokio::test]
async fn last_good_file_keeps_its_engine_behind_failures() {
    let mut bench = Bench::start(&[("app.scss", PLAIN)]);
    let job = bench.job("/app.css");
    bench.run(&job).await;
    bench.write("app.scss", "a { b: $missing }");
    let failed = bench.refresh_now("/app.css").await;
    assert_eq!(failed.engine, SassEngine::Sasso.label());
    assert_eq!(failed.last_good.unwrap().engine, SassEngine::Grass.label());
    fs::remove_file(bench.site.path().join("app.scss")).unwrap();
    let gone = bench.refresh_now("/app.css").await;
    assert_eq!((gone.engine.as_str(), gone.last_good.unwrap().engine.as_str()), ("", "grass/0.13.4"));
    bench.stop().await;
}

#[tokio::test]
async fn engine_that_hits_a_limit_is_the_last_one() {
    let mut bench = Bench::start(&[
        ("loop.scss", "@while true {}"),
        ("deep.scss", "@function f($x) { @return f($x); } a { b: f(1); }"),
        ("late.scss", "a { b: pow(2, 3) } @while true {}"),
    ]);
    for (path, engine) in
        [("/loop.css", SassEngine::Grass), ("/deep.css", SassEngine::Grass), ("/late.css", SassEngine::Sasso)]
    {
        let job = bench.job(path);
        let manifest = bench.run(&job).await;
        assert!(matches!(manifest.outcome, Outcome::CompileError { .. }), "{path}: {:?}", manifest.outcome);
        assert_eq!(manifest.engine, engine.label(), "{path}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn pinned_engine_makes_the_file_and_has_a_key_of_its_own() {
    let mut bench = Bench::start(&[("app.scss", MODERN)]);
    let mut seen = Vec::new();
    for engine in Engine::ALL {
        let options = CompileOptions { engine, ..CompileOptions::default() };
        let job = bench.job("/app.css");
        let job = pipeline::job::Job { fingerprint: options.fingerprint(), options, ..job };
        let manifest = bench.run(&job).await;
        seen.push((manifest.engine.clone(), job.fingerprint));
    }
    let engines: Vec<_> = seen.iter().map(|(engine, _)| engine.as_str()).collect();
    assert_eq!(engines, ["sasso/0.21.0", "grass/0.13.4", "sasso/0.21.0"]);
    seen.dedup_by(|a, b| a.1 == b.1);
    assert_eq!(seen.len(), 3);
    bench.stop().await;
}

#[tokio::test]
async fn style_sheet_is_made_from_scss_else_from_sass_else_from_css() {
    let mut bench = Bench::start(&[
        ("app.scss", "a { b: scss }"),
        ("app.sass", "a\n  b: sass\n"),
        ("app.css", "a { b: css; &:hover { b: css } }"),
    ]);
    let job = bench.job("/app.css");
    let manifest = bench.run(&job).await;
    assert_eq!(bench.css("/app.css", &manifest).await, "a {\n  b: scss;\n}\n");
    for (gone, left) in [
        ("app.scss", "a {\n  b: sass;\n}\n"),
        ("app.sass", "a {\n  b: css;\n  &:hover {\n    b: css;\n  }\n}\n"),
    ] {
        fs::remove_file(bench.site.path().join(gone)).unwrap();
        let manifest = bench.refresh_now("/app.css").await;
        assert_eq!(bench.css("/app.css", &manifest).await, left);
        assert!(manifest.closure.absent.iter().any(|url| url.ends_with(gone)), "{:?}", manifest.closure);
    }
    bench.write("app.scss", "a { b: back }");
    let manifest = bench.refresh_now("/app.css").await;
    assert_eq!(bench.css("/app.css", &manifest).await, "a {\n  b: back;\n}\n");
    bench.stop().await;
}

#[tokio::test]
async fn all_three_kinds_import_each_other() {
    let mut bench = Bench::start(&[
        ("app.sass", "@use 'colors'\n@use 'plain'\n.x\n  color: colors.$link\n  width: pow(2, 3)\n"),
        ("_colors.scss", "$link: red;"),
        ("vendor/plain.css", ".p { q: r; }"),
    ]);
    let job = bench.job("/app.css");
    let manifest = bench.run(&job).await;
    assert_eq!(
        bench.css("/app.css", &manifest).await,
        ".p {\n  q: r;\n}\n\n.x {\n  color: red;\n  width: 8;\n}\n"
    );
    assert_eq!(manifest.engine, SassEngine::Sasso.label());
    bench.stop().await;
}
