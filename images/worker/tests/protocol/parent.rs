//! A parent whose child says anything: it has a style sheet or an error, and soon.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc, time::Duration};

use pipeline::options::CompileOptions;
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, time::timeout};
use url::Url;
use worker::{
    ChildLimits, Compiler, Limits, LoneSheet,
    child::{
        Confinement,
        protocol::{FromChild, Hello, encode},
    },
    origin::FileOrigin,
};

use crate::speech::speech;

const LIMITS: Limits =
    Limits { child: ChildLimits { cpu_seconds: 1, memory_bytes: 256 << 20 }, output_bytes: 1_000 };
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that says what lies beside it, whatever it is asked.
struct Impostor {
    folder: TempDir,
}

impl Impostor {
    /// Ends once it has spoken.
    fn hasty() -> Self {
        Self::reading("")
    }

    /// Hears its order out, too.
    fn patient() -> Self {
        Self::reading("-")
    }

    /// What it reads after its speech, before it ends.
    fn reading(more: &str) -> Self {
        let impostor = Self { folder: tempfile::tempdir().unwrap() };
        let script = format!("#!/bin/sh\nexec /bin/cat {} {more}\n", impostor.speech().display());
        fs::write(impostor.program(), script).unwrap();
        fs::set_permissions(impostor.program(), fs::Permissions::from_mode(0o700)).unwrap();
        impostor
    }

    fn sheet(&self) -> LoneSheet {
        let root = self.folder.path();
        let origin = FileOrigin { root: root.to_owned(), load_roots: Vec::new() };
        let base = Url::from_directory_path(root).unwrap();
        LoneSheet::new(Arc::new(origin), base, "/a.scss", CompileOptions::default())
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("impostor")
    }

    fn speech(&self) -> PathBuf {
        self.folder.path().join("speech")
    }
}

#[test]
fn parent_has_an_outcome_whatever_a_child_says() {
    let impostor = Impostor::hasty();
    let runtime = Runtime::new().unwrap();
    let compiler = Compiler::new(impostor.program(), LIMITS);
    let check = |speech: Vec<u8>| {
        fs::write(impostor.speech(), speech).unwrap();
        match runtime.block_on(async { timeout(PATIENCE, impostor.sheet().compile(&compiler)).await }) {
            Ok(Ok(made)) => prop_assert!(made.css.len() <= LIMITS.output_bytes),
            Ok(Err(message)) => prop_assert!(!message.is_empty() && message.len() < 20_000),
            Err(_) => return Err(TestCaseError::fail("the parent waits for ever")),
        }
        Ok(())
    };
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&speech(), check).unwrap();
}

#[test]
fn error_without_a_word_is_given_one() {
    let impostor = Impostor::patient();
    let hello = encode(Hello::Ready(Confinement::Full)).unwrap();
    let silence = encode(FromChild::Done { result: Err(String::new()), stays: true }).unwrap();
    fs::write(impostor.speech(), [hello, silence].concat()).unwrap();
    let compiler = Compiler::new(impostor.program(), LIMITS);
    let ended = Runtime::new().unwrap().block_on(impostor.sheet().compile(&compiler));
    assert!(ended.unwrap_err().contains("did not say why"));
}
