//! What comes out of each rule, and that what is listed as wrong in grass is.

mod samples;

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::LazyLock};

use pipeline::{names::Digest, options::CHOICE_VERSION};

use super::*;
use crate::child::known_wrong::{self, KnownWrong};
use samples::{Files, RIGHT};

/// A site in memory.
struct Site {
    files: HashMap<&'static str, &'static str>,
    /// Whether all of it is known before it is asked for.
    is_given: bool,
}

impl Site {
    fn new(files: Files) -> Self {
        Self { files: files.iter().copied().collect(), is_given: false }
    }

    fn get(&self, path: &str) -> Option<Rc<str>> {
        self.files.get(path).map(|text| Rc::from(*text))
    }
}

impl Sources for Site {
    fn has(&self, path: &str) -> io::Result<bool> {
        Ok(self.files.contains_key(path))
    }

    fn read(&self, path: &str) -> io::Result<Option<Rc<str>>> {
        Ok(self.get(path))
    }

    fn knows(&self, path: &str) -> Option<bool> {
        Some(self.files.contains_key(path))
    }

    fn peek(&self, path: &str) -> Option<Rc<str>> {
        self.get(path).filter(|_| self.is_given)
    }
}

static LOAD_PATHS: LazyLock<[String; 1]> = LazyLock::new(|| ["/lib".to_owned()]);

fn task_of(files: Files) -> Task<'static> {
    Task {
        entry: files[0].0,
        load_paths: &*LOAD_PATHS,
        style: OutputStyle::Expanded,
        source_maps: SourceMaps::None,
    }
}

/// What the first of the files becomes, and the engines that ran.
fn compile_files(rule: Engine, files: Files) -> (Result<String, String>, Vec<SassEngine>) {
    compile_site(rule, files, &Site::new(files))
}

fn compile_site(rule: Engine, files: Files, site: &Site) -> (Result<String, String>, Vec<SassEngine>) {
    let task = task_of(files);
    let engines = RefCell::new(Vec::new());
    let begin = |engine| {
        engines.borrow_mut().push(engine);
        Ok(())
    };
    let made = compile(rule, task, site, begin).unwrap();
    (made.map(|css| css.text), engines.into_inner())
}

