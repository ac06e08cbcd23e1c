//! `cargo run -p corpus`: every case and code base through each engine, beside the reference.
//!
//! Words on the command line pick the jobs whose names hold one of them. Owns the run and the table; what is
//! compared and how is the library's.

mod child;
mod engine;
mod table;

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use corpus::{
    Job,
    case::{self, Case, Expected},
    code_base,
    compare::{Pair, judge_all},
    oracle::{Oracle, Outcome},
};
use engine::Engine;

fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == child::CHILD) {
        return child::run();
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let oracle = Oracle { folder: folder.join("oracle") };
    let scratch = env::temp_dir().join(format!("corpus-{}", std::process::id()));
    let result = run(&folder, &oracle, &scratch, &words);
    fs::remove_dir_all(&scratch).context("cannot remove the scratch folder")?;
    result
}

fn run(folder: &Path, oracle: &Oracle, scratch: &Path, words: &[String]) -> Result<()> {
    fs::create_dir_all(scratch)?;
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let mut cases = case::read_all(&folder.join("cases"))?;
    cases.retain(|case| is_wanted(&case.id()));
    let jobs: Vec<Job> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| case.write_to(&scratch.join(number.to_string())))
        .collect::<Result<_>>()?;
    let reference = oracle.compile(&jobs)?;
    check_expected(&cases, &reference)?;
    compare("cases", oracle, &jobs, &reference)?;

    let mut code_bases = code_base::read_all(&folder.join("code_bases.json"))?;
    code_bases.retain(|code_base| is_wanted(&code_base.name));
    let modules = oracle.folder.join("node_modules");
    let jobs: Vec<Job> = code_bases.iter().map(|code_base| code_base.job(folder, &modules)).collect();
    let reference = oracle.compile(&jobs)?;
    for (job, outcome) in jobs.iter().zip(&reference) {
        if let Err(error) = outcome {
            bail!("the reference fails on {}: {error}", job.name);
        }
    }
    compare("code bases", oracle, &jobs, &reference)
}

/// A case that the reference takes otherwise than it says is a mistake in the corpus.
fn check_expected(cases: &[Case], reference: &[Outcome]) -> Result<()> {
    let mut mistakes = Vec::new();
    for (case, outcome) in cases.iter().zip(reference) {
        match (case.expected, outcome) {
            (Expected::Css, Ok(_)) | (Expected::Error, Err(_)) => {}
            (Expected::Css, Err(error)) => mistakes.push(format!("{}: {error}", case.id())),
            (Expected::Error, Ok(_)) => mistakes.push(format!("{}: no error", case.id())),
        }
    }
    ensure!(mistakes.is_empty(), "the reference takes cases otherwise:\n{}", mistakes.join("\n"));
    Ok(())
}

fn compare(what: &str, oracle: &Oracle, jobs: &[Job], reference: &[Outcome]) -> Result<()> {
    for engine in engine::ALL {
        let outcomes = compile_all(engine, jobs)?;
        let pairs: Vec<Pair> = reference
            .iter()
            .zip(outcomes)
            .map(|(reference, outcome)| Pair {
                reference: reference.clone(),
                engine: outcome,
                tolerance: engine.tolerance(),
            })
            .collect();
        let verdicts = judge_all(oracle, &pairs)?;
        if let Some(folder) = env::var_os(KEEP) {
            keep(&PathBuf::from(folder), engine, jobs, &pairs)?;
        }
        table::print(what, engine, jobs, &verdicts);
    }
    Ok(())
}

/// Names the folder where both sides' CSS is left for a person to look at.
const KEEP: &str = "CORPUS_KEEP";

fn keep(folder: &Path, engine: Engine, jobs: &[Job], pairs: &[Pair]) -> Result<()> {
    for (job, pair) in jobs.iter().zip(pairs) {
        let stem = job.name.replace(|character: char| !character.is_alphanumeric(), "-");
        let sides = [("reference".to_owned(), &pair.reference), (format!("{engine:?}"), &pair.engine)];
        for (side, outcome) in sides {
            let (Ok(text) | Err(text)) = outcome;
            fs::create_dir_all(folder.join(&side))?;
            fs::write(folder.join(side).join(format!("{stem}.css")), text)?;
        }
    }
    Ok(())
}

/// Every job in a child of its own, as many at once as there are processors.
fn compile_all(engine: Engine, jobs: &[Job]) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<Outcome>)>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(number) else { break };
                    let outcome = child::compile(engine, job);
                    if let Ok(mut done) = done.lock() {
                        done.push((number, outcome));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().map_err(|_| anyhow!("a thread panicked"))?;
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
