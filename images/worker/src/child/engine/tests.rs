//! What comes out of each rule, and that what is listed as wrong in grass is.

mod samples;

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use pipeline::{names::Digest, options::CHOICE_VERSION};

use super::*;
use crate::child::{
    known_wrong::{KNOWN_WRONG, KnownWrong},
    scan::Scan,
};
use samples::{Files, RIGHT, SAMPLES};

/// A site in memory.
struct Site(HashMap<&'static str, &'static str>);

impl Site {
    fn new(files: Files) -> Self {
        Self(files.iter().copied().collect())
    }
}

impl Sources for Site {
    fn has(&self, path: &str) -> io::Result<bool> {
        Ok(self.0.contains_key(path))
    }

    fn read(&self, path: &str) -> io::Result<Option<Rc<str>>> {
        Ok(self.0.get(path).map(|text| Rc::from(*text)))
    }
}

/// What the first of the files becomes, and the engines that ran.
fn compile_files(rule: Engine, files: Files) -> (Result<String, String>, Vec<SassEngine>) {
    let load_paths = ["/lib".to_owned()];
    let task = Task { entry: files[0].0, load_paths: &load_paths, style: OutputStyle::Expanded };
    let engines = RefCell::new(Vec::new());
    let begin = |engine| {
        engines.borrow_mut().push(engine);
        Ok(())
    };
    let made = compile(rule, task, &Site::new(files), begin).unwrap();
    (made, engines.into_inner())
}

/// Without what only the layout differs in.
fn words(css: &str) -> String {
    css.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_row_has_a_sample_that_grass_gets_wrong_and_auto_does_not() {
    for KnownWrong { what, upstream, sign: _ } in &KNOWN_WRONG {
        let samples: Vec<_> = SAMPLES.iter().filter(|sample| sample.0 == *what).collect();
        assert!(!samples.is_empty(), "{what} has no sample");
        for (_, files, expected) in samples {
            let (made, engines) = compile_files(Engine::Auto, files);
            assert_eq!(made.as_deref().map(words), Ok((*expected).to_owned()), "{what}");
            assert_eq!(engines, [SassEngine::Grass, SassEngine::Sasso], "{what}");
            let (of_grass, _) = compile_files(Engine::Grass, files);
            let is_right = of_grass.as_deref().map(words) == Ok((*expected).to_owned());
            assert!(!is_right, "grass has learnt {what}: is {upstream:?} closed?");
        }
    }
}

#[test]
fn sign_is_seen_in_each_sample_where_grass_says_nothing() {
    for (what, files, _) in SAMPLES {
        if compile_files(Engine::Grass, files).0.is_ok() {
            let mut scan = Scan::default();
            files.iter().for_each(|(path, text)| scan.add(path, text));
            assert_eq!(scan.found.map(|row| row.what), Some(*what));
        }
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
    let rules = [include_str!("../known_wrong.rs"), include_str!("../scan.rs")].concat();
    assert_eq!((CHOICE_VERSION, &Digest::of(rules.as_bytes()).as_str()[..16]), (1, "91fef6bedd3d8901"));
}