/// Without what only the layout differs in.
fn words(css: &str) -> String {
    css.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What an engine made is what dart-sass makes of it.
fn is_right(made: &Result<String, String>, expected: Option<&str>) -> bool {
    made.as_deref().map(words).ok().as_deref() == expected
}

#[test]
fn every_row_has_a_sample_that_grass_gets_wrong_and_auto_does_not() {
    for KnownWrong { what, upstream, .. } in &known_wrong::WRONG_IN_GRASS {
        let samples: Vec<_> = samples::WRONG_IN_GRASS.iter().filter(|sample| sample.0 == *what).collect();
        assert!(!samples.is_empty(), "{what} has no sample");
        for (_, files, expected) in samples {
            let (made, engines) = compile_files(Engine::Auto, files);
            assert!(is_right(&made, *expected), "{what}: {made:?}");
            assert_eq!(engines, [SassEngine::Grass, SassEngine::Sasso], "{what}");
            let (of_grass, _) = compile_files(Engine::Grass, files);
            assert!(!is_right(&of_grass, *expected), "grass has learnt {what}: is {upstream:?} closed?");
        }
    }
}

#[test]
fn sign_is_seen_in_each_sample_where_grass_says_nothing() {
    for (what, files, _) in samples::WRONG_IN_GRASS {
        if compile_files(Engine::Grass, files).0.is_ok() {
            let site = Site::new(files);
            let nothing = foresee(task_of(files), &site, &scan::GRASS).unwrap();
            let watched = WatchedSources::until_found(&site, nothing);
            drop(run(&Grass, task_of(files), &watched));
            assert_eq!(watched.found().map(|row| row.what), Some(*what));
        }
    }
}

#[test]
fn what_is_foreseen_spares_grass_a_run_and_changes_nothing() {
    let samples = samples::WRONG_IN_GRASS.iter().chain(samples::WRONG_IN_SASSO);
    let right = RIGHT.iter().map(|(files, _)| *files);
    let mut spared = 0;
    for files in samples.map(|(_, files, _)| *files).chain(right) {
        let asked = compile_files(Engine::Auto, files);
        let given = compile_site(Engine::Auto, files, &Site { is_given: true, ..Site::new(files) });
        assert_eq!(given.0, asked.0, "{files:?}");
        if given.1 != asked.1 {
            spared += 1;
            assert_eq!([&[SassEngine::Grass], &*given.1].concat(), asked.1, "{files:?}");
        }
    }
    assert!(spared > 40, "{spared} runs were spared");
}

#[test]
fn only_what_is_loaded_in_any_case_is_foreseen() {
    const WRONG: (&str, &str) = ("/_wrong.scss", "a { b: color.channel(red, \"red\"); }");
    const CASES: [(Files, bool); 9] = [
        (&[("/app.scss", "@use 'x'; @import \"wrong\";"), ("/_x.scss", "c { d: e }"), WRONG], true),
        (&[("/app.sass", "@use 'x'\n"), ("/x.sass", "@import wrong, y\n"), WRONG], true),
        (&[("/app.scss", "@import 'x';"), ("/lib/x/_index.scss", "@import '../../wrong';"), WRONG], true),
        (&[("/app.scss", "@if false { @import 'wrong'; } // @import 'wrong';"), WRONG], false),
        (&[("/app.scss", "@mixin x { @import 'wrong'; } /* @use 'wrong'; */"), WRONG], false),
        (&[("/app.scss", "@warn \"no longer @import 'wrong'\";"), WRONG], false),
        (&[("/app.scss", "@use 'x' /* @use 'wrong' */;"), ("/_x.scss", ""), WRONG], false),
        (&[("/app.sass", "// a comment that goes on\n  @import wrong\n"), WRONG], false),
        (&[("/app.scss", "@use 'none'; @import 'http://a/wrong', url(wrong);"), WRONG], false),
    ];
    for (files, is_foreseen) in CASES {
        let site = Site { is_given: true, ..Site::new(files) };
        let foresight = foresee(task_of(files), &site, &scan::GRASS).unwrap();
        assert_eq!(foresight.scan.found().is_some(), is_foreseen, "{files:?}");
    }
}

#[test]
fn every_row_has_a_sample_that_sasso_gets_wrong_and_auto_does_not() {
    for KnownWrong { what, .. } in &known_wrong::WRONG_IN_SASSO {
        let samples: Vec<_> = samples::WRONG_IN_SASSO.iter().filter(|sample| sample.0 == *what).collect();
        assert!(!samples.is_empty(), "{what} has no sample");
        for (_, files, expected) in samples {
            let (made, engines) = compile_files(Engine::Auto, files);
            assert!(is_right(&made, *expected), "{what}: {made:?}");
            assert_eq!(engines, [SassEngine::Grass, SassEngine::Sasso, SassEngine::Grass], "{what}");
            let (of_sasso, _) = compile_files(Engine::Sasso, files);
            assert!(!is_right(&of_sasso, *expected), "sasso has learnt {what}");
        }
    }
}

#[test]
fn sasso_keeps_what_extends_unless_extending_is_its_fault() {
    let files: Files =
        &[("/app.scss", "@media not (a: 1) { @media (c: 2) { b { c: d; } } } .e { @extend b; }")];
    let (made, engines) = compile_files(Engine::Auto, files);
    assert_eq!(made, compile_files(Engine::Sasso, files).0);
    assert_eq!(engines, [SassEngine::Grass, SassEngine::Sasso]);
}

#[test]
fn what_sasso_takes_by_mistake_is_its_to_refuse_where_grass_fails_on_something_else() {
    let files: Files = &[("/app.scss", "a || b { c: if(sass(true): d; else: e); }")];
    let (made, engines) = compile_files(Engine::Auto, files);
    assert_eq!(made, compile_files(Engine::Sasso, files).0);
    let both = [SassEngine::Grass, SassEngine::Sasso];
    assert_eq!(engines, [both, both].concat());
}

#[test]
fn sasso_is_given_spellings_that_it_gets_right() {
    for (files, expected) in samples::RESPELLED {
        let (made, _) = compile_files(Engine::Sasso, files);
        assert!(is_right(&made, Some(expected)), "{made:?}");
    }
}

#[test]
fn what_grass_gets_right_is_left_to_it() {
    for (files, expected) in RIGHT {
        let (made, engines) = compile_files(Engine::Auto, files);
        assert_eq!(made.as_deref().map(words), Ok((*expected).to_owned()));
        assert_eq!(engines, [SassEngine::Grass], "{files:?}");
        assert_eq!(compile_files(Engine::Sasso, files).0.as_deref().map(words), Ok((*expected).to_owned()));
    }
}

#[test]
fn pinned_engine_is_the_only_one_that_runs() {
    let files: Files = &[("/app.scss", "@use 'sass:math'; a { b: sin(0deg); }")];
    let verbatim = Ok("a {\n  b: sin(0deg);\n}\n".to_owned());
    assert_eq!(compile_files(Engine::Grass, files), (verbatim, vec![SassEngine::Grass]));
    assert_eq!(
        compile_files(Engine::Sasso, files),
        (Ok("a {\n  b: 0;\n}\n".to_owned()), vec![SassEngine::Sasso])
    );
}

#[test]
fn errors_name_paths_as_owners_know_them_and_under_auto_are_sassos() {
    let files: Files = &[("/theme/app.scss", "@import 'part';"), ("/theme/_part.scss", "a { b: $missing; }")];
    let (of_grass, _) = compile_files(Engine::Grass, files);
    assert!(of_grass.clone().unwrap_err().ends_with("\n/theme/_part.scss:1:8\n"), "{of_grass:?}");
    let (of_sasso, _) = compile_files(Engine::Sasso, files);
    let error = of_sasso.clone().unwrap_err();
    assert!(error.contains(" /theme/_part.scss 1:8 ") && error.contains(" /theme/app.scss 1:9 "), "{error}");
    assert_eq!(compile_files(Engine::Auto, files), (of_sasso, vec![SassEngine::Grass, SassEngine::Sasso]));
}

/// Where this fails, raise `CHOICE_VERSION` if other sources are now left to grass than before; then write
/// down the new digest.
#[test]
fn choice_has_the_version_that_was_given_to_it() {
    let rules = [
        include_str!("../blocks.rs"),
        include_str!("../engine.rs"),
        include_str!("foresight.rs"),
        include_str!("../known_wrong.rs"),
        include_str!("../known_wrong/grass.rs"),
        include_str!("../known_wrong/passes.rs"),
        include_str!("../known_wrong/sasso.rs"),
        include_str!("../scan.rs"),
        include_str!("../scan/signs.rs"),
        include_str!("../scan/watched.rs"),
    ];
    let digest = Digest::of(rules.concat().as_bytes());
    assert_eq!((CHOICE_VERSION, &digest.as_str()[..16]), (2, "344de5e4462dfba1"));
}

/// A declaration a line: as dart-sass, sasso tells one place of each line of Sass in a line of CSS.
const MAPPED: Files = &[
    (
        "/app.scss",
        "@use 'part';\n.füße { .inner {\nborder: url(x.png) red;\n  margin: abs(10% - 20px);\n\n top: 1px } }",
    ),
    ("/_part.scss", "$width: 3px;\n.outer:not(.a):not(.b) {\n  padding: $width;\n}\n"),
];

#[test]
fn sassos_source_maps_name_the_places_of_the_sites_own_texts() {
    let site: url::Url = "https://www.shop.example/".parse().unwrap();
    for style in [OutputStyle::Expanded, OutputStyle::Compressed] {
        let task = Task { style, source_maps: SourceMaps::Inline, ..task_of(MAPPED) };
        let sources = Site { is_given: true, ..Site::new(MAPPED) };
        let css = compile(Engine::Sasso, task, &sources, |_| Ok(())).unwrap().unwrap();
        let css = crate::child::rebase::Site::new(&site, task.entry).unwrap().rebase_all(css);
        let map = css.map.as_ref().unwrap();
        let expected: Vec<_> = MAPPED.iter().map(|(_, text)| Some(*text)).collect();
        let mut contents: Vec<_> = map.source_contents().collect();
        contents.sort_by_key(|text| !text.unwrap_or_default().contains("@use"));
        assert_eq!(contents, expected);
        for (word, path, text) in [
            ("padding", "/_part.scss", MAPPED[1].1),
            ("border", "/app.scss", MAPPED[0].1),
            ("margin", "/app.scss", MAPPED[0].1),
            ("top", "/app.scss", MAPPED[0].1),
        ] {
            let (line, column) = place_of(word, &css.text);
            let token = map.lookup_token(line, column).unwrap();
            assert_eq!(token.get_dst(), (line, column), "{word}: {}", css.text);
            assert_eq!((token.get_source(), token.get_src()), (Some(path), place_of(word, text)), "{word}");
        }
        let inline = css.with_map_inline();
        assert!(inline.contains("/*# sourceMappingURL=data:application/json;"), "{inline}");
    }
}

/// In UTF-16.
fn place_of(word: &str, text: &str) -> (u32, u32) {
    let before = &text[..text.find(word).unwrap()];
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap().encode_utf16().count();
    (u32::try_from(line).unwrap(), u32::try_from(column).unwrap())
}
